"""`reelflow serve`: the pushed model over HTTP, with a page to look at."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import DEFAULT_OUTPUT, Output, console

if TYPE_CHECKING:
    from reelflow.config.layout import Layout
    from reelflow.registry.store import Alias

_SHOWN = ("top_10", "top_100", "ndcg_10")


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for everybody.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any.")] = 8501,
    output: Output = DEFAULT_OUTPUT,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Folder of one model or of several versions, or a registered one: "
            "models:/NAME@ALIAS.",
            metavar="DIR|URI",
        ),
    ] = None,
    reload_seconds: Annotated[
        float,
        typer.Option("--reload-seconds", min=0, help="Look for a new version; 0 for never."),
    ] = 2.0,
    histories: Annotated[
        bool,
        typer.Option(
            "--histories/--no-histories", help="Whether answers may tell what users have rated."
        ),
    ] = True,
) -> None:
    """Serve the newest pushed model: a page, a JSON API and TensorFlow Serving's REST paths.

    A version pushed later, or that the alias is given to, takes over without a failed request.
    The registry is MLflow's, found by MLFLOW_TRACKING_URI, or else the one in --output. Stop with
    Ctrl-C or SIGTERM.
    """
    from rich.text import Text

    from reelflow.config.layout import Layout
    from reelflow.serving.app import create_app
    from reelflow.serving.limits import Limits
    from reelflow.serving.metrics import Metrics
    from reelflow.serving.server import listen, run, url
    from reelflow.serving.versions import Versions

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("reelflow").setLevel(logging.INFO)
    layout, limits, metrics = Layout.of(output), Limits(), Metrics()
    with listen(host, port) as listening:
        console.print("Loading the model ...", style="dim")
        versions = Versions(
            source(model, layout), limits, metrics, lambda path: measured(layout, path)
        )
        app = create_app(
            versions,
            limits=limits,
            metrics=metrics,
            histories=histories,
            reload_seconds=reload_seconds,
        )
        where = url(listening)

        def tell() -> None:
            console.print(Text.assemble(("Page            ", "bold"), where))
            console.print(Text.assemble(("API             ", "bold"), f"{where}docs"))
            console.print(Text.assemble(("TF Serving API  ", "bold"), f"{where}v1/models/reelflow"))

        run(app, listening, limits, tell)
    console.print("Stopped.", style="dim")


def source(model: str | None, layout: Layout) -> Path | Alias:
    """What `--model` names: a folder, an alias in the registry, or what was pushed in the output.

    Raises:
        BadInput: it begins as a registry's URI does, and is none.
    """
    from reelflow.registry.store import SCHEME, Alias, address

    if model is None:
        return layout.serving
    if model.startswith(SCHEME):
        return Alias(model, layout.output / "registered", address(None, layout.registry))
    return Path(model)


def measured(layout: Layout, version: Path) -> Mapping[str, float]:
    """What a version was measured at, from the summary of a run that pushed or registered it.

    Args:
        layout: where the runs are; the folder may have been moved since.
        version: the version's folder. After a rollback it holds the model of an earlier number, and
            one from the registry has the registry's number.

    Returns:
        Metrics by name; empty if no run has left this model, or its summary is not yet written.
    """
    from reelflow.base.common import content_hash

    summaries = [
        json.loads(file.read_text(encoding="utf-8")) for file in layout.runs.glob("*/summary.json")
    ]
    model_hash = content_hash(version) if version.is_dir() else None
    for summary in summaries:
        if _left(summary, version, model_hash) and (metrics := summary.get("metrics")):
            shown = {f"unseen_{name}": metrics["unseen"].get(name) for name in _SHOWN}
            shown |= {name: metrics.get(name) for name in ("rmse", "mae")}
            return {name: value for name, value in shown.items() if value is not None}
    return {}


def _left(summary: Mapping[str, Any], version: Path, model_hash: str | None) -> bool:
    """Whether a run left this model: by its bytes if they are known, or else by its number."""
    registered, pushed = summary.get("registered"), summary.get("pushed")
    if registered:
        return bool(registered["model_hash"] == model_hash)
    return pushed is not None and Path(pushed).name == version.name

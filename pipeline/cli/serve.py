"""`reelflow serve`: the pushed model over HTTP, with a page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import DEFAULT_OUTPUT, Output
from pipeline.cli.output import console, labelled
from pipeline.runs.summary import read_summary
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from reelflow.registry.alias import Alias

_MEASURED = {
    "unseen_top_10": "unseen/top_10",
    "unseen_top_100": "unseen/top_100",
    "unseen_ndcg_10": "unseen/ndcg_10",
    "rmse": "rmse",
    "mae": "mae",
}
"""Name in the server's answers to path of the metric."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any.")] = 8501,
    output: Output = DEFAULT_OUTPUT,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of one model or of several versions, or a registered one: "
            "models:/NAME@ALIAS.",
            metavar="DIR|URI",
        ),
    ] = None,
    reload_seconds: Annotated[
        float, typer.Option(min=0, help="Look for a new version; 0 for never.")
    ] = 2.0,
    histories: Annotated[
        bool,
        typer.Option(
            "--histories/--no-histories",
            help="Answers may tell what users have rated; else a user gets one short list.",
        ),
    ] = True,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with rules about all lists, read anew when it changes.",
            metavar="FILE",
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            help="Take events of users, and keep them as spans in this folder, for "
            "`reelflow run --data DIR --span latest`.",
            metavar="DIR",
        ),
    ] = None,
    events_seconds: Annotated[
        float, typer.Option(min=1, help="Time after which events become a span.")
    ] = 3600.0,
) -> None:
    """Serve the newest pushed model: a page, a JSON API and TensorFlow Serving's REST paths.

    A version pushed later, or that the alias is given to, takes over without a failed request.
    The registry is MLflow's, found by MLFLOW_TRACKING_URI, or else the one in --output. Stop with
    Ctrl-C or SIGTERM.
    """
    from reelflow.serving.app import create_app, listen, run, url
    from reelflow.serving.events.journal import Journal
    from reelflow.serving.limits import Limits
    from reelflow.serving.middleware import Metrics
    from reelflow.serving.rules.file import RulesFile
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
            journal=Journal(events, metrics.registry, events_seconds) if events else None,
            rules=RulesFile(rules, metrics.registry) if rules else None,
        )
        where = url(listening)

        def print_addresses() -> None:
            console.print(labelled("Page", where, width=16))
            console.print(labelled("API", f"{where}docs", width=16))
            console.print(labelled("TF Serving API", f"{where}v1/models/reelflow", width=16))

        run(app, listening, limits, print_addresses)
    console.print("Stopped.", style="dim")


def source(model: str | None, layout: Layout) -> Path | Alias:
    """Return the folder or registry alias of `--model`, or the output's serving folder.

    Raises:
        BadInput: it begins like a registry's URI, and is none.
    """
    from reelflow.registry.alias import Alias
    from reelflow.registry.store import SCHEME, address

    if model is None:
        return layout.serving
    if model.startswith(SCHEME):
        return Alias(model, layout.output / "registered", address(None, layout.registry))
    return Path(model)


def measured(layout: Layout, version: Path) -> Mapping[str, float]:
    """Return a version's metrics by name, from the summary of the run that made its model.

    The run is found by the model's bytes: after a rollback a folder holds the model of an earlier
    number, and one from the registry has the registry's number. Empty if no run has left this
    model, or its summary is not yet written.
    """
    from reelflow.base.common import content_hash

    model_hash = content_hash(version) if version.is_dir() else None
    for file in layout.runs.glob("*/summary.json"):
        summary = read_summary(file)
        if summary is None or summary.metrics is None:
            continue
        if summary.registered:
            same = summary.registered.model_hash == model_hash
        else:  # its bytes are not known
            same = summary.pushed is not None and Path(summary.pushed).name == version.name
        if same:
            values = {name: summary.metrics.value(path) for name, path in _MEASURED.items()}
            return {name: value for name, value in values.items() if value is not None}
    return {}

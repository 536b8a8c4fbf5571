"""`reelflow models`: what is registered, which model serves, and changing that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipeline.cli.app import DEFAULT_OUTPUT, Output, console

if TYPE_CHECKING:
    from reelflow.registry.models import Models, Promotion
    from reelflow.registry.store import Version

models_app = typer.Typer(
    help="List the registered models, promote one, roll back.", no_args_is_help=True
)

Registry = Annotated[
    str | None,
    typer.Option(
        "--registry",
        help="URI of an MLflow tracking server or database; by default the one that the newest run "
        "in --output used.",
        metavar="URI",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_VERSION = typer.Argument(help="A version's number, champion or challenger.", metavar="VERSION")
Name = Annotated[str, _VERSION]

_TOP_100, _RMSE = "unseen/top_100", "rmse"
_COLOURS = {"champion": "bold green", "challenger": "yellow"}


@models_app.command("list")
def list_models(
    output: Output = DEFAULT_OUTPUT, registry: Registry = None, as_json: Json = False
) -> None:
    """List the registered versions, the newest first, and which one serves."""
    models, _ = _models(output, registry)
    versions, aliases = models.registrar.versions(), models.registrar.aliases()
    register = [_facts(models, version, aliases) for version in versions[::-1]]
    if as_json:
        typer.echo(json.dumps(register, indent=2))
    elif not versions:
        where = f"No models are registered as {models.registrar.name} in {models.location}."
        console.print(Text(where), soft_wrap=True)
        console.print("`reelflow run` registers what passes the gate.", style="cyan")
    else:
        console.print(_table(register, models.served()))
        console.print("[dim]Top-100 accuracy with movies already rated left out; RMSE in stars.[/]")
        _warn(models)


@models_app.command()
def show(
    version: Name = "champion",
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of a version: metrics, configuration, hashes, verdict."""
    from pipeline.cli.runs import show as show_blocks
    from pipeline.runs.difference import PATHS, origin
    from reelflow.base.metrics import label_at
    from reelflow.report.blocks import Table as Block
    from reelflow.report.words import format_metric

    models, _ = _models(output, registry)
    found = models.find(version)
    register = _facts(models, found, models.registrar.aliases())
    if as_json:
        typer.echo(json.dumps(register, indent=2))
        return
    metrics, params = register["metrics"], register["params"]
    rows = [
        (label_at(path), format_metric(path, metrics[path])) for path in PATHS if path in metrics
    ]
    lines = [("Version", f"{found.number}"), ("Alias", ", ".join(register["aliases"]) or "none")]
    lines += [("Registered", register["registered"]), *origin(found.tags).items()]
    if artifacts := register["artifacts"].removeprefix("file://"):
        lines += [("Artifacts", artifacts), ("Report", f"{artifacts}/report.html")]
    for name, value in lines:
        console.print(Text.assemble((f"{name:<18}", "bold"), str(value)), soft_wrap=True)
    if register["reasons"]:
        console.print(Text("Refused by the gate", style="bold red"))
        for reason in register["reasons"]:
            console.print(Text(f"  {reason}"), soft_wrap=True)
    show_blocks([Block("Metrics", ("Metric", "Value"), rows)])
    show_blocks([Block("Configuration", ("Key", "Value"), sorted(params.items()))])


@models_app.command()
def promote(version: Name, output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Make a version champion, and let the serving folder serve it.

    Only versions that the gate let pass. A server that is running takes it over without a failed
    request.
    """
    from pipeline.cli.session import alone_in

    models, layout = _models(output, registry)
    with alone_in(layout):
        _tell(models, models.promote(version))


@models_app.command()
def rollback(output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Make the champion before the present one champion again, and serve it.

    Once more goes one further back.
    """
    from pipeline.cli.session import alone_in

    models, layout = _models(output, registry)
    with alone_in(layout):
        _tell(models, models.rollback())


@models_app.command()
def diff(
    a: Annotated[str, typer.Argument(help="A version's number, or an alias.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Another one.", metavar="B")],
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
) -> None:
    """Compare two versions: metrics, configuration, data, code."""
    from pipeline.cli.runs import show as show_blocks
    from pipeline.runs.difference import difference

    models, _ = _models(output, registry)
    first, second = models.find(a), models.find(b)
    console.print(
        Text(f"A is version {first.number}, B is version {second.number}", style="bold"),
        soft_wrap=True,
    )
    show_blocks(difference(models.registrar, first, second))


def _models(output: Path, registry: str | None) -> tuple[Models, Any]:
    from reelflow.config.layout import Layout
    from reelflow.registry.models import Models

    layout = Layout.of(output)
    return Models.of(layout, registry), layout


def _table(versions: list[dict[str, Any]], served: tuple[int, str] | None) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Version", justify="right", no_wrap=True)
    for name in ("Alias", "Gate", "Registered"):
        table.add_column(name, no_wrap=True)
    for name in ("Ratings", "Top-100", "RMSE", "Served as"):
        table.add_column(name, justify="right", no_wrap=True)
    for register in versions:
        accuracy, error = (register["metrics"].get(path) for path in (_TOP_100, _RMSE))
        alias, rows = ", ".join(register["aliases"]), register["train_rows"]
        moment = datetime.fromisoformat(register["registered"]).astimezone()
        table.add_row(
            str(register["version"]),
            Text(alias, style=_COLOURS.get(alias, "")),
            {True: "passed", False: "refused", None: "–"}[register["blessed"]],
            moment.strftime("%Y-%m-%d %H:%M"),
            "–" if rows is None else f"{rows:,}",
            "–" if accuracy is None else f"{100 * accuracy:.1f} %",
            "–" if error is None else f"{error:.4f}",
            str(served[0]) if served and served[1] == register["model_hash"] else "",
        )
    return table


def _facts(models: Models, version: Version, aliases: Mapping[str, int]) -> dict[str, Any]:
    from reelflow.registry.store import DATA_HASH, GIT

    known = models.registrar.facts(version)
    return {
        "version": version.number,
        "aliases": sorted(alias for alias, n in aliases.items() if n == version.number),
        "registered": datetime.fromtimestamp(version.created / 1000, timezone.utc).isoformat(
            timespec="seconds"
        ),
        "blessed": version.blessed,
        "reasons": version.reasons,
        "train_rows": version.train_rows,
        "model_hash": version.model_hash or None,
        "data_hash": version.tags.get(DATA_HASH),
        "git_commit": version.tags.get(GIT),
        "metrics": dict(known.metrics),
        "params": dict(known.params),
        "artifacts": known.artifacts,
    }


def _tell(models: Models, moved: Promotion) -> None:
    number = moved.version.number
    if moved.before == number:
        said = f"Version {number} is the champion already."
    else:
        before = "" if moved.before is None else f", before it was version {moved.before}"
        said = f"Version {number} is champion{before}."
    console.print(Text(said, style="bold"), soft_wrap=True)
    if moved.pushed is not None:
        console.print(Text(f"The serving folder serves it as {moved.pushed}."), soft_wrap=True)
    elif not models.serves:
        text = f"{models.serving} is not there: only the registry was changed."
        console.print(Text(text), soft_wrap=True)


def _warn(models: Models) -> None:
    wrong = models.disagreement()
    if wrong is not None:
        console.print(Text(wrong, style="yellow"), soft_wrap=True)

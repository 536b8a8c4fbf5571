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

from pipeline.cli.console import DEFAULT_OUTPUT, Output, console

if TYPE_CHECKING:
    from pipeline.models import Models, Moved
    from serving.registry import Version

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
    facts = [_facts(models, version, aliases) for version in versions[::-1]]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    elif not versions:
        where = f"No models are registered as {models.registrar.name} in {models.where}."
        console.print(Text(where), soft_wrap=True)
        console.print("`reelflow run` registers what passes the gate.", style="cyan")
    else:
        console.print(_table(facts, models.served()))
        console.print("[dim]Top-100 accuracy with films already rated left out; RMSE in stars.[/]")
        _warn(models)


@models_app.command()
def show(
    version: Name = "champion",
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of a version: metrics, configuration, hashes, verdict."""
    from components.report.blocks import Table as Block
    from components.report.words import figure
    from pipeline.cli.report import show as show_blocks
    from pipeline.difference import PATHS
    from pipeline.model_difference import label, origin

    models, _ = _models(output, registry)
    found = models.find(version)
    facts = _facts(models, found, models.registrar.aliases())
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    metrics, params = facts["metrics"], facts["params"]
    rows = [(label(path), figure(path, metrics[path])) for path in PATHS if path in metrics]
    lines = [("Version", f"{found.number}"), ("Alias", ", ".join(facts["aliases"]) or "none")]
    lines += [("Registered", facts["registered"]), *origin(found.tags).items()]
    if artifacts := facts["artifacts"].removeprefix("file://"):
        lines += [("Artifacts", artifacts), ("Report", f"{artifacts}/report.html")]
    for name, value in lines:
        console.print(Text.assemble((f"{name:<18}", "bold"), str(value)), soft_wrap=True)
    if facts["reasons"]:
        console.print(Text("Refused by the gate", style="bold red"))
        for reason in facts["reasons"]:
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
    from pipeline.cli.report import show as show_blocks
    from pipeline.model_difference import difference

    models, _ = _models(output, registry)
    first, second = models.find(a), models.find(b)
    console.print(
        Text(f"A is version {first.number}, B is version {second.number}", style="bold"),
        soft_wrap=True,
    )
    show_blocks(difference(models.registrar, first, second))


def _models(output: Path, registry: str | None) -> tuple[Models, Any]:
    from pipeline.layout import Layout
    from pipeline.models import Models

    layout = Layout.of(output)
    return Models.of(layout, registry), layout


def _table(versions: list[dict[str, Any]], served: tuple[int, str] | None) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Version", justify="right", no_wrap=True)
    for name in ("Alias", "Gate", "Registered"):
        table.add_column(name, no_wrap=True)
    for name in ("Ratings", "Top-100", "RMSE", "Served as"):
        table.add_column(name, justify="right", no_wrap=True)
    for facts in versions:
        accuracy, error = (facts["metrics"].get(path) for path in (_TOP_100, _RMSE))
        alias, rows = ", ".join(facts["aliases"]), facts["train_rows"]
        moment = datetime.fromisoformat(facts["registered"]).astimezone()
        table.add_row(
            str(facts["version"]),
            Text(alias, style=_COLOURS.get(alias, "")),
            {True: "passed", False: "refused", None: "–"}[facts["blessed"]],
            moment.strftime("%Y-%m-%d %H:%M"),
            "–" if rows is None else f"{rows:,}",
            "–" if accuracy is None else f"{100 * accuracy:.1f} %",
            "–" if error is None else f"{error:.4f}",
            str(served[0]) if served and served[1] == facts["model_hash"] else "",
        )
    return table


def _facts(models: Models, version: Version, aliases: Mapping[str, int]) -> dict[str, Any]:
    from components.registry_pusher import facts

    known, tags = models.registrar.facts(version), version.tags
    blessed = tags.get(facts.BLESSED)
    return {
        "version": version.number,
        "aliases": sorted(alias for alias, n in aliases.items() if n == version.number),
        "registered": datetime.fromtimestamp(version.created / 1000, timezone.utc).isoformat(
            timespec="seconds"
        ),
        "blessed": None if blessed is None else blessed == "true",
        "reasons": tags.get(facts.REASONS, "").splitlines(),
        "train_rows": int(tags[facts.ROWS]) if facts.ROWS in tags else None,
        "model_hash": version.model_hash or None,
        "data_hash": tags.get(facts.DATA_HASH),
        "git_commit": tags.get(facts.GIT),
        "metrics": dict(known.metrics),
        "params": dict(known.params),
        "artifacts": known.artifacts,
    }


def _tell(models: Models, moved: Moved) -> None:
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

"""`reelflow models`: the registered models, and which of them serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli.options import DEFAULT_OUTPUT, AsJson, Output
from pipeline.cli.output import (
    METRICS_LEGEND,
    console,
    labelled,
    new_table,
    number,
    percentage,
    print_blocks,
    print_json,
)
from reelflow.base.errors import BadInput
from reelflow.base.metrics import label_at
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from reelflow.registry.models import Models, Promotion
    from reelflow.registry.store import Variant, Version

models_app = typer.Typer(
    help="List the registered models, promote one, roll back.", no_args_is_help=True
)

Registry = Annotated[
    str | None,
    typer.Option(
        help="URI of an MLflow tracking server or database; by default the one that the newest run "
        "in --output used.",
        metavar="URI",
    ),
]
_VERSION = typer.Argument(help="A version's number, or an alias.", metavar="VERSION")
Name = Annotated[str, _VERSION]
Share = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="Of the users; by default registry.share.", metavar="0-1"),
]

_TOP_100, _LIKED_100, _RMSE = "unseen/top_100", "liked/top_100", "rmse"
_COLOURS = {
    "champion": "bold green",
    "canary": "green",
    "shadow": "cyan",
    "challenger": "yellow",
}


@models_app.command("list")
def list_models(
    output: Output = DEFAULT_OUTPUT, registry: Registry = None, as_json: AsJson = False
) -> None:
    """List the registered versions, the newest first, and which one serves."""
    from reelflow.registry.pins import pinned

    models, _ = _models(output, registry)
    versions, aliases = models.registry.versions(), models.registry.aliases()
    number = pinned(models.registry)
    listed = [_as_json(models, version, aliases, number) for version in versions[::-1]]
    if as_json:
        print_json(listed)
    elif not versions:
        where = f"No models are registered as {models.registry.name} in {models.location}."
        console.print(Text(where), soft_wrap=True)
        console.print("`reelflow run` registers what passes the gate.", style="cyan")
    else:
        console.print(_table(listed, models.served()))
        console.print(METRICS_LEGEND)
        if (warning := models.disagreement()) is not None:
            console.print(Text(warning, style="yellow"), soft_wrap=True)


@models_app.command()
def show(
    version: Name = "champion",
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a version: metrics, configuration, hashes, verdict."""
    from pipeline.runs.difference import origin, registered_paths
    from reelflow.registry.pins import pinned
    from reelflow.report.blocks import Table as Block
    from reelflow.report.words import format_metric

    models, _ = _models(output, registry)
    registered = models.find(version)
    aliases, number = models.registry.aliases(), pinned(models.registry)
    content = _as_json(models, registered, aliases, number)
    if as_json:
        print_json(content)
        return
    lines = {
        "Version": str(registered.number),
        "Alias": ", ".join(content["aliases"]) or "none",
        "Registered": content["registered"],
        **origin(registered.tags),
    }
    if artifacts := content["artifacts"].removeprefix("file://"):
        lines |= {"Artifacts": artifacts, "Report": f"{artifacts}/report.html"}
    for label, value in lines.items():
        console.print(labelled(label, value, width=18), soft_wrap=True)
    if content["reasons"]:
        console.print(Text("Refused by the gate", style="bold red"))
        for reason in content["reasons"]:
            console.print(Text(f"  {reason}"), soft_wrap=True)
    metrics, params = content["metrics"], content["params"]
    paths = [path for path in registered_paths() if path in metrics]
    rows = [(label_at(path), format_metric(path, metrics[path])) for path in paths]
    print_blocks([Block("Metrics", ("Metric", "Value"), rows)])
    print_blocks([Block("Configuration", ("Key", "Value"), sorted(params.items()))])


@models_app.command()
def promote(version: Name, output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Make a version champion, and let the serving folder serve it.

    Only a version that has passed the gate. A running server takes it over without a failed
    request. If it was on trial, as canary or shadow, the trial is over.
    """
    models, layout = _models(output, registry)
    with _pushing(layout):
        _print_change(models, models.promote(version))


@models_app.command()
def rollback(output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Take back the latest change of what users get.

    If there is a canary, it is dropped, and the champion has all users again. If there is none, the
    champion before the present one is champion again, and serves. Once more goes one further back.
    """
    models, layout = _models(output, registry)
    with _pushing(layout):
        if (number := models.demote("canary")) is None:
            _print_change(models, models.rollback())
        else:
            text = f"Version {number} is canary no more; the champion, unchanged, has all users."
            console.print(Text(text, style="bold"), soft_wrap=True)


@models_app.command()
def canary(
    version: Name, share: Share = None, output: Output = DEFAULT_OUTPUT, registry: Registry = None
) -> None:
    """Let a version serve a share of the users, the same ones always.

    Once more, with another --share, gives it more or fewer. `promote` and `demote` end it.
    """
    _try_out(version, "canary", share, output, registry)


@models_app.command()
def shadow(
    version: Name, share: Share = None, output: Output = DEFAULT_OUTPUT, registry: Registry = None
) -> None:
    """Let servers ask a version what they ask the champion, and compare; no user sees it."""
    _try_out(version, "shadow", share, output, registry)


@models_app.command()
def demote(
    variant: Annotated[
        Literal["canary", "shadow"], typer.Argument(help="The trial to end.")
    ] = "canary",
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
) -> None:
    """End a trial: the champion has all users, and is asked alone. The version stays registered."""
    models, layout = _models(output, registry)
    with _pushing(layout):
        number = models.demote(variant)
    text = (
        f"There is no {variant}." if number is None else f"Version {number} is {variant} no more."
    )
    console.print(Text(text, style="bold"), soft_wrap=True)


def _try_out(
    name: str, variant: Variant, share: float | None, output: Path, registry: str | None
) -> None:
    models, layout = _models(output, registry)
    share = models.share if share is None else share
    with _pushing(layout):
        number = models.find(name).number
        placed = models.try_out(name, variant, share)
    text = f"Version {number} is {variant} for {share:.0%} of the users."
    console.print(Text(text, style="bold"), soft_wrap=True)
    if placed is not None:
        console.print(Text(f"Servers find it in {placed}."), soft_wrap=True)


@models_app.command("pin")
def pin_version(version: Name, output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Make a version champion, and keep it against the pushes of later runs.

    What passes the gate meanwhile becomes challenger. `reelflow models promote` and `rollback` stay
    possible, by hand.
    """
    from reelflow.registry.pins import pin

    models, layout = _models(output, registry)
    with _pushing(layout):
        change = models.promote(version)
        pin(models.registry, change.version.number)
    _print_change(models, change)
    text = f"Version {change.version.number} is pinned: `reelflow models unpin` lets runs push."
    console.print(Text(text), soft_wrap=True)


@models_app.command("unpin")
def unpin_version(output: Output = DEFAULT_OUTPUT, registry: Registry = None) -> None:
    """Let runs push again what passes the gate."""
    from reelflow.registry.pins import pin, pinned

    models, layout = _models(output, registry)
    with _pushing(layout):
        number = pinned(models.registry)
        if number is not None:
            pin(models.registry, None)
    text = (
        "No version is pinned." if number is None else f"Version {number} is not pinned any more."
    )
    console.print(Text(text), soft_wrap=True)


@models_app.command()
def diff(
    a: Annotated[str, typer.Argument(help="A version's number, or an alias.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Another one.", metavar="B")],
    output: Output = DEFAULT_OUTPUT,
    registry: Registry = None,
) -> None:
    """Compare two versions: metrics, configuration, data, code."""
    from pipeline.runs.difference import compare_versions

    models, _ = _models(output, registry)
    first, second = models.find(a), models.find(b)
    console.print(
        Text(f"A is version {first.number}, B is version {second.number}", style="bold"),
        soft_wrap=True,
    )
    print_blocks(compare_versions(models.registry, first, second))


@contextmanager
def _pushing(layout: Layout) -> Iterator[None]:
    """Hold the lock of pushes, which no run holds but for the seconds of its own push."""
    from pipeline.runs.promotion import push_lock

    try:
        layout.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{layout.output}: {error.strerror}.", "Choose another --output.") from None
    with push_lock(layout):
        yield


def _models(output: Path, registry: str | None) -> tuple[Models, Layout]:
    from reelflow.registry.models import Models

    layout = Layout.of(output)
    return Models.of(layout, registry), layout


def _table(versions: list[dict[str, Any]], served: tuple[int, str] | None) -> Table:
    table = new_table(collapse_padding=True)
    # What other commands take must never be cut, however narrow the terminal is.
    longest = max((len(str(version["version"])) for version in versions), default=0)
    table.add_column("Version", justify="right", no_wrap=True, min_width=max(longest, 7))
    table.add_column("Alias")
    table.add_column("Registered", no_wrap=True)
    for name in ("Ratings", "Top-100", "Liked", "RMSE"):
        table.add_column(name, justify="right", no_wrap=True)
    number_served = str(served[0]) if served else ""
    table.add_column("Served as", justify="right", no_wrap=True, min_width=len(number_served))
    for version in versions:
        names, rows = version["aliases"], version["train_rows"]
        words = [*names, *(["refused"] if version["blessed"] is False else [])]
        words += ["pinned"] if version["pinned"] else []
        colour = next((_COLOURS[name] for name in names if name in _COLOURS), "")
        moment = datetime.fromisoformat(version["registered"]).astimezone()
        table.add_row(
            str(version["version"]),
            Text(", ".join(words), style=colour),
            moment.strftime("%Y-%m-%d"),
            "–" if rows is None else f"{rows:,}",
            percentage(version["metrics"].get(_TOP_100)),
            percentage(version["metrics"].get(_LIKED_100)),
            number(version["metrics"].get(_RMSE)),
            number_served if served and served[1] == version["model_hash"] else "",
        )
    return table


def _as_json(
    models: Models, version: Version, aliases: Mapping[str, int], pinned: int | None
) -> dict[str, Any]:
    from reelflow.registry.store import DATA_HASH, GIT

    facts = models.registry.facts(version)
    return {
        "version": version.number,
        "aliases": sorted(alias for alias, n in aliases.items() if n == version.number),
        "pinned": version.number == pinned,
        "registered": datetime.fromtimestamp(version.created / 1000, timezone.utc).isoformat(
            timespec="seconds"
        ),
        "blessed": version.blessed,
        "reasons": version.reasons,
        "train_rows": version.train_rows,
        "model_hash": version.model_hash or None,
        "data_hash": version.tags.get(DATA_HASH),
        "git_commit": version.tags.get(GIT),
        "metrics": dict(facts.metrics),
        "params": dict(facts.params),
        "artifacts": facts.artifacts,
    }


def _print_change(models: Models, change: Promotion) -> None:
    version = change.version.number
    if change.before == version:
        text = f"Version {version} is the champion already."
    else:
        before = "" if change.before is None else f", before it was version {change.before}"
        text = f"Version {version} is champion{before}."
    console.print(Text(text, style="bold"), soft_wrap=True)
    for variant in change.ended:
        console.print(Text(f"Its trial as {variant} is over."), soft_wrap=True)
    if change.pushed is not None:
        console.print(Text(f"The serving folder serves it as {change.pushed}."), soft_wrap=True)
    elif not models.serves:
        text = f"{models.serving} is not there: only the registry was changed."
        console.print(Text(text), soft_wrap=True)

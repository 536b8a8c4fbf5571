"""`reelflow schedule`: train again by the clock, on this machine."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipeline.cli.app import DEFAULT_OUTPUT, Output, console
from pipeline.cli.config import ConfigFile, DataFolder, Dataset, Overrides, Preset, Span
from pipeline.schedule.clock import Every, Job, clock, job_name
from reelflow.base.common import format_duration
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from pipeline.schedule.history import Turn
    from pipeline.schedule.turn import Settings

schedule_app = typer.Typer(
    help="Train again by the clock, on this machine.", invoke_without_command=True
)

_COLOURS = {"pushed": "green", "refused": "yellow", "failed": "red"}


@dataclass(frozen=True)
class _Texts:
    """Choices of the options, which typer wants as text."""

    every: Every
    clock: Literal["systemd", "cron"] | None


@schedule_app.callback()
def schedule(
    context: typer.Context,
    config: ConfigFile = None,
    preset: Preset = None,
    data: DataFolder = None,
    dataset: Dataset = None,
    span: Span = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
    every: Annotated[
        str, typer.Option("--every", help="hour, day, week (on Sundays) or month (on the 1st).")
    ] = "day",
    at: Annotated[
        str, typer.Option("--at", help="Local time; of an hour the minutes.", metavar="HH:MM")
    ] = "03:00",
    with_clock: Annotated[
        str | None,
        typer.Option("--with", help="systemd or cron; by default what there is."),
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Install it, too.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what was installed.")] = False,
) -> None:
    """Print, or install, a timer that runs `reelflow run` on the newest data.

    A turn with nothing new trains nothing. Two turns never overlap, and whatever comes of one, the
    model that was pushed before serves on. `reelflow schedule status` shows the turns.
    """
    if context.invoked_subcommand is not None:
        return
    layout = Layout.of(output)
    chosen = _Texts(
        _one_of("--every", every, ("hour", "day", "week", "month")),
        None if with_clock is None else _one_of("--with", with_clock, ("systemd", "cron")),
    )
    if remove:
        _remove(layout, chosen)
        return
    settings = _latest(_settings(config, preset, data, dataset, span, overrides), layout)
    settings.effective(layout)  # what cannot run today is told today
    arguments = [*settings.arguments(), "--output", str(layout.output)]
    job = Job(
        output=layout.output,
        command=(str(Path(sys.executable).with_name("reelflow")), "schedule", "run", *arguments),
        folder=Path.cwd(),
        every=chosen.every,
        at=at,
    )
    found = clock(chosen.clock or (None if install else "systemd"))
    typer.echo(found.text(job), nl=False)
    if not install:
        if chosen.clock is None:
            typer.echo(f"\n# or as a line for cron:\n{clock('cron').text(job)}", nl=False)
        console.print("\nNothing is installed; --install does it.", style="dim")
        return
    console.print(f"\nInstalled: {found.install(job)}", soft_wrap=True)
    status_command = shlex.join(["reelflow", "schedule", "status", "--output", str(output)])
    console.print(f"What comes of it: {status_command}", soft_wrap=True)


@schedule_app.command("run")
def turn(
    config: ConfigFile = None,
    preset: Preset = None,
    data: DataFolder = None,
    dataset: Dataset = None,
    span: Span = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Take one turn now: run if there is something new, and note what came of it.

    Exit code: that of `reelflow run`, or 0 if there was nothing to do.
    """
    from pipeline.schedule.turn import take_turn

    settings = _settings(config, preset, data, dataset, span, overrides)
    taken = take_turn(Layout.of(output), settings)
    console.print(_sentence(taken), soft_wrap=True)
    code = taken.exit_code or 0
    raise typer.Exit(code if code >= 0 else 128 - code)


@schedule_app.command()
def status(
    output: Output = DEFAULT_OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what came of the scheduled turns, the newest first."""
    from pipeline.schedule.history import History
    from pipeline.schedule.turn import is_at_work

    layout = Layout.of(output)
    history = History(layout.output / "schedule")
    turns, current = history.turns()[::-1], history.current()
    at_work = is_at_work(layout)
    if as_json:
        facts: dict[str, Any] = {
            "at_work": at_work,
            "current": None if current is None else asdict(current),
            "turns": [asdict(turn) for turn in turns],
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    if current is not None:
        state = "at work" if at_work else "killed"
        console.print(f"A turn is {state} since {current.started}.", soft_wrap=True)
    if not turns:
        console.print(f"No scheduled turn has ended in {layout.output}.", soft_wrap=True)
        return
    console.print(_table(turns))


def _settings(
    config: str | None,
    preset: str | None,
    data: Path | None,
    dataset: str | None,
    span: str | None,
    overrides: list[str] | None,
) -> Settings:
    from pipeline.schedule.turn import Settings

    folder = None if data is None else str(data)
    return Settings(config, preset, folder, dataset, span, tuple(overrides or ()))


def _latest(settings: Settings, layout: Layout) -> Settings:
    """As given; of data that have spans, the latest."""
    from reelflow.base.errors import BadInput
    from reelflow.data.spans import LATEST

    if settings.span is not None:
        return settings
    latest = replace(settings, span=LATEST)
    try:
        latest.effective(layout)
    except BadInput:
        return settings  # a plain folder; or something else is wrong, and will be said
    return latest


def _remove(layout: Layout, chosen: _Texts) -> None:
    found = clock(chosen.clock).remove(job_name(layout.output))
    if found is None:
        console.print(f"Nothing is installed for {layout.output}.", soft_wrap=True)
    else:
        console.print(f"Removed: {found}", soft_wrap=True)


def _one_of(option: str, value: str, choices: tuple[Any, ...]) -> Any:
    from reelflow.base.errors import BadInput

    if value not in choices:
        raise BadInput(f"{option} {value}: not one of these.", f"There are {', '.join(choices)}.")
    return value


def _sentence(turn: Turn) -> Text:
    words = [turn.state, turn.message, f"log: {turn.log}" if turn.log else ""]
    return Text(f"{turn.started}  {'  '.join(word for word in words if word)}")


def _table(turns: list[Turn]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("Started", "State", "Span", "Code", "Time", "Run, or why not"):
        table.add_column(name, justify="right" if name in ("Code", "Time") else "left")
    for turn in turns:
        table.add_row(
            turn.started,
            Text(turn.state, style=_COLOURS.get(turn.state, "dim")),
            turn.span or "–",
            "–" if turn.exit_code is None else str(turn.exit_code),
            format_duration(turn.seconds) if turn.seconds else "–",
            Text(turn.message or turn.run_id or turn.log or ""),
        )
    return table

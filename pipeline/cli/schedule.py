"""`reelflow schedule`: runs on the newest data, by a timer of this machine."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli.options import (
    DEFAULT_OUTPUT,
    AsJson,
    ConfigFile,
    DataFolder,
    Dataset,
    Output,
    Overrides,
    Preset,
    Span,
)
from pipeline.cli.output import console, new_table, print_json
from pipeline.schedule.clock import Every, Job, Kind, clock, job_name
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from pipeline.schedule.history import Turn
    from pipeline.schedule.turn import Settings

schedule_app = typer.Typer(
    help="Train again by the clock, on this machine.", invoke_without_command=True
)

_COLOURS = {"pushed": "green", "refused": "yellow", "failed": "red"}


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
        typer.Option("--with", help="systemd or cron; by default the one of this machine."),
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Install it, too.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what was installed.")] = False,
) -> None:
    """Print, or install, a timer that runs `reelflow run` on the newest data.

    A turn without new data trains nothing. Two turns never overlap, and the model that was pushed
    before serves on whatever their results. `reelflow schedule status` shows the turns.
    """
    if context.invoked_subcommand is not None:
        return
    layout = Layout.of(output)
    period: Every = _one_of("--every", every, ("hour", "day", "week", "month"))
    kind: Kind | None = _one_of("--with", with_clock, ("systemd", "cron", None))
    if remove:
        _remove(layout, kind)
        return
    settings = _latest(_settings(config, preset, data, dataset, span, overrides), layout)
    settings.effective(layout)  # fails now rather than at the first turn
    arguments = [*settings.arguments(), "--output", str(layout.output)]
    job = Job(
        output=layout.output,
        command=(str(Path(sys.executable).with_name("reelflow")), "schedule", "run", *arguments),
        folder=Path.cwd(),
        every=period,
        at=at,
    )
    timer = clock(kind or (None if install else "systemd"))
    typer.echo(timer.text(job), nl=False)
    if not install:
        if kind is None:
            typer.echo(f"\n# or as a line for cron:\n{clock('cron').text(job)}", nl=False)
        console.print("\nNothing is installed; --install does it.", style="dim")
        return
    console.print(f"\nInstalled: {timer.install(job)}", soft_wrap=True)
    status_command = shlex.join(["reelflow", "schedule", "status", "--output", str(output)])
    console.print(f"Results: {status_command}", soft_wrap=True)


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
    """Take one turn now: run if there are new data, and note the result.

    Exit code: that of `reelflow run`, or 0 if there was nothing to do.
    """
    from pipeline.schedule.turn import take_turn

    settings = _settings(config, preset, data, dataset, span, overrides)
    result = take_turn(Layout.of(output), settings)
    console.print(_line(result), soft_wrap=True)
    code = result.exit_code or 0
    raise typer.Exit(code if code >= 0 else 128 - code)


@schedule_app.command()
def status(
    output: Output = DEFAULT_OUTPUT,
    as_json: AsJson = False,
) -> None:
    """Show the results of the scheduled turns, the newest first."""
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
        print_json(facts)
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
    """Return the settings, with the latest span where the data have spans and none is named."""
    from reelflow.data.spans import LATEST

    if settings.span is not None:
        return settings
    latest = replace(settings, span=LATEST)
    try:
        latest.effective(layout)
    except BadInput:
        return settings  # a folder without spans, or a mistake that the caller finds
    return latest


def _remove(layout: Layout, kind: Kind | None) -> None:
    place = clock(kind).remove(job_name(layout.output))
    if place is None:
        console.print(f"Nothing is installed for {layout.output}.", soft_wrap=True)
    else:
        console.print(f"Removed: {place}", soft_wrap=True)


def _one_of(option: str, value: str | None, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        names = ", ".join(filter(None, choices))
        raise BadInput(f"{option} {value}: not one of these.", f"There are {names}.")
    return value


def _line(turn: Turn) -> Text:
    words = [turn.state, turn.message, f"log: {turn.log}" if turn.log else ""]
    return Text(f"{turn.started}  {'  '.join(word for word in words if word)}")


def _table(turns: list[Turn]) -> Table:
    table = new_table()
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

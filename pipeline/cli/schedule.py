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

from pipeline.cli import options
from pipeline.cli.output import console, new_table, print_json
from pipeline.schedule.clock import Every, Job, Kind, clock, job_name
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from pipeline.schedule.turn import Settings, Turn

schedule_app = typer.Typer(
    help="Train again by the clock, on this machine.", invoke_without_command=True
)

_COLOURS = {"pushed": "green", "refused": "yellow", "failed": "red"}


@schedule_app.callback()
def schedule(
    context: typer.Context,
    config: options.ConfigFile = None,
    preset: options.Preset = None,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    span: options.Span = None,
    overrides: options.Overrides = None,
    output: options.Output = options.DEFAULT_OUTPUT,
    every: Annotated[
        str, typer.Option(help="hour, day, week (on Sundays) or month (on the 1st).")
    ] = "day",
    at: Annotated[
        str, typer.Option(help="Local time; of an hour the minutes.", metavar="HH:MM")
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
        place = clock(kind).remove(job_name(layout.output))
        done = f"Removed: {place}" if place else f"Nothing is installed for {layout.output}."
        console.print(done, soft_wrap=True)
        return
    settings = _latest(_settings(config, preset, data, dataset, span, overrides), layout)
    settings.effective(layout)  # fails now rather than at the first turn
    arguments = [*settings.arguments(), "--output", str(layout.output)]
    program = str(Path(sys.executable).with_name("reelflow"))
    job = Job(layout.output, (program, "schedule", "run", *arguments), Path.cwd(), period, at)
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
    config: options.ConfigFile = None,
    preset: options.Preset = None,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    span: options.Span = None,
    overrides: options.Overrides = None,
    output: options.Output = options.DEFAULT_OUTPUT,
) -> None:
    """Take one turn now: run if there are new data, and note the result.

    Exit code: that of `reelflow run`, or 0 if there was nothing to do.
    """
    from pipeline.schedule.turn import take_turn

    settings = _settings(config, preset, data, dataset, span, overrides)
    result = take_turn(Layout.of(output), settings)
    words = [result.state, result.message, f"log: {result.log}" if result.log else ""]
    line = Text(f"{result.started}  {'  '.join(word for word in words if word)}")
    console.print(line, soft_wrap=True)
    code = result.exit_code or 0
    raise typer.Exit(code if code >= 0 else 128 - code)


@schedule_app.command()
def status(
    output: options.Output = options.DEFAULT_OUTPUT, as_json: options.AsJson = False
) -> None:
    """Show the results of the scheduled turns, the newest first."""
    from pipeline.schedule.turn import History

    layout = Layout.of(output)
    history = History(layout)
    turns, current, at_work = history.turns()[::-1], history.current(), history.at_work
    if as_json:
        facts = {"at_work": at_work, "current": asdict(current) if current else None}
        print_json({**facts, "turns": [asdict(turn) for turn in turns]})
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

    folder = str(data) if data else None
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


def _one_of(option: str, value: str | None, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        names = ", ".join(filter(None, choices))
        raise BadInput(f"{option} {value}: not one of these.", f"There are {names}.")
    return value


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

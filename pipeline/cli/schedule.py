"""`reelflow schedule`: runs on the newest data, by a timer of this machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli import options
from pipeline.cli.output import console, errors, new_table, print_json
from pipeline.schedule.clock import Every, Job, Kind, clock, job_name
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.registry.store import TRACKING_URI, shown

if TYPE_CHECKING:
    from pipeline.schedule.history import Turn
    from pipeline.schedule.turn import Settings
    from reelflow.config import Config

schedule_app = typer.Typer(
    help="Train again by the clock, on this machine.", invoke_without_command=True
)

TimeLimit = Annotated[
    str | None,
    typer.Option(
        help="Longest time of a run, as 90m or 6h; then it is ended. By default half the period, "
        "for `schedule run` any time.",
        metavar="TIME",
    ),
]
OnFailure = Annotated[
    str | None,
    typer.Option(
        help="Command for the shell, called after a turn that failed, that leaves nothing served, "
        "or that is the third skipped in a row; the turn is JSON on its stdin.",
        metavar="COMMAND",
    ),
]
Webhook = Annotated[
    str | None, typer.Option(help="Address that gets every turn as JSON, by POST.", metavar="URL")
]

_PERIOD_HOURS = {"hour": 1, "day": 24, "week": 168, "month": 672}
_COLOURS = {"pushed": "green", "waiting": "yellow", "refused": "yellow", "failed": "red"}


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
    time_limit: TimeLimit = None,
    on_failure: OnFailure = None,
    webhook: Webhook = None,
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
    settings = _with_registry(settings, settings.effective(layout))  # fails now, not at a turn
    limit = time_limit or f"{_PERIOD_HOURS[period] * 30}m"
    _seconds(limit)
    notices = {"--time-limit": limit, "--on-failure": on_failure, "--webhook": webhook}
    told = [word for name, value in notices.items() if value for word in (name, value)]
    arguments = [*settings.arguments(), "--output", str(layout.output), *told]
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
    time_limit: TimeLimit = None,
    on_failure: OnFailure = None,
    webhook: Webhook = None,
) -> None:
    """Take one turn now: run if there are new data, and note the result.

    Exit code: that of `reelflow run`; without a run 0, or 1 if nothing is served or three turns in
    a row were skipped.
    """
    from pipeline.schedule.notices import Notices
    from pipeline.schedule.turn import take_turn

    settings = _settings(config, preset, data, dataset, span, overrides)
    limit = None if time_limit is None else _seconds(time_limit)
    result = take_turn(Layout.of(output), settings, limit=limit)
    notices = Notices(on_failure, webhook)
    why = notices.attention(result)
    words = [result.state, result.message, f"log: {result.log}" if result.log else ""]
    if why is not None and why != result.message:
        words.append(why)
    line = Text(f"{result.started}  {'  '.join(word for word in words if word)}")
    console.print(line, soft_wrap=True)
    for trouble in notices.tell(result):
        errors.print(Text(trouble), soft_wrap=True)
    code = result.code or (0 if why is None else 1)
    raise typer.Exit(code if code >= 0 else 128 - code)


@schedule_app.command()
def status(
    output: options.Output = options.DEFAULT_OUTPUT,
    as_json: options.AsJson = False,
    max_age: Annotated[
        str | None,
        typer.Option(help="Longest time since a turn without trouble, as 36h.", metavar="TIME"),
    ] = None,
) -> None:
    """Show the results of the scheduled turns, the newest first.

    Exit code, for monitoring: 0, or 1 if the newest turn asks for attention (it failed, nothing is
    served, turns were skipped), was killed, or is older than --max-age.
    """
    from pipeline.schedule.history import History

    layout = Layout.of(output)
    history = History(layout)
    turns, current, at_work = history.turns()[::-1], history.current(), history.at_work
    limit = None if max_age is None else _seconds(max_age)
    why = _attention(turns, killed=current is not None and not at_work, limit=limit)
    if as_json:
        facts = {"at_work": at_work, "current": asdict(current) if current else None}
        print_json({**facts, "attention": why, "turns": [asdict(turn) for turn in turns]})
        raise typer.Exit(0 if why is None else 1)
    if current is not None:
        state = "at work" if at_work else "killed"
        console.print(f"A turn is {state} since {current.started}.", soft_wrap=True)
    if not turns:
        console.print(f"No scheduled turn has ended in {layout.output}.", soft_wrap=True)
        return
    console.print(_table(turns))
    if why is not None:
        console.print(Text(why, style="red"), soft_wrap=True)
        raise typer.Exit(1)


def _attention(turns: list[Turn], killed: bool, limit: float | None) -> str | None:
    """Return why the schedule asks for attention, given its turns, the newest first."""
    from pipeline.schedule.notices import Notices

    if killed:
        return "The last turn was killed before it ended."
    if turns and (why := Notices().attention(turns[0])) is not None:
        return why
    if limit is None:
        return None
    good = next((t for t in turns if Notices().attention(t) is None and t.state != "skipped"), None)
    if good is None:
        return "No turn has ended well yet."
    age = datetime.now(timezone.utc) - datetime.fromisoformat(good.started)
    if age.total_seconds() <= limit:
        return None
    return f"The last turn without trouble began {format_duration(age.total_seconds())} ago."


def _seconds(text: str) -> float:
    """Return a time such as `90m`, `6h` or `2d` in seconds.

    Raises:
        BadInput: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if match is None or float(match[1]) == 0:
        raise BadInput(f"{text} is not a length of time.", "Give it as 90m, 6h or 2d.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


def _with_registry(settings: Settings, config: Config) -> Settings:
    """Return the settings with the registry that the environment names, which a timer lacks.

    Raises:
        BadInput: its address holds a password, which must not stand in a timer's text.
    """
    uri = os.environ.get(TRACKING_URI)
    if uri is None or config.registry.uri is not None:
        return settings
    if shown(uri) != uri:
        raise BadInput(
            f"{TRACKING_URI} holds a password, which must not stand in a timer's text.",
            "Set registry.uri in a configuration file that only you can read, and name it with "
            "--config.",
        )
    return replace(settings, overrides=(*settings.overrides, f"registry.uri={json.dumps(uri)}"))


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

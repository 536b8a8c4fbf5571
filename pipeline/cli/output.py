"""Output of all sub-commands: consoles, errors, tables, JSON, and the progress of a run.

A run that goes on is a live table on a terminal, plain lines in a log.
"""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from reelflow.base.common import format_duration, notices_to
from reelflow.base.errors import ReelflowError
from reelflow.base.untrusted import printable, printable_json

if TYPE_CHECKING:  # importing the launcher would import TFX
    from pipeline.runs.launcher import NodeFinished, NodeStarted

METRICS_LEGEND = (
    "[dim]Top-100 accuracy with movies already rated left out; Liked: the same of likes;\n"
    "RMSE in stars.[/]"
)
_CHANGE_COLOURS = {"better": "green", "worse": "red"}
_MARKS = {
    "waiting": Text("·", style="dim"),
    "done": Text("✓", style="green"),
    "cached": Text("✓", style="cyan"),
    "failed": Text("✗", style="bold red"),
}


class PrintableConsole(Console):
    """A console that colours, and draws, but obeys nothing that a title or an id holds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield rich's own controls as they are, and segments of text without any."""
        for segment in super().render(renderable, options):
            if segment.control is None:
                segment = segment._replace(text=printable(segment.text))
            yield segment


console = PrintableConsole()
errors = PrintableConsole(stderr=True)


def is_watched(console: Console) -> bool:
    """Return True on a real terminal; `FORCE_COLOR`, as notebooks set it, makes none."""
    return console.is_terminal and console.file.isatty()


def print_error(error: ReelflowError) -> None:
    """Print message and remedy on stderr."""
    errors.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.remedy:
        errors.print(Text(error.remedy, style="cyan"), soft_wrap=True)


def print_json(content: Any) -> None:
    """Print one JSON value on stdout."""
    typer.echo(printable_json(json.dumps(content, indent=2, ensure_ascii=False)))


def labelled(label: str, value: str | Text, width: int = 12) -> Text:
    """Return a line with a label in bold, and the value in line with its neighbours."""
    return Text.assemble((f"{label:<{width}}", "bold"), value)


def print_labelled(console: Console, line: Text, width: int = 12) -> None:
    """Print a line of `labelled`: whole in a file, on a terminal broken below its own beginning."""
    if is_watched(console) and len(line.plain) > console.width:
        room = max(console.width - width, 20)
        # Paths stay whole, to be copied.
        parts = textwrap.wrap(
            line.plain[width:], room, break_long_words=False, break_on_hyphens=False
        )
        text = f"\n{'':{width}}".join(parts)
        line = Text.assemble((line.plain[:width], "bold"), (text, line.style))
    console.print(line, soft_wrap=True)


def new_table(**options: Any) -> Table:
    """Return a table without borders; `options` are rich's."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", **options)


def percentage(share: float | None) -> str:
    """Return `12.3 %`, or a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Return a number with four decimals, or a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def print_blocks(content: Sequence[object]) -> None:
    """Print the tables and paragraphs among a page's blocks, except tables that it folds."""
    from reelflow.report import blocks, render

    for block in content:
        if isinstance(block, blocks.Text):
            console.print(Text(block.text), soft_wrap=True)
        elif isinstance(block, blocks.Table) and not block.folded:
            table = new_table(title=block.caption, title_justify="left", title_style="bold")
            for i, name in enumerate(block.header):
                right = i > 0 and all(render.is_number(row[i]) for row in block.rows)
                table.add_column(name, justify="right" if right else "left", overflow="fold")
            for row in block.rows:
                colours = [_CHANGE_COLOURS.get(str(cell), "") for cell in row]
                table.add_row(*map(Text, map(render.shown, row), colours))
            console.print(table)


class PlainProgress:
    """One line for each node, without control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = self._total = 0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def starting(self, what: str) -> None:
        """Print what is done before the first node begins."""
        self._print(f"{what} ...")

    def nodes(self, ids: Sequence[str]) -> None:
        """Set the nodes to come, in order."""
        self._total = len(ids)

    def started(self, node: str) -> None:
        """Count the node; its line is printed when it has ended."""
        self._count += 1

    def noted(self, text: str) -> None:
        """Print a notice of the running node in a line of its own."""
        self._print(f"{'':{2 * len(str(self._total)) + 4}}{text}")

    def finished(self, event: NodeFinished) -> None:
        """Print name, state, time and rows."""
        rows = "" if event.rows is None else f", {event.rows:,} rows"
        number = f"{self._count:>{len(str(self._total))}}/{self._total}"
        spent = format_duration(event.seconds)
        self._print(f"[{number}] {event.node:<22} {event.state:<6} {spent:>12}{rows}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
        self._console.file.flush()  # a CI log is read while it grows


@dataclass
class _Row:
    state: str = "waiting"
    since: float = 0.0
    seconds: float | None = None
    rows: int | None = None
    note: str = ""


class LiveProgress:
    """Table that is redrawn in place, with the running node's clock."""

    def __init__(self, console: Console) -> None:
        self._rows: dict[str, _Row] = {}
        self._notice: str | None = None
        self._spinner = Spinner("dots", style="yellow")
        self._live = Live(
            get_renderable=self._table,
            console=console,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._notice = None
        for row in self._rows.values():
            if row.state == "running":
                row.state, row.seconds = "failed", time.monotonic() - row.since
        self._live.refresh()
        self._live.stop()

    def starting(self, what: str) -> None:
        """Show a line with a spinner until the nodes are known."""
        self._notice = what

    def nodes(self, ids: Sequence[str]) -> None:
        """Draw a line for every node to come, in order."""
        self._notice = None
        self._rows = {node: _Row() for node in ids}

    def started(self, node: str) -> None:
        """Start the node's clock."""
        self._rows[node] = _Row("running", time.monotonic())

    def noted(self, text: str) -> None:
        """Show the latest notice beside the running node's clock."""
        for row in self._rows.values():
            if row.state == "running":
                row.note = text

    def finished(self, event: NodeFinished) -> None:
        """Show state, time and rows of the node."""
        note = self._rows[event.node].note
        self._rows[event.node] = _Row(event.state, 0.0, event.seconds, event.rows, note)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(min_width=22)
        table.add_column(min_width=8)
        table.add_column(justify="right", min_width=10)
        table.add_column(justify="right")
        if self._notice:
            table.add_row(self._spinner, Text(self._notice, style="dim"))
        for node, row in self._rows.items():
            running = row.state == "running"
            seconds = time.monotonic() - row.since if running else row.seconds
            dim = "dim" if row.state == "waiting" else "bold" if running else ""
            table.add_row(
                self._spinner if running else _MARKS[row.state],
                Text(node, style=dim),
                Text(row.state, style="red" if row.state == "failed" else "dim"),
                "" if seconds is None else format_duration(seconds),
                row.note if row.rows is None else f"{row.rows:,} rows",
            )
        return table


Progress: TypeAlias = PlainProgress | LiveProgress
"""Display of the nodes of a run and their states."""


def progress_on(console: Console) -> Progress:
    """Return the live display for a terminal, the plain one for a file."""
    return LiveProgress(console) if is_watched(console) else PlainProgress(console)


def show_events(progress: Progress, events: Iterable[NodeStarted | NodeFinished]) -> None:
    """Show the events of a run, and the notices of its nodes. Imports TFX.

    Raises:
        ReelflowError: raised by a node; any other failure of a node comes as `StepFailed`.
    """
    from pipeline.runs.launcher import NodeStarted
    from pipeline.runs.process import as_reelflow_error

    node = "The start"
    try:
        with notices_to(progress.noted):
            for event in events:
                node = event.node
                if isinstance(event, NodeStarted):
                    progress.started(node)
                else:
                    progress.finished(event)
    except Exception as failure:
        raise as_reelflow_error(failure, node) from failure

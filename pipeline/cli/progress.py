"""Shows a run while it goes on: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from reelflow.base.common import format_duration

if TYPE_CHECKING:  # importing the launcher would import TFX
    from pipeline.runs.launcher import NodeFinished

_MARKS = {
    "waiting": Text("·", style="dim"),
    "done": Text("✓", style="green"),
    "cached": Text("✓", style="cyan"),
    "failed": Text("✗", style="bold red"),
}


class Progress(Protocol):
    """What `reelflow run` tells while it runs."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *details: object) -> None: ...

    def starting(self, what: str) -> None:
        """Something before the first node takes its time."""

    def nodes(self, ids: Sequence[str]) -> None:
        """The nodes to come, in order."""

    def started(self, node: str) -> None:
        """A node begins."""

    def noted(self, text: str) -> None:
        """What the running node has to say while it works."""

    def finished(self, event: NodeFinished) -> None:
        """A node has ended."""


def progress_on(console: Console) -> Progress:
    """The display that suits the console."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)


class PlainProgress:
    """One line a node, without control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = self._total = 0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def starting(self, what: str) -> None:
        """Say it."""
        self._print(f"{what} ...")

    def nodes(self, ids: Sequence[str]) -> None:
        """Note how many there are."""
        self._total = len(ids)

    def started(self, node: str) -> None:
        """Counts; the line comes when the node has ended."""
        self._count += 1

    def noted(self, text: str) -> None:
        """A line of its own."""
        self._print(f"{'':{2 * len(str(self._total)) + 4}}{text}")

    def finished(self, event: NodeFinished) -> None:
        """Name, state, time and rows."""
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
    """A table that is redrawn in place; the running node's clock ticks."""

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
        """A line with a spinner until the nodes are known."""
        self._notice = what

    def nodes(self, ids: Sequence[str]) -> None:
        """Draw a line for every node."""
        self._notice = None
        self._rows = {node: _Row() for node in ids}

    def started(self, node: str) -> None:
        """Start the node's clock."""
        self._rows[node] = _Row("running", time.monotonic())

    def noted(self, text: str) -> None:
        """Show the latest beside the running node's clock."""
        for row in self._rows.values():
            if row.state == "running":
                row.note = text

    def finished(self, event: NodeFinished) -> None:
        """Show what the node came to."""
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

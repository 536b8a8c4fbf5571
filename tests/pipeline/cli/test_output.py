"""Progress is a live table on a terminal and plain lines elsewhere."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from pipeline.cli.output import (
    LiveProgress,
    PlainProgress,
    PrintableConsole,
    labelled,
    new_table,
    print_labelled,
    progress_on,
)


def _finished(node: str, state: str, rows: int | None = None) -> Any:
    return SimpleNamespace(node=node, state=state, seconds=1.0, rows=rows)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _console(terminal: bool) -> tuple[Console, io.StringIO]:
    out = _Terminal() if terminal else io.StringIO()
    return Console(file=out, force_terminal=terminal, width=100), out


def test_notes_of_the_running_node() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    plain = progress_on(console)
    plain.nodes(["Tuner", "Trainer"])
    plain.started("Tuner")
    plain.noted("trial 1 of 8: 0.5000")
    assert console.file.getvalue() == "      trial 1 of 8: 0.5000\n"


def test_colours_by_force_are_no_terminal() -> None:
    assert isinstance(progress_on(Console(file=io.StringIO(), force_terminal=True)), PlainProgress)


def test_plain_lines() -> None:
    console, out = _console(terminal=False)
    with progress_on(console) as progress:
        assert isinstance(progress, PlainProgress)
        progress.starting("Starting")
        progress.nodes(["A", "B"])
        progress.started("A")
        progress.finished(_finished("A", "done", 1234))
        progress.started("B")
        progress.finished(_finished("B", "cached"))
    lines = out.getvalue().splitlines()
    assert lines[0] == "Starting ..."
    assert lines[1].split() == ["[1/2]", "A", "done", "1.0", "s,", "1,234", "rows"]
    assert lines[2].split() == ["[2/2]", "B", "cached", "1.0", "s"]


def test_a_live_table() -> None:
    console, out = _console(terminal=True)
    with progress_on(console) as progress:
        assert isinstance(progress, LiveProgress)
        progress.starting("Starting")
        progress.nodes(["A", "B", "C"])
        progress.started("A")
        progress.finished(_finished("A", "done", 1234))
        progress.started("B")
    last = out.getvalue().rpartition("\x1b[2K")[2]
    assert "1,234 rows" in out.getvalue()
    assert "waiting" in last
    # What was at work when the display ended did not finish.
    assert "running" not in last


def test_long_lines_hang_below_their_beginning_on_a_terminal() -> None:
    words = " ".join(["word"] * 20) + " /a/path/that/is-longer/than/the/terminal/is/wide/itself"
    shown = {}
    for terminal in (True, False):
        out = _Terminal() if terminal else io.StringIO()
        console = Console(file=out, width=40, force_terminal=terminal, color_system=None)
        print_labelled(console, labelled("Gate", words))
        shown[terminal] = out.getvalue().splitlines()
    assert shown[False] == [f"{'Gate':<12}{words}"]
    first, *others, last = shown[True]
    assert first.startswith("Gate        word")
    assert {line[:12] for line in (*others, last)} == {" " * 12}
    assert max(map(len, [first, *others])) <= 40
    assert last.strip() == words.split()[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_text_says_is_shown_and_not_obeyed(terminal: bool) -> None:
    hostile = "user\x1b]0;owned\x07\x1b[2J\x9b31m\u202eid"
    out = io.StringIO()
    console = PrintableConsole(file=out, force_terminal=terminal, width=60)
    table = new_table()
    table.add_column(hostile)
    table.add_row(Text(hostile, style="red"))
    console.print(table)
    console.print(labelled(hostile, hostile))
    console.print(hostile, markup=False, soft_wrap=True)
    text = out.getvalue()
    assert text.count("owned[2J31mid") == 5
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert ("\x1b[" in text) is terminal  # colours are ours

"""Output of all sub-commands: consoles, errors, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelflow.base.errors import ReelflowError

METRICS_LEGEND = "[dim]Top-100 accuracy with movies already rated left out; RMSE in stars.[/]"
_CHANGE_COLOURS = {"better": "green", "worse": "red"}

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_error(error: ReelflowError) -> None:
    """Print message and remedy on stderr."""
    errors.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.remedy:
        errors.print(Text(error.remedy, style="cyan"), soft_wrap=True)


def print_json(content: Any) -> None:
    """Print one JSON value on stdout."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def labelled(label: str, value: str | Text, width: int = 12) -> Text:
    """Return a line with a label in bold, and the value in line with its neighbours."""
    return Text.assemble((f"{label:<{width}}", "bold"), value)


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
    from reelflow.report import blocks

    for block in content:
        if isinstance(block, blocks.Table) and not block.folded:
            console.print(_block_table(block))
        elif isinstance(block, blocks.Text):
            console.print(Text(block.text), soft_wrap=True)


def _block_table(block: Any) -> Table:
    from reelflow.report import render

    table = new_table(title=block.caption, title_justify="left", title_style="bold")
    for i, name in enumerate(block.header):
        right = i > 0 and all(render.is_number(row[i]) for row in block.rows)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in block.rows:
        table.add_row(
            *(Text(render.shown(cell), style=_CHANGE_COLOURS.get(str(cell), "")) for cell in row)
        )
    return table

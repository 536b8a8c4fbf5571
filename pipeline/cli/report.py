"""`reelflow report`: the page of a run, or two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import DEFAULT_OUTPUT, Output, console
from pipeline.layout import Layout
from pipeline.runs import LATEST, Run, find_run
from ratings.errors import BadInput

if TYPE_CHECKING:
    from components.report import blocks


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="A run's name or its beginning; latest by default. Two are compared.",
            metavar="[RUN] [RUN]",
            show_default=False,
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Print where a run's report is, or compare two runs.

    Two runs are compared on the terminal and on a page in OUTPUT/compare.
    """
    layout = Layout.of(output)
    wanted = names or [LATEST]
    if len(wanted) > 2:
        raise BadInput(f"{len(wanted)} runs are too many.", "Name one run, or two to compare.")
    found = [find_run(layout, name) for name in wanted]
    page = _compare(layout, *found) if len(found) == 2 else _of_run(found[0])
    typer.echo(page)
    if open_it:
        _open(page)


def _of_run(run: Run) -> Path:
    """The page that the run left.

    Raises:
        BadInput: it left none.
    """
    if run.folder.report.is_file():
        return run.folder.report
    why = run.summary.get("error") or "it has not come to an end, or was made before reports were"
    raise BadInput(
        f"Run {run.run_id} has no report: {why}", f"Its log is {run.folder.log}. Run it again."
    )


def _compare(layout: Layout, a: Run, b: Run) -> Path:
    """Shows the differences, slices on the page alone, and writes the page."""
    from components.report import render
    from pipeline.difference import page

    content = page(a, b)
    console.print(Text(content.subtitle, style="bold"), soft_wrap=True)
    console.print(Text(content.verdict), soft_wrap=True)
    show([block for section in content.sections for block in section.blocks])
    file = layout.difference(a.run_id, b.run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render.page(content), encoding="utf-8")
    return file


def show(content: Sequence[object]) -> None:
    """Prints the tables and paragraphs among a page's blocks, without what a page folds away."""
    from components.report import blocks

    for block in content:
        if isinstance(block, blocks.Table) and not block.folded:
            console.print(_table(block))
        elif isinstance(block, blocks.Text):
            console.print(Text(block.text), soft_wrap=True)


def _table(block: blocks.Table) -> Table:
    from components.report import render

    table = Table(
        title=block.caption, title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
        header_style="bold", title_style="bold",
    )  # fmt: skip
    for i, name in enumerate(block.header):
        right = i > 0 and all(render.is_number(row[i]) for row in block.rows)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in block.rows:
        table.add_row(
            *(Text(render.shown(cell), style=_COLOURS.get(str(cell), "")) for cell in row)
        )
    return table


_COLOURS = {"better": "green", "worse": "red"}


def _open(page: Path) -> None:
    """Raises BadInput where there is no browser."""
    import webbrowser

    if not webbrowser.open(page.as_uri()):
        raise BadInput("There is no browser here that could be opened.", f"Open {page} yourself.")

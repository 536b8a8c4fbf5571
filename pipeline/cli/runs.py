"""`reelflow runs`: what was run, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipeline.cli.app import DEFAULT_OUTPUT, Output, console
from pipeline.runs.history import LATEST, Run, find_run, list_runs
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from reelflow.report import blocks


TOP_100 = "unseen/top_100"
_COLOURS = {
    "pushed": "green",
    "waiting": "cyan",
    "refused": "yellow",
    "failed": "red",
    "unfinished": "dim",
}


def runs(
    output: Output = DEFAULT_OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the runs of an output folder, the newest first."""
    found = list_runs(Layout.of(output))
    if as_json:
        typer.echo(json.dumps([_facts(run) for run in found], indent=2))
    elif not found:
        console.print(f"There are no runs in {Layout.of(output).output}.", soft_wrap=True)
    else:
        console.print(_table(found))
        console.print("[dim]Top-100 accuracy with movies already rated left out; RMSE in stars.[/]")


def _table(found: list[Run]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    # A name begins with the time, and one that is cut off cannot be given to `reelflow report`.
    table.add_column("Run", no_wrap=True)
    table.add_column("Ratings")
    table.add_column("State", no_wrap=True)
    for name in ("Top-100", "RMSE", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in found:
        accuracy, error, spent = run.metric(TOP_100), run.metric("rmse"), run.seconds
        table.add_row(
            Text(run.run_id),
            Text(_data(run)),
            Text(run.state, style=_COLOURS[run.state]),
            "–" if accuracy is None else f"{100 * accuracy:.1f} %",
            "–" if error is None else f"{error:.4f}",
            "–" if spent is None else format_duration(spent),
        )
    return table


def _data(run: Run) -> str:
    about = run.summary.get("data")
    if not about:
        return "–"
    span = about.get("span")
    return (
        f"{about['rows']:,}"
        + (" synthetic" if about["synthetic"] else "")
        + (f" to {span}" if span else "")
    )


def _facts(run: Run) -> dict[str, Any]:
    about = run.summary.get("data") or {}
    report = run.folder.report
    return {
        "run_id": run.run_id,
        "finished": run.finished.isoformat(timespec="seconds"),
        "state": run.state,
        "error": run.summary.get("error"),
        "rows": about.get("rows"),
        "format": about.get("format"),
        "spans": about.get("spans", []),
        "data_hash": run.summary.get("data_hash"),
        "config_hash": run.summary.get("config_hash"),
        "top_100_unseen": run.metric(TOP_100),
        "rmse": run.metric("rmse"),
        "seconds": run.seconds,
        "report": str(report) if report.is_file() else None,
    }


# `reelflow report`: the page of a run, or two runs side by side.


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
    """Show the differences, slices on the page alone, and writes the page."""
    from pipeline.runs.difference import page
    from reelflow.report import render

    content = page(a, b)
    console.print(Text(content.subtitle, style="bold"), soft_wrap=True)
    console.print(Text(content.verdict), soft_wrap=True)
    show([block for section in content.sections for block in section.blocks])
    file = layout.difference(a.run_id, b.run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render.page(content), encoding="utf-8")
    return file


def show(content: Sequence[object]) -> None:
    """Print the tables and paragraphs among a page's blocks, without what a page folds away."""
    from reelflow.report import blocks

    for block in content:
        if isinstance(block, blocks.Table) and not block.folded:
            console.print(_change_table(block))
        elif isinstance(block, blocks.Text):
            console.print(Text(block.text), soft_wrap=True)


def _change_table(block: blocks.Table) -> Table:
    from reelflow.report import render

    table = Table(
        title=block.caption, title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
        header_style="bold", title_style="bold",
    )  # fmt: skip
    for i, name in enumerate(block.header):
        right = i > 0 and all(render.is_number(row[i]) for row in block.rows)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in block.rows:
        table.add_row(
            *(Text(render.shown(cell), style=_CHANGE_COLOURS.get(str(cell), "")) for cell in row)
        )
    return table


_CHANGE_COLOURS = {"better": "green", "worse": "red"}


def _open(page: Path) -> None:
    """Raise BadInput where there is no browser."""
    import webbrowser

    if not webbrowser.open(page.as_uri()):
        raise BadInput("There is no browser here that could be opened.", f"Open {page} yourself.")

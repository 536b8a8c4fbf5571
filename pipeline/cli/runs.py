"""`reelflow runs` and `reelflow report`: the runs of an output folder, and their reports."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipeline.cli.options import DEFAULT_OUTPUT, AsJson, Output
from pipeline.cli.output import (
    METRICS_LEGEND,
    console,
    new_table,
    number,
    percentage,
    print_blocks,
    print_json,
)
from pipeline.runs.summary import LATEST, Run, find_run, list_runs
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout

TOP_100, LIKED_100 = "unseen/top_100", "liked/top_100"
_COLOURS = {
    "pushed": "green",
    "waiting": "cyan",
    "refused": "yellow",
    "failed": "red",
    "unfinished": "dim",
}


def runs(output: Output = DEFAULT_OUTPUT, as_json: AsJson = False) -> None:
    """List the runs of an output folder, the newest first."""
    layout = Layout.of(output)
    listed = list_runs(layout)
    if as_json:
        print_json([_as_json(run) for run in listed])
    elif not listed:
        console.print(f"There are no runs in {layout.output}.", soft_wrap=True)
    else:
        console.print(_table(listed))
        console.print(METRICS_LEGEND)


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
    """Print the path of a run's report, or compare two runs.

    Two runs are compared on the terminal and on a page in OUTPUT/compare.
    """
    layout = Layout.of(output)
    names = names or [LATEST]
    if len(names) > 2:
        raise BadInput(f"{len(names)} runs are too many.", "Name one run, or two to compare.")
    first, *others = (find_run(layout, name) for name in names)
    page = _compare(layout, first, others[0]) if others else first.folder.report
    if not page.is_file():
        why = first.error or "it has not come to an end, or was made before reports were"
        message = f"Run {first.run_id} has no report: {why}"
        raise BadInput(message, f"Its log is {first.folder.log}. Run it again.")
    typer.echo(page)
    if open_it and not webbrowser.open(page.as_uri()):
        message = "There is no browser here that could be opened."
        raise BadInput(message, f"Open {page} yourself.")


def _table(listed: list[Run]) -> Table:
    table = new_table(collapse_padding=True)
    # A name begins with the time, and one that is cut off cannot be given to `reelflow report`.
    longest = max((len(run.run_id) for run in listed), default=0)
    table.add_column("Run", no_wrap=True, min_width=longest)
    table.add_column("Ratings")
    table.add_column("State", no_wrap=True)
    for name in ("Top-100", "Liked", "RMSE", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in listed:
        table.add_row(
            Text(run.run_id),
            Text(_ratings(run)),
            Text(run.state, style=_COLOURS[run.state]),
            percentage(run.metric(TOP_100)),
            percentage(run.metric(LIKED_100)),
            number(run.metric("rmse")),
            "–" if run.seconds is None else format_duration(run.seconds),
        )
    return table


def _ratings(run: Run) -> str:
    data = run.summary.data if run.summary else None
    if data is None:
        return "–"
    synthetic = " synthetic" if data.synthetic else ""
    return f"{data.rows:,}{synthetic}" + (f" to {data.span}" if data.span else "")


def _as_json(run: Run) -> dict[str, Any]:
    summary, report = run.summary, run.folder.report
    data = summary.data if summary else None
    return {
        "run_id": run.run_id,
        "finished": run.finished.isoformat(timespec="seconds"),
        "state": run.state,
        "error": run.error,
        "rows": data.rows if data else None,
        "format": data.format if data else None,
        "spans": data.spans if data else [],
        "data_hash": summary.data_hash if summary else None,
        "config_hash": summary.config_hash if summary else None,
        "top_10_unseen": run.metric("unseen/top_10"),
        "top_100_unseen": run.metric(TOP_100),
        "top_10_liked": run.metric("liked/top_10"),
        "top_100_liked": run.metric(LIKED_100),
        "rmse": run.metric("rmse"),
        "seconds": run.seconds,
        "report": str(report) if report.is_file() else None,
    }


def _compare(layout: Layout, a: Run, b: Run) -> Path:
    """Print the differences between two runs, and write them and the slices to a page."""
    from pipeline.runs.difference import compare_runs
    from reelflow.report import render

    content = compare_runs(a, b)
    console.print(Text(content.subtitle, style="bold"), soft_wrap=True)
    console.print(Text(content.verdict), soft_wrap=True)
    print_blocks([block for section in content.sections for block in section.blocks])
    file = layout.difference(a.run_id, b.run_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render.page(content), encoding="utf-8")
    return file

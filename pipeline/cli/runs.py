"""`reelflow runs`: what was run, and what came of it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import DEFAULT_OUTPUT, Output, console
from pipeline.cli.progress import duration
from pipeline.layout import Layout
from pipeline.runs import Run, list_runs

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
        console.print("[dim]Top-100 accuracy with films already rated left out; RMSE in stars.[/]")


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
            "–" if spent is None else duration(spent),
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

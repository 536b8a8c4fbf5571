"""The table of `reelflow compare`: for the screen, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # the contest imports the baselines
    from components.evaluator.contest import Entry

LEGEND: Final = (
    "± is half of the 95 % interval over users (bootstrap). Bold: the best, and what the test rows "
    "cannot tell from it (paired bootstrap). unseen: films rated in train are left out; raw: they "
    "compete. With one film to find, top-k accuracy is Recall@k."
)


@dataclass(frozen=True)
class Row:
    """A metric in the table."""

    label: str
    key: str
    best: int
    """1: more is better; -1: less is better; 0: neither."""


def _ranking(protocol: str) -> list[Row]:
    names = {f"top_{k}": f"top-{k}" for k in (1, 5, 10, 50, 100)}
    names |= {"ndcg_10": "NDCG@10", "mrr": "MRR"}
    return [Row(f"{label}, {protocol}", f"{protocol}/{key}", 1) for key, label in names.items()]


ROWS: Final = (
    *_ranking("unseen"),
    *_ranking("raw"),
    Row("coverage@10", "coverage_10", 0),
    Row("novelty@10, bits", "novelty_10", 0),
    Row("RMSE", "rmse", -1),
    Row("MAE", "mae", -1),
    Row("like accuracy", "like_accuracy", 1),
)
SECTION_ENDS: Final = ("unseen/mrr", "raw/mrr", "novelty_10", "like_accuracy")


@dataclass(frozen=True)
class Cell:
    """A figure, and whether nobody is better."""

    text: str
    bold: bool = False


def cells(entries: Sequence[Entry]) -> dict[str, list[Cell]]:
    """Label to one cell an entry."""
    lines = {row.label: _cells(row, entries) for row in ROWS}
    seconds = [entry.fit_seconds for entry in entries]
    lines["fit, seconds"] = [Cell("–" if s is None else f"{s:.1f}") for s in seconds]
    parameters = [entry.parameters for entry in entries]
    lines["parameters"] = [Cell("–" if p is None else f"{p:,}") for p in parameters]
    return lines


def _cells(row: Row, entries: Sequence[Entry]) -> list[Cell]:
    from components.evaluator.contest import as_good

    best = max(entries, key=lambda entry: row.best * entry.metrics[row.key])
    found = []
    for entry in entries:
        text = f"{entry.metrics[row.key]:.4f}"
        if row.key in entry.intervals:
            low, high = entry.intervals[row.key]
            text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
        found.append(Cell(text, bool(row.best) and as_good(entry, best, row.key)))
    return found


def on_screen(entries: Sequence[Entry]) -> Table:
    """Metrics down, contestants across."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Metric", no_wrap=True)
    for entry in entries:
        table.add_column(entry.name, justify="right", overflow="fold")
    ends = {row.label for row in ROWS if row.key in SECTION_ENDS}
    for label, line in cells(entries).items():
        texts = [Text(cell.text, style="bold" if cell.bold else "") for cell in line]
        table.add_row(label, *texts, end_section=label in ends)
    return table


def as_markdown(entries: Sequence[Entry], about: Mapping[str, Any]) -> str:
    """A page with what was compared, the table and how to read it."""
    names = " | ".join(entry.name for entry in entries)
    lines = [
        "# Comparison",
        "",
        f"{about['rows']:,} test ratings of {about['users_tested']:,} users; "
        f"{about['train_rows']:,} train ratings, {about['users']:,} users, "
        f"{about['movies']:,} films; split {about['split']['kind']}, "
        f"seed {about['split']['seed']}.",
        "",
        f"| metric | {names} |",
        f"|---|{'---:|' * len(entries)}",
    ]
    for label, line in cells(entries).items():
        figures = [f"**{cell.text}**" if cell.bold else cell.text for cell in line]
        lines.append(f"| {label} | {' | '.join(figures)} |")
    lines += ["", LEGEND]
    for words in about.get("seeds", ()):
        lines += ["", words]
    for name, reason in about.get("failures", {}).items():
        lines += ["", f"{name} failed: {reason}"]
    return "\n".join([*lines, ""])


def as_json(entries: Sequence[Entry], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, in full precision."""
    return {
        **about,
        "entries": [
            {
                "name": entry.name,
                "metrics": entry.metrics,
                "intervals": entry.intervals,
                "fit_seconds": entry.fit_seconds,
                "parameters": entry.parameters,
            }
            for entry in entries
        ],
    }

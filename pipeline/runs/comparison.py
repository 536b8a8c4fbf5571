"""The result of `reelflow compare`: stability across seeds, and the table in three forms.

Imports nothing heavy; pipeline/runs/contest.py makes the measurements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reelflow.base.metrics import METRICS, RAW, UNSEEN, inline
from reelflow.config import Config

if TYPE_CHECKING:
    from reelflow.evaluation.contest import Entry

Stability = dict[str, dict[str, list[str]]]
"""Configuration to its other seeds' names, each to the metrics outside the first one's interval."""

LEGEND: Final = (
    "± is half of the 95 % interval over users (bootstrap). Bold: the best, and what the test rows "
    "cannot tell from it (paired bootstrap). unseen: movies rated in train are left out; raw: they "
    "compete. With one movie to find, top-k accuracy is Recall@k."
)


def with_seeds(configs: Mapping[str, Config], count: int) -> dict[str, dict[str, Config]]:
    """Return each configuration's name to itself and `count - 1` copies with the next seeds."""
    return {
        name: {
            name if i == 0 else f"{name}-seed{config.train.seed + i}": _with_later_seed(config, i)
            for i in range(count)
        }
        for name, config in configs.items()
    }


def _with_later_seed(config: Config, by: int) -> Config:
    train = config.train.model_copy(update={"seed": config.train.seed + by})
    return config.model_copy(update={"train": train})


def stability(entries: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> Stability:
    """Compare each configuration's other seeds with the first one's 95 % intervals.

    Args:
        entries: all that were measured; seeds that failed are left out.
        groups: configuration to the names of its seeds, its own name first.
    """
    by_name = {entry.name: entry for entry in entries}
    return {
        name: {
            other: outside(by_name[name], by_name[other])
            for other in names
            if other != name and other in by_name
        }
        for name, names in groups.items()
        if len(names) > 1 and name in by_name
    }


def outside(first: Entry, other: Entry) -> list[str]:
    """Return the metrics of `other` that lie outside the intervals of `first`."""
    return [
        metric
        for metric, (low, high) in first.intervals.items()
        if not low <= other.metrics[metric] <= high
    ]


def stability_sentences(stable: Stability) -> Iterator[str]:
    """Return one sentence for each configuration that was trained with several seeds."""
    for name, others in stable.items():
        wrong = [f"{other}: {', '.join(metrics)}" for other, metrics in others.items() if metrics]
        if wrong:
            yield f"{name}: outside the interval of the first seed: {'; '.join(wrong)}."
        elif others:
            count = len(others)
            seeds = "another seed stays" if count == 1 else f"{count} other seeds stay"
            yield f"{name}: {seeds} inside the 95 % interval in every metric."


@dataclass(frozen=True)
class Comparison:
    """The content of a comparison's JSON file, in full precision."""

    split: dict[str, Any]
    """Section `split` of the configuration."""
    rows: int
    """Test ratings that were predicted."""
    users_tested: int
    train_rows: int
    users: int
    """Users in train."""
    movies: int
    failures: dict[str, str]
    """Name to reason."""
    seeds: list[str]
    """Sentences on the stability across seeds."""
    entries: list[Entry]

    def save(self, page: Path) -> None:
        """Write a Markdown page, and the JSON file beside it."""
        text = json.dumps(self.as_json(), indent=2)
        page.with_suffix(".json").write_text(text, encoding="utf-8")
        page.write_text(self.as_markdown(), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """Return everything except the bootstrap's resamples."""
        entries = [
            {
                "name": entry.name,
                "metrics": entry.metrics,
                "intervals": entry.intervals,
                "fit_seconds": entry.fit_seconds,
                "parameters": entry.parameters,
            }
            for entry in self.entries
        ]
        return {**vars(self), "entries": entries}

    def as_markdown(self) -> str:
        """Return a page with data and split, the table and its legend."""
        names = " | ".join(entry.name for entry in self.entries)
        lines = [
            "# Comparison",
            "",
            f"{self.rows:,} test ratings of {self.users_tested:,} users; "
            f"{self.train_rows:,} train ratings, {self.users:,} users, {self.movies:,} movies; "
            f"split {self.split['kind']}, seed {self.split['seed']}.",
            "",
            f"| metric | {names} |",
            f"|---|{'---:|' * len(self.entries)}",
        ]
        for label, line in cells(self.entries).items():
            figures = [f"**{cell.text}**" if cell.bold else cell.text for cell in line]
            lines.append(f"| {label} | {' | '.join(figures)} |")
        lines += ["", LEGEND]
        for sentence in self.seeds:
            lines += ["", sentence]
        for name, reason in self.failures.items():
            lines += ["", f"{name} failed: {reason}"]
        return "\n".join([*lines, ""])

    def as_table(self) -> Table:
        """Return the table for a terminal: metrics down, entries across."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.add_column("Metric", no_wrap=True)
        for entry in self.entries:
            table.add_column(entry.name, justify="right", overflow="fold")
        ends = {row.label for row in ROWS if row.ends_section}
        for label, line in cells(self.entries).items():
            texts = [Text(cell.text, style="bold" if cell.bold else "") for cell in line]
            table.add_row(label, *texts, end_section=label in ends)
        return table


@dataclass(frozen=True)
class Row:
    """A metric in the table."""

    label: str
    key: str
    higher_is_better: bool | None
    """None if neither direction is better."""
    ends_section: bool = False


def _ranking_rows(protocol: str) -> list[Row]:
    ranked = [metric for metric in METRICS.values() if metric.ranked]
    return [
        Row(f"{inline(m.short)}, {protocol}", m.path(protocol), m.higher_is_better, m is ranked[-1])
        for m in ranked
    ]


ROWS: Final = (
    *_ranking_rows(UNSEEN),
    *_ranking_rows(RAW),
    Row("coverage@10", "coverage_10", None),
    Row("novelty@10, bits", "novelty_10", None, ends_section=True),
    *(Row(m.short, m.key, m.higher_is_better) for m in METRICS.values() if not m.ranked),
    Row("like accuracy", "like_accuracy", True, ends_section=True),
)


@dataclass(frozen=True)
class Cell:
    """A figure; bold if it is the best, or as good as the best."""

    text: str
    bold: bool = False


def cells(entries: Sequence[Entry]) -> dict[str, list[Cell]]:
    """Return the table: label to one cell for each entry."""
    lines = {row.label: _cells(row, entries) for row in ROWS}
    seconds = [entry.fit_seconds for entry in entries]
    lines["fit, seconds"] = [Cell("–" if s is None else f"{s:.1f}") for s in seconds]
    parameters = [entry.parameters for entry in entries]
    lines["parameters"] = [Cell("–" if p is None else f"{p:,}") for p in parameters]
    return lines


def _cells(row: Row, entries: Sequence[Entry]) -> list[Cell]:
    from reelflow.evaluation.contest import as_good

    sign = 1 if row.higher_is_better else -1
    best = max(entries, key=lambda entry: sign * entry.metrics[row.key])
    line = []
    for entry in entries:
        text = f"{entry.metrics[row.key]:.4f}"
        if row.key in entry.intervals:
            low, high = entry.intervals[row.key]
            text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
        bold = row.higher_is_better is not None and as_good(entry, best, row.key)
        line.append(Cell(text, bold))
    return line

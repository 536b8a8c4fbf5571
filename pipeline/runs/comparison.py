"""The result of `reelflow compare`: its table, its page and its JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reelflow.base.metrics import LIKED, METRICS, RAW, UNSEEN, inline, label_at
from reelflow.evaluation.contest import Entry, as_good
from reelflow.evaluation.results import Chosen

Stability = dict[str, dict[str, list[str]]]
"""Configuration to its other seeds' names, each to the metrics outside the first one's interval."""

LEGEND: Final = (
    "± is half of the 95 % interval over users (bootstrap). Bold: the best, and what the test rows "
    "cannot tell from it (paired bootstrap). unseen: movies rated before are left out; liked: the "
    "same, over test ratings that count as a like; raw: rated movies compete. Figures are means "
    "over test ratings, those over users give each user the same weight. All know train and "
    "validation, nothing of the test. With one movie to find, top-k accuracy is Recall@k."
)


def stability(entries: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> Stability:
    """Compare each configuration's other seeds with the first one's 95 % intervals.

    Args:
        entries: all that were measured; seeds that failed are left out.
        groups: configuration to the names of its seeds, its own name first.
    """
    by_name = {entry.name: entry for entry in entries}
    return {
        name: {
            other: [
                metric
                for metric, (low, high) in by_name[name].intervals.items()
                if not low <= by_name[other].metrics[metric] <= high
            ]
            for other in names
            if other != name and other in by_name
        }
        for name, names in groups.items()
        if len(names) > 1 and name in by_name
    }


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


def setting_sentence(name: str, chosen: Chosen) -> str:
    """Return a sentence on the settings of a baseline, and on the budget that they come from."""
    settings = ", ".join(f"{key} {value:g}" for key, value in chosen.settings.items())
    if chosen.tried < 2:
        return f"{name}: {settings or 'no settings'}, nothing to choose."
    return (
        f"{name}: {settings}; the best of {chosen.tried} by {label_at(chosen.metric, short=True)} "
        f"on {chosen.rows:,} validation ratings."
    )


@dataclass(frozen=True)
class Comparison:
    """The content of a comparison's JSON file, in full precision."""

    split: dict[str, Any]
    """Section `split` of the configuration; `kind` as it was made, and as it was `asked` for."""
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
    like_threshold: float
    """Stars from which on a test rating counts as a like."""
    settings: list[str] = field(default_factory=list)
    """Sentences on the settings of baselines, and on how many were tried."""

    def save(self, page: Path) -> None:
        """Write a Markdown page, and the JSON file beside it."""
        text = json.dumps(self.as_json(), indent=2)
        page.with_suffix(".json").write_text(text, encoding="utf-8")
        page.write_text(self.as_markdown(), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """Return everything except the bootstrap's resamples."""
        names = ("name", "metrics", "over_users", "intervals", "fit_seconds", "parameters")
        entries = [
            {name: getattr(entry, name) for name in names}
            | {"chosen": None if entry.chosen is None else asdict(entry.chosen)}
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
            f"split {self.split['kind']}, seed {self.split['seed']}; "
            f"from {self.like_threshold:g} stars on a rating counts as a like.",
            "",
            f"| metric | {names} |",
            f"|---|{'---:|' * len(self.entries)}",
        ]
        for label, line in cells(self.entries).items():
            figures = [f"**{cell.text}**" if cell.bold else cell.text for cell in line]
            lines.append(f"| {label} | {' | '.join(figures)} |")
        failed = [f"{name} failed: {reason}" for name, reason in self.failures.items()]
        for paragraph in (LEGEND, *self.settings, *self.seeds, *failed):
            lines += ["", paragraph]
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
    over_users: bool = False
    """True for the mean over users."""


_RANKED = [metric for metric in METRICS.values() if metric.ranked]
ROWS: Final = (
    *(
        Row(f"{inline(m.short)}, {by}", m.path(by), m.higher_is_better, m is _RANKED[-1])
        for by in (UNSEEN, LIKED, RAW)
        for m in _RANKED
    ),
    *(
        Row(f"{inline(METRICS[key].short)}, {by}, users", METRICS[key].path(by), None, False, True)
        for by in (UNSEEN, LIKED)
        for key in ("top_10", "ndcg_10")
    ),
    Row("RMSE, users", "rmse", None, ends_section=True, over_users=True),
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
    if row.over_users:
        means = [entry.over_users.get(row.key) for entry in entries]
        return [Cell("–" if mean is None else f"{mean:.4f}") for mean in means]
    sign = 1 if row.higher_is_better else -1
    measured = [entry for entry in entries if row.key in entry.metrics]
    best = max(measured, key=lambda entry: sign * entry.metrics[row.key], default=None)
    line = []
    for entry in entries:
        if best is None or row.key not in entry.metrics:
            line.append(Cell("–"))
            continue
        text = f"{entry.metrics[row.key]:.4f}"
        if row.key in entry.intervals:
            low, high = entry.intervals[row.key]
            text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
        bold = row.higher_is_better is not None and as_good(entry, best, row.key)
        line.append(Cell(text, bold))
    return line

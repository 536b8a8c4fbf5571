"""Metrics by slice: activity, popularity, genre and, where a run opted in, gender and age."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reelflow.base.metrics import METRICS, RAW, UNSEEN, label_at, metric_at
from reelflow.evaluation.results import Results, Slice
from reelflow.evaluation.slices import (
    AGE,
    GENDER,
    GENRE,
    MOVIE_POPULARITY,
    USER_ACTIVITY,
    bucket_labels,
)
from reelflow.report.blocks import Block, Cell, Figure, Section, Table
from reelflow.report.charts.bars import Ranges
from reelflow.report.sections.accuracy import metric_range
from reelflow.report.words import count, format_metric, headline_paths, percent, unit_of

SLICES: Final = {
    USER_ACTIVITY: "Ratings of the user in training",
    MOVIE_POPULARITY: "Ratings of the movie in training",
    GENRE: "Genre",
    GENDER: "Gender",
    AGE: "Age in years",
}
"""Label of each slice key."""
LISTED = (
    METRICS["top_10"].path(UNSEEN),
    METRICS["top_100"].path(UNSEEN),
    METRICS["top_100"].path(RAW),
    METRICS["rmse"].key,
    METRICS["mae"].key,
)


def slices_section(results: Results) -> Section:
    """Show two figures and a table for each slice key."""
    lead = (
        "The same metrics for parts of the test ratings. The upright line is the value over all of "
        "them, whiskers hold 95 % of a bootstrap over users. Differences between groups of users "
        "are what to look at for fairness; movies with few ratings are always harder to find."
    )
    blocks: list[Block] = []
    for key, parts in by_key(results).items():
        blocks += [_figure(results, key, parts, path) for path in headline_paths()]
        blocks.append(_table(key, parts))
    return Section("slices", "For whom it works", lead, blocks)


def by_key(results: Results) -> dict[str, list[Slice]]:
    """Return the slices of each slice key: buckets in their order, others by the alphabet."""
    keys: dict[str, list[Slice]] = {}
    for part in results.slices:
        keys.setdefault(part.key, []).append(part)
    for key, parts in keys.items():
        rank = {label: i for i, label in enumerate(bucket_labels(key))}
        parts.sort(key=lambda part: (rank.get(part.label, len(rank)), part.label))
    return keys


def slice_label(key: str) -> str:
    """Return a slice key's label within a sentence."""
    return SLICES.get(key, key.replace("_", " ")).lower()


def _figure(results: Results, key: str, parts: list[Slice], path: str) -> Figure:
    metric, unit = metric_at(path), unit_of(path)
    rows = [
        replace(
            metric_range(path, part.label, part.value(path) or 0.0, part.intervals),
            note=f"{count(part.rows)} ratings",
        )
        for part in parts
    ]
    sign = 1 if metric.higher_is_better else -1
    best = max(rows, key=lambda row: sign * row.value)
    worst = min(rows, key=lambda row: sign * row.value)
    overall = results.metrics.value(path)
    reference = None if overall is None else unit.scale * overall
    return Figure(
        f"{metric.label} by {slice_label(key)}",
        Ranges(rows, unit.symbol, reference),
        f"Best for {best.label} with {best.value:.3g} {unit.symbol}, "
        f"worst for {worst.label} with {worst.value:.3g} {unit.symbol}.",
    )


def _table(key: str, parts: list[Slice]) -> Table:
    total = sum(part.rows for part in parts)
    rows: list[list[Cell]] = [
        [
            part.label,
            part.rows,
            percent(part.rows / total),
            *(format_metric(path, part.value(path)) for path in LISTED),
        ]
        for part in parts
    ]
    header = [
        SLICES.get(key, key),
        "Ratings",
        "Share",
        *(label_at(path, short=True) for path in LISTED),
    ]
    return Table(f"By {slice_label(key)}", header, rows, folded=True)

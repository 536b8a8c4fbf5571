"""Metrics by slice: activity, popularity, genre and, where a run opted in, gender and age."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reelflow.base.metrics import METRICS, RAW, UNSEEN, metric_at, protocol_at, value_at
from reelflow.report.blocks import Block, Figure, Section, Table
from reelflow.report.charts.bars import Range, Ranges
from reelflow.report.inputs import Json
from reelflow.report.words import SLICES, count, format_metric, percent, slice_label

DRAWN = (METRICS["top_100"].path(UNSEEN), METRICS["rmse"].key)
LISTED = (
    METRICS["top_10"].path(UNSEEN),
    METRICS["top_100"].path(UNSEEN),
    METRICS["top_100"].path(RAW),
    METRICS["rmse"].key,
    METRICS["mae"].key,
)


def slices_section(evaluation: Json) -> Section:
    """Show two figures and a table for each slice key.

    Args:
        evaluation: `metrics.json`.
    """
    lead = (
        "The same metrics for parts of the test ratings. The upright line is the value over all of "
        "them, whiskers hold 95 % of a bootstrap over users. Differences between groups of users "
        "are what to look at for fairness; movies with few ratings are always harder to find."
    )
    blocks: list[Block] = []
    for key, parts in by_key(evaluation).items():
        blocks += [_figure(evaluation, key, parts, path) for path in DRAWN]
        blocks.append(_table(key, parts))
    return Section("slices", "For whom it works", lead, blocks)


def by_key(evaluation: Json) -> dict[str, list[Json]]:
    """Return the slices of each slice key, by the numbers that their values begin with."""
    found: dict[str, list[Json]] = {}
    for part in evaluation.get("slices") or []:
        for key in part["slice"]:
            found.setdefault(key, []).append(part)
    return {key: _ordered(parts) for key, parts in found.items()}


def value_of(part: Json) -> str:
    """What distinguishes the slice."""
    return str(next(iter(part["slice"].values())))


def _ordered(parts: Iterable[Json]) -> list[Json]:
    def place(part: Json) -> tuple[float, str]:
        number = re.match(r"\d+", value_of(part))
        return (float(number.group()) if number else 1e9, value_of(part))

    return sorted(parts, key=place)


def short_label(path: str) -> str:
    """Return a metric's label for narrow tables: `Top-100, unseen`."""
    protocol = protocol_at(path)
    return metric_at(path).short + (f", {protocol}" if protocol else "")


def _figure(evaluation: Json, key: str, parts: list[Json], path: str) -> Figure:
    metric = metric_at(path)
    scale, unit = (100.0, "%") if metric.unit == "share" else (1.0, "stars")
    rows = []
    for part in parts:
        value = value_at(part, path) or 0.0
        low, high = (part.get("intervals") or {}).get(path, (value, value))
        note = f"{count(part['rows'])} ratings"
        rows.append(Range(value_of(part), scale * value, scale * low, scale * high, note))
    sign = 1 if metric.higher_is_better else -1
    best = max(rows, key=lambda row: sign * row.value)
    worst = min(rows, key=lambda row: sign * row.value)
    overall = value_at(evaluation["metrics"], path)
    reference = None if overall is None else scale * overall
    return Figure(
        f"{metric.label} by {slice_label(key)}",
        Ranges(rows, unit, reference),
        f"Best for {best.label} with {best.value:.3g} {unit}, "
        f"worst for {worst.label} with {worst.value:.3g} {unit}.",
    )


def _table(key: str, parts: list[Json]) -> Table:
    total = sum(part["rows"] for part in parts)
    rows = [
        [
            value_of(part),
            part["rows"],
            percent(part["rows"] / total),
            *(format_metric(path, value_at(part, path)) for path in LISTED),
        ]
        for part in parts
    ]
    header = [SLICES.get(key, key), "Ratings", "Share", *map(short_label, LISTED)]
    return Table(f"By {slice_label(key)}", header, rows, folded=True)

"""Who is served how well: by activity, popularity, genre and, opted in, gender and age."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reelflow.report.blocks import Block, Figure, Section, Table
from reelflow.report.charts.bars import Range, Ranges
from reelflow.report.inputs import Json
from reelflow.report.words import SLICES, count, figure, look_up, percent

SHOWN = (("unseen/top_100", "Top-100 accuracy"), ("rmse", "RMSE"))
TABLE = ("unseen/top_10", "unseen/top_100", "raw/top_100", "rmse", "mae")
HEADER = ("Top-10, unseen", "Top-100, unseen", "Top-100, raw", "RMSE", "MAE")


def section(evaluation: Json) -> Section:
    """Two figures and a table for each slice key.

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
        blocks += [_figure(evaluation, key, parts, *shown) for shown in SHOWN]
        blocks.append(_table(key, parts))
    return Section("slices", "For whom it works", lead, blocks)


def by_key(evaluation: Json) -> dict[str, list[Json]]:
    """Slice key to its slices, in order of the numbers that their names begin with."""
    found: dict[str, list[Json]] = {}
    for part in evaluation.get("slices") or []:
        for key in part["slice"]:
            found.setdefault(key, []).append(part)
    return {key: _ordered(key, parts) for key, parts in found.items()}


def value_of(part: Json) -> str:
    """What distinguishes the slice."""
    return str(next(iter(part["slice"].values())))


def _ordered(key: str, parts: Iterable[Json]) -> list[Json]:
    def place(part: Json) -> tuple[float, str]:
        number = re.match(r"\d+", value_of(part))
        return (float(number.group()) if number else 1e9, value_of(part))

    return sorted(parts, key=place)


def _figure(evaluation: Json, key: str, parts: list[Json], metric: str, name: str) -> Figure:
    scale, unit = (100.0, "%") if metric != "rmse" else (1.0, "stars")
    rows = []
    for part in parts:
        value = look_up(part, metric) or 0.0
        low, high = (part.get("intervals") or {}).get(metric, (value, value))
        note = f"{count(part['rows'])} ratings"
        rows.append(Range(value_of(part), scale * value, scale * low, scale * high, note))
    best = max(rows, key=lambda row: row.value if metric != "rmse" else -row.value)
    worst = min(rows, key=lambda row: row.value if metric != "rmse" else -row.value)
    overall = look_up(evaluation["metrics"], metric)
    reference = None if overall is None else scale * overall
    return Figure(
        f"{name} by {title(key)}",
        Ranges(rows, unit, reference),
        f"Best for {best.label} with {best.value:.3g} {unit}, "
        f"worst for {worst.label} with {worst.value:.3g} {unit}.",
    )


def title(key: str) -> str:
    """The slice key inside a sentence."""
    return SLICES.get(key, key.replace("_", " ")).lower()


def _table(key: str, parts: list[Json]) -> Table:
    total = sum(part["rows"] for part in parts)
    rows = [
        [
            value_of(part),
            part["rows"],
            percent(part["rows"] / total),
            *(figure(metric, look_up(part, metric)) for metric in TABLE),
        ]
        for part in parts
    ]
    name = SLICES.get(key, key)
    return Table(f"By {title(key)}", [name, "Ratings", "Share", *HEADER], rows, folded=True)

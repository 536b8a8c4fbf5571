"""Numbers and names in words: the same on the page, in the model card and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from reelflow.base.metrics import GATE_METRICS, RAW, UNSEEN, metric_at
from reelflow.evaluation.results import Intervals, Results, Summary

PROTOCOLS: Final = {UNSEEN: "movies already rated left out", RAW: "all movies in the running"}
BASELINES: Final = {
    "popularity": "Popularity",
    "recent_popularity": "Popularity of late",
    "item_knn": "ItemKNN",
    "ease": "EASE",
    "ials": "iALS",
    "biased_mf": "Biased MF",
}
"""Label of each baseline."""


class UnitFormat(NamedTuple):
    """Format of metrics of one unit."""

    symbol: str
    scale: float
    """Factor from the metric to the number that is shown."""
    digits: int
    not_finite: str
    """Shown for numbers that are not finite."""


UNITS: Final = {
    "share": UnitFormat("%", 100.0, 1, "–"),
    "stars": UnitFormat("stars", 1.0, 3, "not a number"),
    "score": UnitFormat("", 1.0, 4, "–"),
}


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{value:,.0f}"


def counted(value: int, one: str) -> str:
    """Return `1 movie` or `2 movies`."""
    return f"{value:,} {one if value == 1 else one + 's'}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share of 1 as percent."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.{digits}f} %"


def format_metric(path: str, value: float | None) -> str:
    """Return a metric with its unit.

    Args:
        path: `unseen/top_100` or `rmse`.
        value: None if the model has no such metric.
    """
    unit = unit_of(path)
    if value is None:
        return "–"
    if not math.isfinite(value):
        return unit.not_finite
    return f"{unit.scale * value:.{unit.digits}f} {unit.symbol}".rstrip()


def format_interval(path: str, ends: Sequence[float]) -> str:
    """Return a metric's interval, lower and upper end, with the unit once."""
    low, high = (format_metric(path, end) for end in ends)
    return f"{low.removesuffix(unit_of(path).symbol).rstrip()} to {high}"


def unit_of(path: str) -> UnitFormat:
    """Return the format of a metric."""
    return UNITS[metric_at(path).unit]


def headline_paths() -> list[str]:
    """Return the paths of the gate's metrics, ranked without the movies already rated."""
    return [gated.metric.path(UNSEEN) for gated in GATE_METRICS.values()]


@dataclass(frozen=True)
class Contestant:
    """A model in a comparison."""

    label: str
    metrics: Summary
    intervals: Intervals


def contestants(results: Results) -> list[Contestant]:
    """Return the model, the champion if there is one, and the baselines."""
    ends = results.intervals
    models = [Contestant("This model", results.metrics, ends.model or {})]
    if results.champion is not None:
        models.append(Contestant("Champion", results.champion, ends.champion or {}))
    models += [
        Contestant(BASELINES.get(name, name), metrics, ends.baselines.get(name, {}))
        for name, metrics in results.baselines.items()
    ]
    return models

"""Numbers and names in words: the same on the page, in the model card and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reelflow.base.metrics import RAW, UNSEEN, metric_at, value_at

PROTOCOLS: Final = {UNSEEN: "movies already rated left out", RAW: "all movies in the running"}
SLICES: Final = {
    "user_activity": "Ratings of the user in training",
    "movie_popularity": "Ratings of the movie in training",
    "genre": "Genre",
    "gender": "Gender",
    "age": "Age in years",
}
"""Label of each slice key."""
BASELINES: Final = {
    "popularity": "Popularity",
    "item_knn": "ItemKNN",
    "ease": "EASE",
    "ials": "iALS",
    "biased_mf": "Biased MF",
}
_SUFFIXES: Final = {"share": " %", "stars": " stars", "score": ""}


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


def slice_label(key: str) -> str:
    """Return a slice key's label within a sentence."""
    return SLICES.get(key, key.replace("_", " ")).lower()


def format_metric(path: str, value: float | None) -> str:
    """Return a metric with its unit.

    Args:
        path: `unseen/top_100` or `rmse`.
        value: None if the model has no such metric.
    """
    unit = metric_at(path).unit
    if value is None or (not math.isfinite(value) and unit != "stars"):
        return "–"
    if not math.isfinite(value):
        return "not a number"
    if unit == "share":
        return percent(value)
    return f"{value:.3f} stars" if unit == "stars" else f"{value:.4f}"


def format_interval(path: str, ends: Sequence[float]) -> str:
    """Return a metric's interval, lower and upper end, with the unit once."""
    low, high = (format_metric(path, end) for end in ends)
    return f"{low.removesuffix(_SUFFIXES[metric_at(path).unit])} to {high}"


@dataclass(frozen=True)
class Contestant:
    """A model's figures in a comparison."""

    label: str
    metrics: Mapping[str, Any]
    intervals: Mapping[str, Sequence[float]]
    """By metric path."""

    def value(self, path: str) -> float | None:
        """Return a metric; None if the model has no such metric."""
        return value_at(self.metrics, path)


def contestants(evaluation: Mapping[str, Any]) -> list[Contestant]:
    """Return the model, the champion if there is one, and the baselines."""
    intervals = evaluation.get("intervals") or {}
    found = [Contestant("This model", evaluation["metrics"], intervals.get("model") or {})]
    if evaluation.get("champion"):
        found.append(
            Contestant("Champion", evaluation["champion"], intervals.get("champion") or {})
        )
    for name, metrics in (evaluation.get("baselines") or {}).items():
        ends = (intervals.get("baselines") or {}).get(name) or {}
        found.append(Contestant(BASELINES.get(name, name), metrics, ends))
    return found

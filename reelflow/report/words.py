"""Numbers and names in words: the same on the page, in the model card and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from reelflow.base.columns import RATING_TASK
from reelflow.base.metrics import GATE_METRICS, LIKED, METRICS, RAW, UNSEEN, Scope, metric_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import Intervals, Results, Summary

BASELINES: Final = {
    "popularity": "Popularity",
    "recent_popularity": "Popularity of late",
    "item_knn": "ItemKNN",
    "ease": "EASE",
    "recency_ease": "EASE by recency",
    "directed": "directed ridge",
    "position_knn": "position kNN",
    "ials": "iALS",
    "biased_mf": "Biased MF",
}
"""Label of each baseline."""
RETRIEVAL_ALONE: Final = "Retrieval alone"
"""Label of the model's lists before the final order."""


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


ALL: Final = Scope()
"""Of data with stars, and a model that predicts them."""
NO_STARS: Final = (
    "This model was not trained to predict stars: it learned what users turn to, and there are no "
    "errors of ratings to show."
)


def protocol_words(noun: Noun = MOVIE) -> dict[str, str]:
    """Return each protocol in words."""
    return {
        UNSEEN: f"{noun.many} already rated left out, as in what users get",
        LIKED: "the same, over the test ratings that count as a like",
        RAW: f"all {noun.many} in the running",
    }


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{value:,.0f}"


def counted(value: int, one: str) -> str:
    """Return `1 user` or `2 users`; of movies see `Noun`."""
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


def format_interval(path: str, ends: Sequence[float], *, difference: bool = False) -> str:
    """Return an interval of a metric, or of a difference, lower and upper end, the unit once."""
    low, high = (format_metric(path, end) for end in ends)
    low = low.removesuffix(unit_of(path).symbol).rstrip()
    return f"{low} to {_points(high) if difference else high}"


def format_stars(value: float, scale: tuple[float, float]) -> str:
    """Return stars with as many decimals as the scale needs: 4.2 of 1 to 5, 0.84 of 0 to 1.

    Args:
        value: in stars.
        scale: lowest and highest rating.
    """
    half = (scale[1] - scale[0]) / 2
    return f"{value:.{max(1, 1 - math.floor(math.log10(half))) if half > 0 else 1}f}"


def format_difference(path: str, value: float | None) -> str:
    """Return a difference of a metric with its sign and unit; of shares in percentage points."""
    sign = "+" if value is not None and math.isfinite(value) and value > 0 else ""
    return sign + _points(format_metric(path, value))


def _points(text: str) -> str:
    return text.replace(" %", " percentage points")


def unit_of(path: str) -> UnitFormat:
    """Return the format of a metric."""
    return UNITS[metric_at(path).unit]


def headline_paths(scope: Scope = ALL) -> list[str]:
    """Return the paths of the gate's metrics, ranked without the movies already rated."""
    return scope.of(gated.metric.path(UNSEEN) for gated in GATE_METRICS.values())


def listed_paths(scope: Scope = ALL) -> list[str]:
    """Return the paths of the metrics in short tables: every protocol, then stars."""
    ranked = [
        METRICS[key].path(protocol)
        for protocol, keys in (
            (UNSEEN, ("top_10", "top_100")),
            (LIKED, ("top_10", "top_100")),
            (RAW, ("top_100",)),
        )
        for key in keys
    ]
    return scope.of([*ranked, METRICS["rmse"].key, METRICS["mae"].key])


@dataclass(frozen=True)
class Contestant:
    """A model in a comparison."""

    label: str
    metrics: Summary
    intervals: Intervals

    def value(self, path: str) -> float | None:
        """Return a metric's mean over the ratings; None if it has none."""
        return self.metrics.value(path) if self._has(path) else None

    def over_users(self, path: str) -> float | None:
        """Return a metric's mean over the users; None if it has none."""
        return self.metrics.over_users.get(path) if self._has(path) else None

    def _has(self, path: str) -> bool:
        # The order of a list changes nothing about the stars.
        return self.label != RETRIEVAL_ALONE or metric_at(path).task != RATING_TASK


def contestants(results: Results) -> list[Contestant]:
    """Return the model, its retrieval alone, the champion, as far as there are, and baselines."""
    ends = results.intervals
    models = [Contestant("This model", results.metrics, ends.model or {})]
    if results.retrieval is not None:
        models.append(Contestant(RETRIEVAL_ALONE, results.retrieval, ends.retrieval or {}))
    if results.champion is not None:
        models.append(Contestant("Champion", results.champion, ends.champion or {}))
    models += [
        Contestant(BASELINES.get(name, name), metrics, ends.baselines.get(name, {}))
        for name, metrics in results.baselines.items()
    ]
    return models

"""How figures and names are put: the same everywhere on the page and in the model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

METRICS = {
    "top_1": "Top-1 accuracy",
    "top_5": "Top-5 accuracy",
    "top_10": "Top-10 accuracy",
    "top_50": "Top-50 accuracy",
    "top_100": "Top-100 accuracy",
    "ndcg_10": "NDCG@10",
    "mrr": "Mean reciprocal rank",
    "rmse": "RMSE",
    "mae": "MAE",
}
CONTESTANTS = {"model": "This model", "champion": "Champion"}
PROTOCOLS = {"unseen": "movies already rated left out", "raw": "all movies in the running"}
SLICES = {
    "user_activity": "Ratings of the user in training",
    "movie_popularity": "Ratings of the movie in training",
    "genre": "Genre",
    "gender": "Gender",
    "age": "Age in years",
}
HIGHER_IS_BETTER = {name: not name.endswith(("rmse", "mae")) for name in METRICS}


def count(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """`1 movie`, `2 movies`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 1 as percent."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.{digits}f} %"


def stars(value: float | None) -> str:
    """Something measured in stars."""
    if value is None or not math.isfinite(value):
        return "not a number"
    return f"{value:.3f} stars"


def figure(metric: str, value: float | None) -> str:
    """A metric with its unit; `metric` may carry its protocol."""
    name = metric.rpartition("/")[2]
    if name in ("rmse", "mae"):
        return stars(value) if value is not None else "–"
    if name.startswith("top_"):
        return percent(value)
    return "–" if value is None or not math.isfinite(value) else f"{value:.4f}"


def between(metric: str, ends: tuple[float, float]) -> str:
    """An interval of a metric, its unit given once."""
    low, high = (figure(metric, end) for end in ends)
    number, _, unit = high.partition(" ")
    return f"{low.removesuffix(f' {unit}')} to {high}" if unit else f"{low} to {number}"


def look_up(metrics: Mapping[str, Any] | None, metric: str) -> float | None:
    """`unseen/top_100` or `rmse` of a summary's metrics."""
    found: Any = metrics
    for key in metric.split("/"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def contestants(evaluation: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Everybody's name to metrics and intervals: the model, the champion, the baselines."""
    ranges = evaluation.get("intervals") or {}
    found = {CONTESTANTS["model"]: (evaluation["metrics"], ranges.get("model"))}
    if evaluation.get("champion"):
        found[CONTESTANTS["champion"]] = (evaluation["champion"], ranges.get("champion"))
    for name, metrics in (evaluation.get("baselines") or {}).items():
        found[baseline(name)] = (metrics, (ranges.get("baselines") or {}).get(name))
    return found


def baseline(name: str) -> str:
    """A baseline's name as people write it."""
    known = {"popularity": "Popularity", "item_knn": "ItemKNN", "ease": "EASE", "ials": "iALS"}
    return known.get(name, name.replace("biased_mf", "Biased MF"))

"""What one contestant of `reelflow compare` is worth: every metric, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from reelflow.encoding.encoded import EncodedData, EncodedRatings, Int32
from reelflow.evaluation.bootstrap import Interval, interval, resample
from reelflow.evaluation.metrics import LIKED, Floats, Predictions, like_hits, row_columns
from reelflow.evaluation.recommendations import coverage, novelty

LIST_LENGTH: Final = 10
"""Movies a user that coverage and novelty look at."""

_RMSE: Final = "rmse"
_MAE: Final = "mae"


T = TypeVar("T", float, Floats)


@dataclass(frozen=True)
class Entry:
    """One contestant."""

    name: str
    metrics: dict[str, float]
    """`raw/top_10`, `unseen/ndcg_10`, `rmse`, `mae`, `like_accuracy`, `coverage_10` and so on."""
    intervals: dict[str, Interval]
    """The same names, those that are means over test rows: 95 % of the bootstrap by user."""
    fit_seconds: float | None
    """Wall time of training alone; none if it was not noted."""
    parameters: int | None
    """Numbers that were learned."""
    resamples: dict[str, Floats] = field(repr=False)
    """What the intervals come from, paired between contestants, [resamples] each."""


def measure(
    name: str,
    predictions: Predictions,
    lists: Int32,
    rows: EncodedRatings,
    data: EncodedData,
    seed: int,
    fit_seconds: float | None,
    parameters: int | None,
    liked_from: float = LIKED,
) -> Entry:
    """Take all measures.

    Args:
        name: the contestant's.
        predictions: what it says of the test rows.
        lists: what it recommends to the users of the test rows, [users, k]; -1 where there is none.
        rows: the test rows.
        data: for the catalogue and what was rated in train.
        seed: of the bootstrap.
        fit_seconds: wall time of training.
        parameters: numbers learned.
        liked_from: stars from which on a movie counts as liked.
    """
    columns = row_columns(predictions, rows.rating)
    columns["like_accuracy"] = like_hits(predictions, rows.rating, liked_from)
    means = _named({key: float(np.mean(values)) for key, values in columns.items()})
    resamples = _named(resample(columns, rows.user_index, seed))
    movies = len(data.catalogue)
    means[f"coverage_{LIST_LENGTH}"] = coverage(lists, movies)
    means[f"novelty_{LIST_LENGTH}"] = novelty(lists, data.rating_counts, data.sizes.users)
    return Entry(
        name=name,
        metrics=means,
        intervals={key: interval(values) for key, values in resamples.items()},
        fit_seconds=fit_seconds,
        parameters=parameters,
        resamples=resamples,
    )


def _named(values: dict[str, T]) -> dict[str, T]:
    """Metrics' means under the names that people know them by."""
    named = dict(values)
    named[_RMSE] = named.pop("squared_error") ** 0.5
    named[_MAE] = named.pop("absolute_error")
    return named


def as_good(entry: Entry, best: Entry, metric: str) -> bool:
    """Whether the test rows cannot tell the two apart: 0 is inside the interval of differences."""
    if metric not in entry.resamples or entry is best:
        return entry.metrics[metric] == best.metrics[metric]
    low, high = interval(entry.resamples[metric] - best.resamples[metric])
    return low <= 0.0 <= high

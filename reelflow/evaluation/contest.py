"""One contestant of `reelflow compare`: every metric, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.bootstrap import interval, intervals_of, resample
from reelflow.evaluation.metrics import (
    Floats,
    Predictions,
    by_path,
    coverage,
    like_hits,
    means_over_rows,
    means_over_users,
    novelty,
    row_columns,
)
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.results import Chosen, Intervals

LIST_LENGTH: Final = 10
"""Movies a user that coverage and novelty look at."""


@dataclass(frozen=True)
class Entry:
    """One contestant."""

    name: str
    metrics: dict[str, float]
    """`raw/top_10`, `liked/ndcg_10`, `rmse`, `mae`, `like_accuracy`, `coverage_10` and so on; those
    that no test row counts for are missing."""
    intervals: Intervals
    """Of the metrics that are means over test rows: 95 % of the bootstrap by user."""
    fit_seconds: float | None
    """Wall time of training alone; None if it is not known."""
    parameters: int | None
    """Numbers that were learned."""
    resamples: dict[str, Floats] = field(repr=False)
    """The means that the intervals come from, paired between contestants, [resamples] each."""
    over_users: dict[str, float] = field(default_factory=dict)
    """`metrics` as means over users instead of test rows, of those that are means."""
    chosen: Chosen | None = None
    """Settings of a baseline; None of a model."""


def measure(
    name: str,
    predictions: Predictions,
    lists: Int32,
    rows: TestRows,
    data: EncodedData,
    seed: int,
    fit_seconds: float | None,
    parameters: int | None,
    liked_from: float,
    chosen: Chosen | None = None,
) -> Entry:
    """Compute all metrics of one contestant.

    Args:
        name: the contestant's.
        predictions: its predictions for the test rows.
        lists: `movie_index` of its recommendations to the users of the test rows, [users, k]; -1
            where there is none.
        rows: the test rows.
        data: for the catalogue and the ratings of train.
        seed: of the bootstrap.
        fit_seconds: wall time of training; None if it is not known.
        parameters: number of learned parameters; None if it is not known.
        liked_from: stars from which on a movie counts as liked.
        chosen: settings of a baseline.
    """
    ratings, users = rows.encoded.rating, rows.users
    columns = row_columns(predictions, ratings, liked_from)
    columns["like_accuracy"] = like_hits(predictions, ratings, liked_from)
    metrics = means_over_rows(columns)
    resamples = by_path(resample(columns, users, seed), np.sqrt)
    movies = len(data.catalogue)
    metrics[f"coverage_{LIST_LENGTH}"] = coverage(lists, movies)
    metrics[f"novelty_{LIST_LENGTH}"] = novelty(lists, data.rating_counts, data.sizes.users)
    return Entry(
        name=name,
        metrics=metrics,
        over_users=means_over_users(columns, users),
        intervals=intervals_of(resamples),
        fit_seconds=fit_seconds,
        parameters=parameters,
        resamples=resamples,
        chosen=chosen,
    )


def as_good(entry: Entry, best: Entry, metric: str) -> bool:
    """Return True if the test rows cannot tell the two apart.

    They cannot if 0 is inside the interval of the paired differences.
    """
    if metric not in entry.resamples or entry is best:
        return entry.metrics.get(metric) == best.metrics.get(metric)
    low, high = interval(entry.resamples[metric] - best.resamples[metric])
    return low <= 0.0 <= high

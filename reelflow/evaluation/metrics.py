"""Metrics from exact ranks and predicted stars: plain numpy, a value for each row, then means.

A value that is not a number stands for a row that does not count: of the liked protocol all rows
that are no likes, of the stars of hits all that are no hits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from reelflow.base.metrics import CUTOFFS, HITS, LIKED, METRICS, PROTOCOLS, RAW, UNSEEN
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32, Int64
from reelflow.evaluation.results import Bin, Likes, Summary
from reelflow.evaluation.slices import Labels, Mask
from reelflow.model.stars import like_threshold as threshold_of
from reelflow.saved_model.files import ModelInfo

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

WEIGHT: Final = "rows"
"""Column of `aggregate` with the number of rows of each cell; the number of rows that count under a
metric is in a column of its own, `weight_of` its path."""
ZERO: Final = "zero"
"""Column of `aggregate` that TFMA takes for the labels."""

BINS: Final = 18
"""Bins of predicted stars, at most, over the range of the ratings: a quarter star of 0.5 to 5."""


@dataclass(frozen=True)
class Predictions:
    """A model's answers for the test rows; every array has shape [rows]."""

    stars: Float32
    rank_raw: Int32
    """Rank of the row's movie among all movies, from 1, ties against the model."""
    rank_unseen: Int32
    """The same without the movies of the user's train history."""
    likes: Float32 | None = None
    """Probability that the user likes the movie, of models that have one."""

    def take(self, rows: Int64) -> Predictions:
        """The answers for the rows at these positions, in this order."""
        likes = None if self.likes is None else self.likes[rows]
        return Predictions(self.stars[rows], self.rank_raw[rows], self.rank_unseen[rows], likes)


def like_threshold(info: ModelInfo, data: EncodedData) -> float:
    """Return the stars from which on a movie counts as liked.

    Args:
        info: of the model, which says it; a model of an older version has it in its configuration.
        data: whose train ratings have the scale, if the model does not say.
    """
    if info.stars is not None:
        return info.stars.like_threshold
    configured = ModelConfig(like_threshold=(info.model or {}).get("like_threshold"))
    return threshold_of(data.train.rating, configured)


def ranking_columns(ranks: Int32) -> dict[str, Floats]:
    """Each ranking metric's value for each row, float64 [rows].

    `top_k` is 1 where the movie is among the first k (with one movie to find, that is Recall@k as
    well); `ndcg_10` is 1 / log2(1 + rank) up to rank 10; `mrr` is 1 / rank.
    """
    columns = {f"top_{k}": (ranks <= k).astype(np.float64) for k in CUTOFFS}
    columns["ndcg_10"] = np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0)
    columns["mrr"] = 1.0 / ranks
    return columns


def row_columns(predictions: Predictions, ratings: Float32, liked_from: float) -> dict[str, Floats]:
    """All metrics' values for each row; not a number where the row does not count.

    `raw/...`, `unseen/...`, `liked/...`, `stars_of_hits_10`, `squared_error` and `absolute_error`.
    A prediction that is not a number counts as infinitely wrong.

    Args:
        predictions: of the rows.
        ratings: the stars given, float32 [rows].
        liked_from: stars from which on a row counts as a like.
    """
    columns = {}
    for protocol, ranks in ((RAW, predictions.rank_raw), (UNSEEN, predictions.rank_unseen)):
        for name, values in ranking_columns(ranks).items():
            columns[f"{protocol}/{name}"] = values
    liked = ratings >= liked_from
    for name in [*ranking_columns(predictions.rank_unseen[:0])]:
        columns[f"{LIKED}/{name}"] = np.where(liked, columns[f"{UNSEEN}/{name}"], np.nan)
    hits = predictions.rank_unseen <= HITS
    columns[f"stars_of_hits_{HITS}"] = np.where(hits, ratings.astype(np.float64), np.nan)
    return columns | star_columns(predictions.stars, ratings)


def star_columns(stars: Float32, ratings: Float32) -> dict[str, Floats]:
    """Errors of predicted stars for each row: `squared_error` and `absolute_error`."""
    errors = np.abs(stars.astype(np.float64) - ratings)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return {"squared_error": errors**2, "absolute_error": errors}


def by_path(means: Mapping[str, T], root: Callable[[T], T]) -> dict[str, T]:
    """Means of the columns under the metrics' paths: `squared_error` becomes `rmse`, at the end.

    Args:
        means: column to its mean, or whatever comes from means.
        root: takes the square root of it.
    """
    named = dict(means)
    for metric in METRICS.values():
        if not metric.ranked and metric.column in named:
            mean = named.pop(metric.column)
            named[metric.key] = root(mean) if metric.root else mean
    return named


def means_over_rows(columns: Mapping[str, Floats]) -> dict[str, float]:
    """Metric's path to its mean over the rows that count; a path without such rows is missing."""
    means = {}
    for name, values in columns.items():
        counted = values[~np.isnan(values)]
        if len(counted):
            means[name] = float(np.mean(counted))
    return by_path(means, lambda mean: float(np.sqrt(mean)))


def means_over_users(columns: Mapping[str, Floats], users: Int32) -> dict[str, float]:
    """Metric's path to the mean over users of the means over their own rows.

    Args:
        columns: column to its value for each row, float64 [rows] (`row_columns`).
        users: each row's user, [rows].
    """
    _, groups = np.unique(users, return_inverse=True)
    means = {}
    for name, values in columns.items():
        counted = ~np.isnan(values)
        if counted.any():
            rows = np.bincount(groups[counted])
            sums = np.bincount(groups[counted], values[counted])
            means[name] = float(np.mean(sums[rows > 0] / rows[rows > 0]))
    return by_path(means, lambda mean: float(np.sqrt(mean)))


def summarise(
    columns: Mapping[str, Floats], rows: Mask | None = None, users: Int32 | None = None
) -> Summary:
    """Means over all rows, or over the rows that are true.

    Args:
        columns: column to its value for each row, float64 [rows] (`row_columns`).
        rows: bool [rows]; None for all. At least one is true.
        users: each row's user, [rows]; None for no means over users.
    """
    if rows is not None:
        columns = {name: values[rows] for name, values in columns.items()}
        users = None if users is None else users[rows]
    named = means_over_rows(columns)
    ranked = [metric for metric in METRICS.values() if metric.ranked]
    raw, unseen, liked = (
        {m.key: named[m.path(p)] for m in ranked if m.path(p) in named} for p in PROTOCOLS
    )
    return Summary(
        raw,
        unseen,
        rmse=named["rmse"],
        mae=named["mae"],
        liked=liked,
        liked_rows=int((~np.isnan(columns[f"{LIKED}/mrr"])).sum()),
        stars_of_hits_10=named.get("stars_of_hits_10"),
        over_users={} if users is None else means_over_users(columns, users),
    )


def weight_of(path: str) -> str:
    """Return the column of `aggregate` with the number of rows that count under a metric."""
    return f"{WEIGHT} of {path}"


def aggregate(columns: Mapping[str, Floats], slices: Mapping[str, Labels]) -> pa.RecordBatch:
    """Sufficient statistics for TFMA: one weighted row for each combination of slices.

    Every metric is a mean or the root of one, so that a cell's mean with the cell's size as example
    weight gives TFMA exactly what its rows would, at a cost that does not grow with the test split
    (docs/adr/0008).

    Args:
        columns: column to its value for each row, float64 [rows] (`row_columns`).
        slices: slice key to the row's value, text [rows].

    Returns:
        One row a cell and, for each metric's path, its weight and each slice key, a list array with
        one value a row, as TFMA takes them.
    """
    labels = np.stack(list(slices.values()), axis=1)
    cells, places = np.unique(labels, axis=0, return_inverse=True)
    places = places.reshape(-1)
    out: dict[str, pa.Array] = {
        key: pa.array([value.encode() for value in cells[:, i]], pa.binary())
        for i, key in enumerate(slices)
    }
    means, sizes = {}, {}
    for name, values in columns.items():
        counted = ~np.isnan(values)
        sizes[name] = np.bincount(places[counted], minlength=len(cells))
        sums = np.bincount(places[counted], values[counted], len(cells))
        means[name] = sums / np.maximum(sizes[name], 1)
    for path, values in by_path(means, np.sqrt).items():
        out[path] = pa.array(values, pa.float32())
    for path, rows in by_path(sizes, lambda rows: rows).items():
        out[weight_of(path)] = pa.array(rows, pa.float32())
    out[WEIGHT] = pa.array(np.bincount(places, minlength=len(cells)), pa.float32())
    out[ZERO] = pa.array(np.zeros(len(cells)), pa.float32())
    offsets = pa.array(np.arange(len(cells) + 1), pa.int32())
    lists = [pa.ListArray.from_arrays(offsets, array) for array in out.values()]
    return pa.RecordBatch.from_arrays(lists, names=list(out))


def like_hits(predictions: Predictions, ratings: Float32, threshold: float) -> Floats:
    """1 where a like or a dislike is predicted rightly, float64 [rows].

    By the predicted probability of a like if there is one, or else by the predicted stars. A
    prediction that is not a number is wrong.
    """
    scores, cut = _like_scores(predictions, threshold)
    hits = ((scores >= cut) == (ratings >= threshold)) & np.isfinite(scores)
    return hits.astype(np.float64)


def like_metrics(predictions: Predictions, ratings: Float32, threshold: float) -> Likes:
    """Metrics of a classifier of likes over all rows.

    Args:
        predictions: of the rows.
        ratings: the stars given, float32 [rows].
        threshold: stars from which on a movie counts as liked.
    """
    scores, cut = _like_scores(predictions, threshold)
    liked, positive = ratings >= threshold, scores >= cut
    hits = int((liked & positive).sum())
    return {
        "accuracy": float(np.mean(like_hits(predictions, ratings, threshold))),
        "precision": _share(hits, int(positive.sum())),
        "recall": _share(hits, int(liked.sum())),
        "auc": _auc(np.where(np.isfinite(scores), scores, -np.inf), liked),
        "threshold": threshold,
    }


def _like_scores(predictions: Predictions, threshold: float) -> tuple[Float32, float]:
    """Scores of likes, and the score from which on a like is predicted."""
    if predictions.likes is not None:
        return predictions.likes, 0.5
    return predictions.stars, threshold


def _share(part: int, total: int) -> float | None:
    return part / total if total else None


def _auc(scores: Float32, liked: Mask) -> float | None:
    """Chance that a liked row has the higher score; ties count half (Mann & Whitney 1947).

    From ranks and not by scikit-learn, whose sum of trapezoids differs in the last digit.
    """
    positive = int(liked.sum())
    negative = len(liked) - positive
    if not positive or not negative:
        return None
    above = rankdata(scores)[liked].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def calibration(stars: Float32, ratings: Float32) -> list[Bin]:
    """Predicted stars against the stars given: bins of predictions, lowest first, no empty ones.

    Args:
        stars: predictions, [rows]; those that are not numbers are left out.
        ratings: the stars given, [rows].
    """
    finite = np.isfinite(stars)
    predicted, actual = stars[finite].astype(np.float64), ratings[finite].astype(np.float64)
    if len(predicted) == 0:
        return []
    low, width = float(predicted.min()), _bin_width(predicted, actual)
    bins = np.floor((predicted - np.floor(low / width) * width) / width).astype(np.int64)
    filled = []
    for number in np.unique(bins):
        inside = bins == number
        rows, stars = int(inside.sum()), actual[inside]
        error = float(stars.std(ddof=1) / np.sqrt(rows)) if rows > 1 else 0.0
        filled.append(Bin(rows, float(predicted[inside].mean()), float(stars.mean()), error))
    return filled


def _bin_width(predicted: Floats, actual: Floats) -> float:
    """Return a round number of stars, by the range of the ratings given, or else predicted."""
    span = float(np.ptp(actual)) or float(np.ptp(predicted)) or 1.0
    power = 10.0 ** math.floor(math.log10(span / BINS))
    return next(power * step for step in (1, 2.5, 5, 10) if power * step >= span / BINS * 0.999)


def coverage(lists: Int32, movies: int) -> float:
    """Share of the catalogue that is recommended to at least one user.

    Args:
        lists: `movie_index` of recommendations, [users, k]; -1 where there is none.
        movies: size of the catalogue.
    """
    return len(np.unique(lists[lists >= 0])) / movies


def novelty(lists: Int32, rating_counts: Int64, users: int) -> float:
    """Mean self-information of the recommended movies, in bits.

    -log2 of the share of users who rated the movie in train (Zhou et al. 2010, "Solving the
    apparent diversity-accuracy dilemma of recommender systems"): 0 for a movie that all users have
    rated. A movie without ratings counts as rated by one user, as novel as a movie can be.

    Args:
        lists: as for `coverage`.
        rating_counts: number of train ratings of each movie, [movies].
        users: number of users in train.
    """
    movies = lists[lists >= 0]
    if len(movies) == 0:
        return 0.0
    shares = np.maximum(rating_counts[movies], 1) / max(users, 1)
    return float(-np.mean(np.log2(shares)))

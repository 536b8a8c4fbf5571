"""Metrics from exact ranks and predicted stars: plain numpy, one value a row, then means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from reelflow.encoding.encoded import Float32
from reelflow.evaluation.slices import Labels

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

CUTOFFS: Final = (1, 5, 10, 50, 100)
PROTOCOLS: Final = ("raw", "unseen")


@dataclass(frozen=True)
class Predictions:
    """What a model says of the test rows; every array has shape [rows]."""

    stars: npt.NDArray[np.float32]
    rank_raw: Ints
    """Rank of the row's movie among all movies, from 1, ties against the model."""
    rank_unseen: Ints
    """The same with the movies of the user's train history out of the competition."""
    likes: npt.NDArray[np.float32] | None = None
    """Probability that the user likes the movie, of models that have one."""


def ranking_columns(ranks: Ints) -> dict[str, Floats]:
    """Each ranking metric's value for each row, float64 [rows].

    `top_k` is 1 where the movie is among the first k (with one movie to find, that is Recall@k as
    well); `ndcg_10` is 1 / log2(1 + rank) up to rank 10; `mrr` is 1 / rank.
    """
    columns = {f"top_{k}": (ranks <= k).astype(np.float64) for k in CUTOFFS}
    columns["ndcg_10"] = np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0)
    columns["mrr"] = 1.0 / ranks
    return columns


def row_columns(predictions: Predictions, ratings: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """All metrics' values for each row: `raw/...`, `unseen/...`, `squared_error`, `absolute_error`.

    A prediction that is not a number counts as infinitely wrong.
    """
    columns = {}
    for protocol, ranks in zip(
        PROTOCOLS, (predictions.rank_raw, predictions.rank_unseen), strict=True
    ):
        for name, values in ranking_columns(ranks).items():
            columns[f"{protocol}/{name}"] = values
    errors = np.abs(predictions.stars.astype(np.float64) - ratings)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return columns | {"squared_error": errors**2, "absolute_error": errors}


def summarise(columns: dict[str, Floats], rows: npt.NDArray[np.bool_] | None = None) -> Summary:
    """Means over all rows, or over the rows that are true."""
    means = {name: float(np.mean(v if rows is None else v[rows])) for name, v in columns.items()}
    by_protocol = {
        protocol: {
            name.removeprefix(f"{protocol}/"): mean
            for name, mean in means.items()
            if name.startswith(f"{protocol}/")
        }
        for protocol in PROTOCOLS
    }
    return Summary(
        raw=by_protocol["raw"],
        unseen=by_protocol["unseen"],
        rmse=float(np.sqrt(means["squared_error"])),
        mae=means["absolute_error"],
    )


@dataclass(frozen=True)
class Summary:
    """One model's metrics over some rows."""

    raw: dict[str, float]
    unseen: dict[str, float]
    rmse: float
    mae: float
    like: dict[str, float | None] | None = None
    """Accuracy, precision, recall and AUC of likes; over all rows only."""


# Sufficient statistics for TFMA: one weighted row for each combination of slices. All gated
# metrics are means (RMSE is the root of one), so a cell's mean with the cell's size as example
# weight gives TFMA exactly what its rows would, at a cost that does not grow with the test
# split (docs/adr/0008).


WEIGHT: Final = "rows"
ZERO: Final = "zero"
RMSE: Final = "rmse"


def aggregate(columns: Mapping[str, Floats], slices: Mapping[str, Labels]) -> pa.RecordBatch:
    """Groups rows by all slices at once.

    Args:
        columns: metric to its value for each row, float64 [rows]; `squared_error` becomes the root
            of its mean, under the name `rmse`.
        slices: slice key to the row's value, text [rows].

    Returns:
        One row a cell, each column a list array with one value, as TFMA wants.
    """
    labels = np.stack(list(slices.values()), axis=1)
    cells, where = np.unique(labels, axis=0, return_inverse=True)
    where = where.reshape(-1)
    sizes = np.bincount(where, minlength=len(cells))
    out: dict[str, pa.Array] = {
        key: pa.array([value.encode() for value in cells[:, i]], pa.binary())
        for i, key in enumerate(slices)
    }
    for name, values in columns.items():
        means = np.bincount(where, weights=values, minlength=len(cells)) / sizes
        if name == "squared_error":
            out[RMSE] = pa.array(np.sqrt(means), pa.float32())
        else:
            out[name] = pa.array(means, pa.float32())
    out[WEIGHT] = pa.array(sizes, pa.float32())
    out[ZERO] = pa.array(np.zeros(len(cells)), pa.float32())
    offsets = pa.array(np.arange(len(cells) + 1), pa.int32())
    lists = [pa.ListArray.from_arrays(offsets, array) for array in out.values()]
    return pa.RecordBatch.from_arrays(lists, names=list(out))


# How well likes are told from dislikes.


Likes = dict[str, float | None]
"""`accuracy`, `precision`, `recall`, `auc` and `threshold`; none where nothing could be counted."""

LIKED = 3.5
"""Stars from which on a movie counts as liked, if the model does not say."""


def like_hits(predictions: Predictions, ratings: Float32, threshold: float = LIKED) -> Floats:
    """1 where a like or a dislike is told right, float64 [rows].

    By the predicted probability of a like if there is one, or else by the predicted stars. What is
    not a number is wrong.
    """
    scores, cut = _scores(predictions, threshold)
    hits = ((scores >= cut) == (ratings >= threshold)) & np.isfinite(scores)
    return hits.astype(np.float64)


def like_metrics(predictions: Predictions, ratings: Float32, threshold: float = LIKED) -> Likes:
    """The metrics of a classifier over all rows.

    Args:
        predictions: of the rows.
        ratings: the stars given, float32 [rows].
        threshold: stars from which on a movie counts as liked.
    """
    scores, cut = _scores(predictions, threshold)
    liked, positive = ratings >= threshold, scores >= cut
    hits = int((liked & positive).sum())
    return {
        "accuracy": float(np.mean(like_hits(predictions, ratings, threshold))),
        "precision": _share(hits, int(positive.sum())),
        "recall": _share(hits, int(liked.sum())),
        "auc": _auc(np.where(np.isfinite(scores), scores, -np.inf), liked),
        "threshold": threshold,
    }


def _scores(predictions: Predictions, threshold: float) -> tuple[Float32, float]:
    """What likes are told by, and from where on."""
    if predictions.likes is not None:
        return predictions.likes, 0.5
    return predictions.stars, threshold


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _auc(scores: Float32, liked: npt.NDArray[np.bool_]) -> float | None:
    """Chance that a liked row has the higher score; ties count half (Mann & Whitney 1947)."""
    positive = int(liked.sum())
    negative = len(liked) - positive
    if not positive or not negative:
        return None
    above = rankdata(scores)[liked].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


# Predicted stars against given ones: is a predicted 4 worth a 4?


BIN_STARS = 0.25
"""Width of a bin of predicted stars."""
MOST_BINS = 40
"""Bins at most, on scales of more than ten stars."""


@dataclass(frozen=True)
class Bin:
    """Test rows whose predictions are near each other."""

    rows: int
    predicted: float
    """Mean of the predictions, in stars."""
    actual: float
    """Mean of the ratings given, in stars."""
    error: float
    """Standard error of `actual`, in stars; 0 for a single row."""


def calibration(stars: Float32, ratings: Float32) -> list[Bin]:
    """Bins of predictions, lowest first, empty ones left out.

    Args:
        stars: predictions, [rows]; what is not a number is left out.
        ratings: what was given, [rows].
    """
    finite = np.isfinite(stars)
    predicted, actual = stars[finite].astype(np.float64), ratings[finite].astype(np.float64)
    if len(predicted) == 0:
        return []
    low, high = float(predicted.min()), float(predicted.max())
    width = max(BIN_STARS, (high - low) / MOST_BINS)
    place = np.floor((predicted - np.floor(low / width) * width) / width).astype(np.int64)
    found = []
    for number in np.unique(place):
        inside = place == number
        rows, given = int(inside.sum()), actual[inside]
        error = float(given.std(ddof=1) / np.sqrt(rows)) if rows > 1 else 0.0
        found.append(Bin(rows, float(predicted[inside].mean()), float(given.mean()), error))
    return found

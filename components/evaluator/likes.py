"""How well likes are told from dislikes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from components.evaluator.metrics import Floats, Predictions
from components.transform.encoded import Float32

Likes = dict[str, float | None]
"""`accuracy`, `precision`, `recall`, `auc` and `threshold`; none where nothing could be counted."""

LIKED = 3.5
"""Stars from which on a film counts as liked, if the model does not say."""


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
        threshold: stars from which on a film counts as liked.
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

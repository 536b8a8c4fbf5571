"""The probability of a like from predicted stars, calibrated on validation ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.encoding.encoded import EncodedData, EncodedRatings

Floats = npt.NDArray[np.float64]

DAMPING = 5.0
"""Ratings like all others that each user's habits start with."""


class LikeCurve(tf.Module):
    """The exported curve: sigmoid(slope * stars + the user's offset)."""

    def __init__(self, slope: float, offsets: Floats) -> None:
        """Keep the curve.

        Args:
            slope: log-odds that a star adds.
            offsets: of each user, [users + 1]; the last is the unknown user's.
        """
        super().__init__()
        self._slope = slope
        self._offsets = tf.Variable(offsets, trainable=False, dtype=tf.float32)

    def __call__(self, users: tf.Tensor, stars: tf.Tensor) -> tf.Tensor:
        """Return probabilities of a like, float32 [batch].

        Args:
            users: int [batch], which may be the unknown one.
            stars: predicted, float32 [batch].
        """
        return tf.sigmoid(self._slope * stars + tf.gather(self._offsets, users))


@dataclass(frozen=True)
class Calibration:
    """Logistic regression of likes on predicted stars and the user's habits.

    Expected stars at the threshold are not an even chance of a like: stars come in steps, and their
    distribution is skewed. Platt 1999, "Probabilistic outputs for support vector machines", section
    2, with two columns more: by the share of likes among the user's train ratings and by their
    mean, which together say whether four stars are praise or habit.
    """

    threshold: float
    """Stars from which on a rating is a like."""
    weights: Floats
    """Of stars, of the log-odds of the user's share of likes, and of the user's mean, [3]."""
    intercept: float

    @classmethod
    def of(
        cls, stars: Floats, rows: EncodedRatings, data: EncodedData, threshold: float
    ) -> Calibration | None:
        """Fit to held-out ratings.

        Args:
            stars: predictions for the rows, [rows].
            rows: ratings that the predictions do not know, of known users.
            data: with the train ratings that they do know.
            threshold: stars from which on a rating is a like.

        Returns:
            None if the rows are all likes or none, or if more stars are not likes more often.
        """
        from sklearn.linear_model import LogisticRegression  # a second that serving need not take

        liked = rows.rating >= threshold
        if liked.all() or not liked.any():
            return None
        columns = np.column_stack([stars, _habits(data, threshold)[rows.user_index]])
        # The penalty is to suit any scale.
        unit = np.array([data.train.rating.std(dtype=np.float64), 1.0, 1.0])
        found = LogisticRegression().fit(columns / unit, liked)
        weights = found.coef_[0] / unit
        return cls(threshold, weights, float(found.intercept_[0])) if weights[0] > 0 else None

    def curve(self, data: EncodedData) -> LikeCurve:
        """Return the curve for the users of `data`, by their train ratings."""
        offsets = self.intercept + _habits(data, self.threshold) @ self.weights[1:]
        return LikeCurve(float(self.weights[0]), offsets)


def _habits(data: EncodedData, threshold: float) -> Floats:
    """Return how users rate, less how all do, float64 [users + 1, 2]; 0 for the unknown user.

    The log-odds of the share of likes, and the mean in standard deviations.
    """
    train, users = data.train, data.sizes.users + 1
    counts = np.bincount(train.user_index, minlength=users) + DAMPING

    def damped(values: Floats) -> tuple[Floats, float]:
        mean = float(values.mean())
        sums = np.bincount(train.user_index, values, users) + DAMPING * mean
        return sums / counts, mean

    stars = train.rating.astype(np.float64)
    means, mean = damped(stars)
    shares, share = damped((stars >= threshold).astype(np.float64))
    if not 0.0 < share < 1.0:
        shares, share = np.full(users, 0.5), 0.5
    log_odds = np.log(shares / (1.0 - shares)) - np.log(share / (1.0 - share))
    return np.column_stack([log_odds, (means - mean) / (stars.std() or 1.0)])

"""Day effects of the rating model: a user's day, a user's drift, a movie's age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.weights import MOVIE_BINS, USER_DAYS, USERS, Weight

BINS = 30
"""Bins of equal length for the movies' biases, over the time of the train split."""
POWER = 0.4
"""Exponent of the days between a rating and the user's mean day (Koren 2009, section 3)."""
DRIFT_SCALE = 10.0
"""Unit of drift, which makes its weights as large as other biases."""


@dataclass(frozen=True)
class Calendar:
    """The days on which each user has rated in train."""

    first: int
    """Time of the first train rating, in seconds; day 0 begins with it."""
    span: int
    """Days from the first to the last train rating, both counted."""
    keys: npt.NDArray[np.int64]
    """`user_index * span + day` of each pair of a user and one of its days, ascending, [pairs]."""

    @classmethod
    def of(cls, train: EncodedRatings) -> Calendar:
        """Collect the days of a train split with timestamps."""
        first = int(train.timestamp.min())
        days = (train.timestamp - first) // SECONDS_PER_DAY
        span = int(days.max()) + 1
        return cls(first, span, np.unique(train.user_index.astype(np.int64) * span + days))


def serving_day(data: EncodedData) -> Literal["latest", "mean"]:
    """Return the day of its user that stars are predicted for, found by the validation ratings.

    Where most of them are later than what train knows of their users, stars are wanted for the time
    after it, so for the latest day. Ratings drawn at random are from any day of their user: then
    for the mean of all days. Without validation ratings the latest.
    """
    rows = data.validation.only_known(data.sizes)
    if not len(rows):
        return "latest"
    latest = np.zeros(data.sizes.users, np.int64)
    np.maximum.at(latest, data.train.user_index, data.train.timestamp)
    later = rows.timestamp >= latest[rows.user_index]
    return "latest" if later.mean() >= 0.5 else "mean"


class DayEffects(keras.layers.Layer):
    """Biases that depend on time: b_u(day) + alpha_u dev_u(day) + b_i(bin).

    Koren 2009, "Collaborative filtering with temporal dynamics", section 3, without the splines.
    A day on which the user did not rate in train has no bias of its own; times outside of train
    count as its first or its last day.
    """

    def __init__(self, data: EncodedData, l2: float, day: Literal["latest", "mean"]) -> None:
        """Make the untrained effects.

        Args:
            data: encoded ratings, with timestamps.
            l2: regularisation.
            day: of each user, which stars are predicted for where no time is given.
        """
        super().__init__(name="days")
        train, users = data.train, data.sizes.users
        self._l2 = l2
        calendar = Calendar.of(train)
        self._first, self._span, keys = calendar.first, calendar.span, calendar.keys
        days = (train.timestamp - self._first) // SECONDS_PER_DAY
        self._keys = tf.Variable(np.append(keys, np.iinfo(np.int64).max), trainable=False)
        counts = np.maximum(np.bincount(train.user_index, minlength=users + 1), 1)
        mean_days = np.bincount(train.user_index, days, users + 1) / counts
        self._mean_days = tf.Variable(mean_days.astype(np.float32), trainable=False)
        served = (mean_days * SECONDS_PER_DAY).astype(np.int64) + self._first
        if day == "latest":
            served = np.zeros(users + 1, np.int64)
            np.maximum.at(served, train.user_index, train.timestamp)
        served[users] = train.timestamp.max()
        self._served = tf.Variable(served, trainable=False)
        self.user_day = self.add_weight("user_day", [len(keys) + 1, 1], initializer="zeros")
        self.drift = self.add_weight("drift", [users + 1, 1], initializer="zeros")
        self.movie_bin = self.add_weight(
            "movie_bin", [(len(data.catalogue) + 1) * BINS, 1], initializer="zeros"
        )

    def named_weights(self) -> dict[str, Weight]:
        """Return all weights, for a later model to start with."""
        return {
            "user_day": Weight(self.user_day, USER_DAYS),
            "drift": Weight(self.drift, USERS),
            "movie_bin": Weight(self.movie_bin, MOVIE_BINS),
        }

    def served(self, users: tf.Tensor) -> tf.Tensor:
        """Return the time that stars are predicted for, seconds, int64 [batch].

        That of each user's last train rating or the mean of all; of the unknown user the last of
        all.
        """
        return tf.gather(self._served, users)

    def call(
        self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return what time adds to the utilities of pairs, float32 [batch].

        Args:
            users: int [batch]; either may be the unknown one.
            movies: int [batch]; either may be the unknown one.
            times: seconds, int64 [batch].
            training: adds L2 losses.
        """
        parts, deviation, near = self._of_user(users, times)
        parts.append(
            tf.gather(self.movie_bin, tf.cast(movies, tf.int32) * BINS + self.bins(near))[:, 0]
        )
        if training:
            squares = tf.add_n([tf.reduce_mean(tf.square(part)) for part in parts])
            self.add_loss(self._l2 * squares)
        return parts[0] + parts[1] * deviation + parts[2]

    def of_user(self, users: tf.Tensor, times: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what times add whatever the movie, float32 [batch], and days, int64 [batch]."""
        (day, drift), deviation, near = self._of_user(users, times)
        return day + drift * deviation, near

    def bins(self, days: tf.Tensor) -> tf.Tensor:
        """Return the bin of the movies' biases that each day is in, int32 [batch]."""
        return tf.cast(days * BINS // self._span, tf.int32)

    def _of_user(
        self, users: tf.Tensor, times: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Return biases of days, drifts, by what drifts count, and days inside of train."""
        days = (times - self._first) // SECONDS_PER_DAY
        keys = tf.cast(users, tf.int64) * self._span + days
        places = tf.searchsorted(self._keys, keys)
        inside = (days >= 0) & (days < self._span)
        known = tf.cast((tf.gather(self._keys, places) == keys) & inside, tf.float32)
        near = tf.clip_by_value(days, 0, self._span - 1)
        away = tf.cast(near, tf.float32) - tf.gather(self._mean_days, users)
        deviation = tf.sign(away) * tf.pow(tf.abs(away), POWER) / DRIFT_SCALE
        parts = [
            tf.gather(self.user_day, places)[:, 0] * known,
            tf.gather(self.drift, users)[:, 0],
        ]
        return parts, deviation, near


class ServedDays(tf.Module):
    """Day effects as they are exported: at the one time that each user is served for."""

    def __init__(self, days: DayEffects) -> None:
        """Take what is the same for all movies, and each user's column of the movies' biases."""
        super().__init__()
        users = tf.range(days.drift.shape[0])
        of_user, near = days.of_user(users, days.served(users))
        self._of_user = tf.Variable(of_user, trainable=False)
        self._bins = tf.Variable(days.bins(near), trainable=False)
        self._of_movie = tf.Variable(days.movie_bin[:, 0], trainable=False)

    def __call__(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return what time adds to utilities, float32; users and movies of matching shapes."""
        cells = tf.cast(movies, tf.int32) * BINS + tf.gather(self._bins, users)
        return tf.gather(self._of_user, users) + tf.gather(self._of_movie, cells)

"""Outputs of the rating model: from utilities to stars, likes and the loss.

A head gives one number a pair, its *utility* (float32 [batch]). An output turns it into stars, into
the loss, and some also into the probability that the user likes the movie. Losses are TFRS's task
(`tfrs.tasks.Ranking`) but for the ordinal one, which TFRS does not have.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import Float32
from reelflow.model.stars import like_threshold

MOST_LEVELS = 50
"""Distinct ratings that the ordinal output accepts at most."""
_INFINITE = 1e9


class Output(keras.layers.Layer):
    """Maps utilities to stars, to scores for ranking, and to the loss."""

    gives_likes: bool = False
    """True if `likes` is implemented."""

    def __init__(self, ratings: Float32, intercept: float) -> None:
        super().__init__(name="output")
        self.intercept = intercept
        """Utility of an average pair, which the head's utility is added to."""
        self._lowest, self._highest = float(ratings.min()), float(ratings.max())
        self.deviation = float(ratings.std(dtype=np.float64)) or 1.0
        """Standard deviation of the train ratings: the unit of errors, so that step sizes and
        penalties suit any scale."""
        self._squared_error = tfrs.tasks.Ranking(loss=keras.losses.MeanSquaredError())

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the mean squared error in standard deviations, for early stopping to compare."""
        return self._squared_error(
            labels=ratings / self.deviation, predictions=self.stars(utilities) / self.deviation
        )

    @abstractmethod
    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return expected stars, float32 [batch]."""

    def scores(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the scores that movies are ranked by: the stars."""
        return self.stars(utilities)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the probability of a like, float32 [batch].

        Raises:
            NotImplementedError: the output does not give likes.
        """
        raise NotImplementedError("this output gives no probabilities")

    def clip(self, stars: tf.Tensor) -> tf.Tensor:
        """Clip stars to the scale of the train ratings."""
        return tf.clip_by_value(stars, self._lowest, self._highest)


class MeanOutput(Output):
    """Utilities are stars in some unit, counted from the mean; the loss is the squared error."""

    def __init__(self, ratings: Float32, unit: float | None = None) -> None:
        """Take the scale of the ratings.

        Args:
            ratings: of train, [ratings].
            unit: stars that a utility of 1 adds; None: the standard deviation.
        """
        super().__init__(ratings, 0.0)
        self._mean = float(np.mean(ratings, dtype=np.float64))
        self._unit = self.deviation if unit is None else unit

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the mean plus the utilities, in their unit."""
        return self._mean + self._unit * utilities


class OrdinalOutput(Output):
    """Stars as ordered levels, with learned thresholds between them.

    Ordered logistic regression (McCullagh 1980, "Regression models for ordinal data"; Koren & Sill
    2011, "OrdRec", use it for ratings): P(stars > level s) = sigmoid(utility - threshold s). It
    does not assume that the step from 1 to 2 stars is as large as that from 4 to 5. The prediction
    is the expectation, so it never leaves the scale.
    """

    gives_likes = True

    def __init__(self, ratings: Float32, like_threshold: float) -> None:
        super().__init__(ratings, 0.0)
        levels, counts = np.unique(ratings, return_counts=True)
        if len(levels) > MOST_LEVELS:
            raise BadInput(
                f"model.rating_output = 'ordinal' takes ratings of at most {MOST_LEVELS} levels, "
                f"and these have {len(levels)}.",
                "Set model.rating_output to 'mean'.",
            )
        if len(levels) < 2:
            raise BadInput(
                "model.rating_output = 'ordinal' needs ratings of at least two levels.",
                "Set model.rating_output to 'mean'.",
            )
        # Initially every pair has the distribution of all ratings.
        above = 1.0 - np.cumsum(counts)[:-1] / counts.sum()
        start = -np.log(above / (1.0 - above))
        self._levels = tf.constant(levels, tf.float32)
        self._steps = tf.constant(np.diff(levels), tf.float32)
        self._first = self.add_weight(
            name="first", shape=[1], initializer=keras.initializers.Constant(start[0])
        )
        # Thresholds are sums of the softplus of these, and so keep their order in training.
        gaps = np.log(np.expm1(np.maximum(np.diff(start), 1e-3)))
        self._gaps = self.add_weight(
            name="gaps",
            shape=[len(gaps)],
            initializer=lambda shape, dtype=None: tf.constant(gaps, tf.float32),
        )
        self._liked_from = int(np.searchsorted(levels, like_threshold))

    def thresholds(self) -> tf.Tensor:
        """Return the thresholds between consecutive levels, ascending, float32 [levels - 1]."""
        return tf.concat([self._first, self._first + tf.cumsum(tf.nn.softplus(self._gaps))], axis=0)

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the negative log-likelihood of levels, in nats; squared error in validation."""
        if not training:
            return super().loss(utilities, ratings)
        thresholds = tf.concat([[-_INFINITE], self.thresholds(), [_INFINITE]], axis=0)
        levels = tf.searchsorted(self._levels, ratings)
        low = tf.gather(thresholds, levels) - utilities
        high = tf.gather(thresholds, levels + 1) - utilities
        # log(sigmoid(high) - sigmoid(low)), without the difference of two numbers near 1.
        inside = tf.math.log1p(-tf.exp(tf.minimum(low - high, -1e-6)))
        return -tf.reduce_mean(tf.math.log_sigmoid(high) + tf.math.log_sigmoid(-low) + inside)

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the expectation over the levels, float32 [batch]."""
        above = tf.sigmoid(utilities[..., None] - self.thresholds())
        return self._lowest + tf.reduce_sum(above * self._steps, axis=-1)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the probability of a level at or above the threshold of a like."""
        thresholds = tf.concat([[-_INFINITE], self.thresholds(), [_INFINITE]], axis=0)
        return tf.sigmoid(utilities - thresholds[self._liked_from])


class LikeOutput(Output):
    """The utility is the log-odds of a like; the loss is the binary cross-entropy, in nats.

    Stars are the mean of liked and the mean of disliked train ratings, weighted by probability.
    """

    gives_likes = True

    def __init__(self, ratings: Float32, like_threshold: float) -> None:
        liked = ratings >= like_threshold
        if liked.all() or not liked.any():
            side = "all" if liked.all() else "none"
            raise BadInput(
                f"model.like_threshold = {like_threshold:g}: {side} of the ratings count as likes.",
                f"Set it between {ratings.min():g} and {ratings.max():g}.",
            )
        share = float(liked.mean())
        super().__init__(ratings, float(np.log(share / (1.0 - share))))
        self._cross_entropy = tfrs.tasks.Ranking(
            loss=keras.losses.BinaryCrossentropy(from_logits=True)
        )
        self._threshold = like_threshold
        self._disliked_stars = float(ratings[~liked].mean(dtype=np.float64))
        self._liked_stars = float(ratings[liked].mean(dtype=np.float64))

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the mean cross-entropy in nats, in validation too."""
        liked = tf.cast(ratings >= self._threshold, tf.float32)
        return self._cross_entropy(labels=liked, predictions=utilities)

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return expected stars, float32 [batch]."""
        likes = tf.sigmoid(utilities)
        return self._disliked_stars + likes * (self._liked_stars - self._disliked_stars)

    def scores(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the scores that movies are ranked by: the probabilities of a like."""
        return self.likes(utilities)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """Return the probability of a like, float32 [batch]."""
        return tf.sigmoid(utilities)


RATING_OUTPUTS: Final[Mapping[str, Callable[[Float32, ModelConfig], Output]]] = {
    "mean": lambda ratings, config: MeanOutput(ratings),
    "ordinal": lambda ratings, config: OrdinalOutput(ratings, like_threshold(ratings, config)),
    "like": lambda ratings, config: LikeOutput(ratings, like_threshold(ratings, config)),
}
"""Name in `model.rating_output`, or the name that a head asks for, to the output."""

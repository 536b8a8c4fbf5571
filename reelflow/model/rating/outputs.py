"""What a rating head's utility means: stars, levels of stars, or the chance of a like.

A head gives one number a pair, the *utility* (float32 [batch]). An output turns it into a loss,
into stars, and, where it can, into the probability that the user likes the movie.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import Float32

MOST_LEVELS = 50
"""Different ratings that an ordinal output takes for levels."""
_FAR = 1e9


class Output(keras.layers.Layer):
    """From utilities to what is wanted of them."""

    gives_likes: bool = False
    """Whether `likes` has an answer."""

    def __init__(self, ratings: Float32, intercept: float) -> None:
        super().__init__(name="output")
        self.intercept = intercept
        """The utility of an average pair, which heads learn to deviate from."""
        self._lowest, self._highest = float(ratings.min()), float(ratings.max())

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Mean loss; outside of training that of the stars, which early stopping looks at."""
        return tf.reduce_mean(tf.math.squared_difference(self.stars(utilities), ratings))

    @abstractmethod
    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Expected stars, float32 [batch]."""

    def scores(self, utilities: tf.Tensor) -> tf.Tensor:
        """What movies are ranked by: the stars."""
        return self.stars(utilities)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """The probability of a like, float32 [batch]."""
        raise NotImplementedError("this output knows no probabilities")

    def clip(self, stars: tf.Tensor) -> tf.Tensor:
        """Stars inside the scale that train has."""
        return tf.clip_by_value(stars, self._lowest, self._highest)


class MeanOutput(Output):
    """The utility is the stars; the loss is the squared error."""

    def __init__(self, ratings: Float32) -> None:
        super().__init__(ratings, float(np.mean(ratings, dtype=np.float64)))

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """The utilities themselves."""
        return utilities


class OrdinalOutput(Output):
    """Stars as ordered levels, with learned thresholds between them.

    Ordered logistic regression (McCullagh 1980, "Regression models for ordinal data"; Koren & Sill
    2011, "OrdRec", use it for ratings): P(stars > level s) = sigmoid(utility - threshold s). It is
    not told that the step from 1 to 2 stars is as large as that from 4 to 5. The prediction is the
    expectation, so it never leaves the scale.
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
        # At the start every pair has the distribution of all ratings.
        above = 1.0 - np.cumsum(counts)[:-1] / counts.sum()
        start = -np.log(above / (1.0 - above))
        self._levels = tf.constant(levels, tf.float32)
        self._steps = tf.constant(np.diff(levels), tf.float32)
        self._first = self.add_weight(
            name="first", shape=[1], initializer=keras.initializers.Constant(start[0])
        )
        # Softplus of these: thresholds keep their order whatever is learned.
        gaps = np.log(np.expm1(np.maximum(np.diff(start), 1e-3)))
        self._gaps = self.add_weight(
            name="gaps",
            shape=[len(gaps)],
            initializer=lambda shape, dtype=None: tf.constant(gaps, tf.float32),
        )
        self._liked_from = int(np.searchsorted(levels, like_threshold))

    def thresholds(self) -> tf.Tensor:
        """Between each level and the next one, ascending, float32 [levels - 1]."""
        return tf.concat([self._first, self._first + tf.cumsum(tf.nn.softplus(self._gaps))], axis=0)

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Mean negative log-likelihood of the levels in training, in nats."""
        if not training:
            return super().loss(utilities, ratings)
        thresholds = tf.concat([[-_FAR], self.thresholds(), [_FAR]], axis=0)
        levels = tf.searchsorted(self._levels, ratings)
        low = tf.gather(thresholds, levels) - utilities
        high = tf.gather(thresholds, levels + 1) - utilities
        # log(sigmoid(high) - sigmoid(low)), without the difference of two numbers near 1.
        inside = tf.math.log1p(-tf.exp(tf.minimum(low - high, -1e-6)))
        return -tf.reduce_mean(tf.math.log_sigmoid(high) + tf.math.log_sigmoid(-low) + inside)

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Expectations over the levels."""
        above = tf.sigmoid(utilities[..., None] - self.thresholds())
        return self._lowest + tf.reduce_sum(above * self._steps, axis=-1)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """The probability of a level from the threshold of a like on."""
        thresholds = tf.concat([[-_FAR], self.thresholds(), [_FAR]], axis=0)
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
        self._threshold = like_threshold
        self._disliked_stars = float(ratings[~liked].mean(dtype=np.float64))
        self._liked_stars = float(ratings[liked].mean(dtype=np.float64))

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Mean cross-entropy, in validation too."""
        liked = tf.cast(ratings >= self._threshold, tf.float32)
        return tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=liked, logits=utilities)
        )

    def stars(self, utilities: tf.Tensor) -> tf.Tensor:
        """Expected stars."""
        likes = tf.sigmoid(utilities)
        return self._disliked_stars + likes * (self._liked_stars - self._disliked_stars)

    def scores(self, utilities: tf.Tensor) -> tf.Tensor:
        """Movies are ranked by the probability of a like."""
        return self.likes(utilities)

    def likes(self, utilities: tf.Tensor) -> tf.Tensor:
        """The probability of a like."""
        return tf.sigmoid(utilities)


def make_output(ratings: Float32, config: ModelConfig) -> Output:
    """The output that the configuration asks for, its scale taken from the train ratings.

    Raises:
        BadInput: the ratings do not suit it.
    """
    if config.rating_head == "like":
        return LikeOutput(ratings, config.like_threshold)
    if config.rating_output == "ordinal":
        return OrdinalOutput(ratings, config.like_threshold)
    return MeanOutput(ratings)

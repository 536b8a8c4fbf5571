"""The rating model: a head, an output, and optionally day effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.baselines.biases import Biases
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Float32
from reelflow.model.rating.days import DayEffects, serving_day
from reelflow.model.rating.frozen import FrozenModel, FrozenRatings
from reelflow.model.rating.heads import Factors, RatingHead
from reelflow.model.rating.likes import Calibration, LikeCurve
from reelflow.model.rating.networks import Towers, dcn_head, like_head, mlp_head
from reelflow.model.rating.outputs import RATING_OUTPUTS, MeanOutput, Output
from reelflow.model.rating.svdpp import SvdPlusPlus
from reelflow.model.stars import like_threshold
from reelflow.model.weights import Weight, numbered, prefixed
from reelflow.saved_model.files import CrossWeights


@dataclass(frozen=True)
class HeadEntry:
    """One line of the table of rating heads."""

    make: Callable[[EncodedData, ModelConfig, Towers], RatingHead]
    """Makes the untrained head; only `model.rating_share_embeddings` uses the towers."""
    output: str | None = None
    """Name of the only output that suits the head; None leaves it to `model.rating_output`."""


RATING_HEADS: Final[Mapping[str, HeadEntry]] = {
    "svdpp": HeadEntry(lambda data, config, towers: SvdPlusPlus(data, config)),
    "mlp": HeadEntry(mlp_head),
    "dcn": HeadEntry(dcn_head),
    "like": HeadEntry(like_head, output="like"),
}
"""Name in `model.rating_head` to the head."""


class RatingModel(keras.layers.Layer):
    """Predicts the stars that users give movies: utility = intercept + head + day effects.

    The head (`model.rating_head`) maps a pair to one number, its utility; the output
    (`model.rating_output`) turns utilities into stars and into the loss.
    """

    def __init__(self, data: EncodedData, config: ModelConfig, towers: Towers) -> None:
        """Make the untrained model.

        Args:
            data: for the sizes, the catalogue, and the train ratings.
            config: names head and output, and their sizes.
            towers: the retrieval model's, for heads that share their embeddings.

        Raises:
            BadInput: the ratings do not suit the configured output.
        """
        super().__init__(name="rating")
        self._output = make_output(data.train.rating, config)
        self._head = RATING_HEADS[config.rating_head].make(data, config, towers)
        timed = config.rating_day_effects and data.sizes.has_timestamps
        day = config.rating_day or serving_day(data)
        self._days = DayEffects(data, config.rating_day_l2, day) if timed else None

    def call(
        self,
        users: tf.Tensor,
        movies: tf.Tensor,
        times: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Return utilities of known pairs, float32 [batch]; with the mean output they are stars.

        Args:
            users: int [batch].
            movies: int [batch].
            times: seconds, int64 [batch], for day effects; by default those of serving.
            training: leaves the pair itself out of the bags of both sides, and adds L2 losses.
        """
        utilities = self._output.intercept + self._head(users, movies, training=training)
        if self._days is None:
            return utilities
        times = self._days.served(users) if times is None else times
        return utilities + self._days(users, movies, times, training=training)

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the mean loss of utilities, a scalar; see `Output.loss`."""
        return self._output.loss(utilities, ratings, training)

    def freeze(self) -> FrozenModel:
        """Return the trained model in the form that is exported."""
        return FrozenModel(self._head.freeze(), self._output, self._days)

    def named_weights(self) -> dict[str, Weight]:
        """Return all weights, for a later model to start with."""
        return {
            **prefixed("head", self._head.named_weights()),
            **numbered("output", self._output.weights),
            **({} if self._days is None else prefixed("days", self._days.named_weights())),
        }

    def cross_weights(self) -> CrossWeights | None:
        """Return the cross weights of the head `dcn`; None for other heads."""
        return self._head.cross_weights()


def make_output(ratings: Float32, config: ModelConfig) -> Output:
    """Make the output that the head needs, or else the configured one.

    Args:
        ratings: of train, float32 [ratings]; the output takes its scale from them.
        config: names head and output.

    Raises:
        BadInput: the ratings do not suit the output.
    """
    name = RATING_HEADS[config.rating_head].output or config.rating_output
    return RATING_OUTPUTS[name](ratings, config)


def bias_ratings(data: EncodedData) -> FrozenRatings:
    """Make the ratings of a model without rating task: the mean with damped biases."""
    biases = Biases.of(data)
    users, movies = (side[:, None] for side in (biases.users, biases.movies))
    factors = Factors(
        users=np.hstack([users, np.ones_like(users)]),
        movies=np.hstack([np.ones_like(movies), movies]),
        directions=movies[:-1],
    )
    return FrozenRatings([FrozenModel(factors, MeanOutput(data.train.rating, unit=1.0), None)])


def freeze(
    models: Sequence[RatingModel],
    bayesian: FrozenModel | None = None,
    curve: LikeCurve | None = None,
) -> FrozenRatings:
    """Export models of different seeds, a Bayesian one and a curve of likes as one."""
    return FrozenRatings([model.freeze() for model in models], bayesian, curve)


def like_curve(
    ratings: FrozenRatings,
    held_out: EncodedRatings,
    data: EncodedData,
    served: EncodedData,
    config: ModelConfig,
) -> LikeCurve | None:
    """Calibrate the probability of a like on ratings that a model does not know.

    Args:
        ratings: trained on the train ratings of `data`.
        held_out: ratings of known users and movies.
        data: for the threshold of a like, and the users' habits that `ratings` knows.
        served: with the train ratings that the exported model knows.
        config: the section `model`.

    Returns:
        None if the output gives likes itself, and where the ratings held out do not teach them.
    """
    if ratings.gives_likes or not len(held_out):
        return None
    pairs = tf.constant(held_out.user_index), tf.constant(held_out.movie_index)
    threshold = like_threshold(data.train.rating, config)
    found = Calibration.of(ratings.stars(*pairs).numpy(), held_out, data, threshold)
    return None if found is None else found.curve(served)

"""The rating model: a head, an output, and day effects if they are wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.baselines.biases import Biases
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.rating import fields as f
from reelflow.model.rating.days import DayEffects
from reelflow.model.rating.frozen import Factors, FrozenHead, FrozenModel, FrozenRatings, Network
from reelflow.model.rating.networks import Dcn, Mlp
from reelflow.model.rating.outputs import MeanOutput, make_output
from reelflow.model.rating.svdpp import SvdPlusPlus
from reelflow.model.towers import CandidateTower, QueryTower
from reelflow.model.weights import Weight, below, whole
from reelflow.saved_model.files import CrossWeights

Towers = tuple[QueryTower, CandidateTower]

LIKE_GENRES = 2
"""Genres of a movie that the like classifier looks at."""


class RatingModel(keras.layers.Layer):
    """Which stars a user would give a movie; `model.rating_head` says by which design."""

    def __init__(self, data: EncodedData, config: ModelConfig, towers: Towers) -> None:
        """Make the untrained model.

        Args:
            data: for the sizes, the catalogue, and what train has.
            config: head, output and their sizes.
            towers: the retrieval model's, for heads that share their embeddings.

        Raises:
            BadInput: the ratings do not suit the configured output.
        """
        super().__init__(name="rating")
        self._output = make_output(data.train.rating, config)
        if config.rating_head == "svdpp":
            self._head: SvdPlusPlus | NetworkHead = SvdPlusPlus(data, config)
        else:
            self._head = NetworkHead(data, config, towers)
        timed = config.rating_day_effects and data.sizes.has_timestamps
        self._days = DayEffects(data, config.rating_day_l2) if timed else None

    def call(
        self,
        users: tf.Tensor,
        movies: tf.Tensor,
        times: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Utilities of known pairs, float32 [batch]; with the mean output they are stars.

        Args:
            users: int [batch].
            movies: int [batch].
            times: seconds, int64 [batch]; used with day effects alone.
            training: leaves the pair itself out of what is known of the two, and adds L2 losses.
        """
        utilities = self._output.intercept + self._head(users, movies, training=training)
        if self._days is None:
            return utilities
        times = self._days.latest(users) if times is None else times
        return utilities + self._days(users, movies, times, training=training)

    def loss(
        self, utilities: tf.Tensor, ratings: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Mean loss of utilities, a scalar; see `Output.loss`."""
        return self._output.loss(utilities, ratings, training)

    def freeze(self) -> FrozenModel:
        """What of the trained model is exported."""
        return FrozenModel(self._head.freeze(), self._output, self._days)

    def named_weights(self) -> dict[str, Weight]:
        """What a later model can begin with; all of its weights."""
        return {
            **below("head", self._head.named_weights()),
            **whole("output", self._output.weights),
            **({} if self._days is None else below("days", self._days.named_weights())),
        }

    def cross_weights(self) -> CrossWeights | None:
        """Size of the cross weights of a DCN; None for other heads."""
        return self._head.cross_weights()


class NetworkHead(keras.layers.Layer):
    """The heads `mlp`, `dcn` and `like`: embedded fields, and a network on them."""

    def __init__(self, data: EncodedData, config: ModelConfig, towers: Towers) -> None:
        super().__init__(name=config.rating_head)
        fields = [f.user_field(data), f.movie_field(data)]
        if config.rating_head == "dcn":
            fields += [f.genres_field(data), f.year_field(data)]
            if config.movie_features:
                fields += f.token_fields(data.movie_features, of_user=False)
            if config.user_features:
                fields += f.token_fields(data.user_features, of_user=True)
            self._network: Mlp | Dcn = Dcn(
                config.rating_cross_layers, config.rating_units, config.rating_dropout
            )
        else:
            self._network = Mlp(config.rating_units, config.rating_dropout)
        if config.rating_head == "like":
            fields += [*f.genre_fields(data, LIKE_GENRES), f.year_field(data)]
        if config.rating_share_embeddings:
            self._embeddings: f.TowerEmbeddings | f.FieldEmbeddings = f.TowerEmbeddings(
                data.sizes.users, *towers
            )
        else:
            size, l2 = config.rating_embedding_size, config.rating_l2
            self._embeddings = f.FieldEmbeddings(fields, size, l2)

    def call(self, users: tf.Tensor, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Utilities less the intercept, float32 [batch]."""
        return self._network(self._embeddings(users, movies, training=training), training=training)

    def freeze(self) -> FrozenHead:
        """All embeddings taken once."""
        return Network(*self._embeddings.tables(), self._network)

    def named_weights(self) -> dict[str, Weight]:
        """What a later model can begin with; the network's once it was called."""
        return {**self._embeddings.named_weights(), **whole("network", self._network.weights)}

    def cross_weights(self) -> CrossWeights | None:
        """Size of the cross weights of a DCN; None for other heads."""
        if not isinstance(self._network, Dcn):
            return None
        return self._network.cross_weights([field.name for field in self._embeddings.fields])


def bias_ratings(data: EncodedData) -> FrozenRatings:
    """Stars without a rating task: the mean with damped biases of users and movies; no training."""
    biases = Biases.of(data)
    users, movies = (side[:, None] for side in (biases.users, biases.movies))
    factors = Factors(
        users=np.hstack([users, np.ones_like(users)]),
        movies=np.hstack([np.ones_like(movies), movies]),
        directions=movies[:-1],
    )
    return FrozenRatings([FrozenModel(factors, MeanOutput(data.train.rating), None)])


def freeze(models: Sequence[RatingModel]) -> FrozenRatings:
    """Models of different seeds as one."""
    return FrozenRatings([model.freeze() for model in models])

"""The heads `mlp`, `dcn` and `like`: embedded fields of a pair, and a network on them."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.candidates import CandidateTower
from reelflow.model.layers import rows_of
from reelflow.model.rating import fields as f
from reelflow.model.rating.heads import FrozenHead, RatingHead
from reelflow.model.towers import QueryTower
from reelflow.model.weights import Weight, numbered
from reelflow.saved_model.files import CrossWeights

Towers = tuple[QueryTower, CandidateTower]

LIKE_GENRES = 2
"""Genres of a movie that the head `like` looks at."""


class Mlp(keras.layers.Layer):
    """Fields side by side, dropout, dense layers with ReLU, and one linear output.

    With 256 and 128 units on user and movie it is the rating model of TFRS's tutorials; with 10
    units on user, movie, two genres and year it is the classifier of likes.
    """

    def __init__(self, units: Sequence[int], dropout: float) -> None:
        super().__init__(name="mlp")
        self._dropout = keras.layers.Dropout(dropout)
        self._layers = [keras.layers.Dense(count, "relu") for count in units]
        self._last = keras.layers.Dense(1)

    def call(self, fields: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Map fields, float32 [batch, fields, size], to utilities, float32 [batch]."""
        hidden = self._dropout(_side_by_side(fields), training=training)
        for layer in self._layers:
            hidden = layer(hidden)
        return tf.squeeze(self._last(hidden), axis=1)


class Dcn(keras.layers.Layer):
    """Cross layers, then dense ones (Wang et al. 2021, "DCN V2", the stacked form).

    A cross layer computes x_0 * (W x + b) + x, so that each one raises by one the degree of the
    polynomials of the fields that the network can represent.
    """

    def __init__(self, cross_layers: int, units: Sequence[int], dropout: float) -> None:
        super().__init__(name="dcn")
        self._crosses = [tfrs.layers.dcn.Cross() for _ in range(cross_layers)]
        self._dropout = keras.layers.Dropout(dropout)
        self._layers = [keras.layers.Dense(count, "relu") for count in units]
        self._last = keras.layers.Dense(1)

    def call(self, fields: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Map fields, float32 [batch, fields, size], to utilities, float32 [batch]."""
        start = crossed = self._dropout(_side_by_side(fields), training=training)
        for cross in self._crosses:
            crossed = cross(start, crossed)
        hidden = crossed
        for layer in self._layers:
            hidden = layer(hidden)
        return tf.squeeze(self._last(hidden), axis=1)

    def cross_weights(self, names: Sequence[str]) -> CrossWeights:
        """Return the Frobenius norms of the first cross layer's weights, field by field.

        As in TFRS's tutorial on DCN.

        Args:
            names: of the fields, in order.
        """
        kernel = self._crosses[0].weights[0]
        size = kernel.shape[0] // len(names)
        blocks = tf.reshape(kernel, [len(names), size, len(names), size])
        norms = tf.sqrt(tf.reduce_sum(tf.square(blocks), axis=[1, 3]))
        return CrossWeights(features=list(names), norms=norms.numpy().round(4).tolist())


class NetworkHead(RatingHead):
    """A rating head that is a network on the embedded fields of a pair."""

    def __init__(
        self, name: str, network: Mlp | Dcn, embeddings: f.TowerEmbeddings | f.FieldEmbeddings
    ) -> None:
        """Put the parts together.

        Args:
            name: of the Keras layer.
            network: maps float32 [batch, fields, size] to utilities, float32 [batch].
            embeddings: map users and movies to float32 [batch, fields, size].
        """
        super().__init__(name=name)
        self._network = network
        self._embeddings = embeddings

    def call(self, users: tf.Tensor, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return utilities less the intercept, float32 [batch]."""
        return self._network(self._embeddings(users, movies, training=training), training=training)

    def freeze(self) -> FrozenNetwork:
        """Embed all users and movies once."""
        return FrozenNetwork(*self._embeddings.tables(), self._network)

    def named_weights(self) -> dict[str, Weight]:
        """Return the weights that a later model can start with; the network's once it is built."""
        return {**self._embeddings.named_weights(), **numbered("network", self._network.weights)}

    def cross_weights(self) -> CrossWeights | None:
        """Return the cross weights of a deep & cross network; None for other networks."""
        if not isinstance(self._network, Dcn):
            return None
        return self._network.cross_weights([field.name for field in self._embeddings.fields])


class FrozenNetwork(FrozenHead):
    """An exported network with the embedded fields of all users and movies."""

    def __init__(self, users: tf.Tensor, movies: tf.Tensor, network: keras.layers.Layer) -> None:
        """Keep tables and network.

        Args:
            users: embedded fields, float32 [users + 1, fields, size]; the last is the unknown user.
            movies: the same of movies.
            network: maps float32 [batch, fields, size], the user's first, to utilities [batch].
        """
        super().__init__()
        self._users = tf.Variable(users, trainable=False)
        self._movies = tf.Variable(movies, trainable=False)
        self._network = network

    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the utilities of pairs, float32 [batch]."""
        fields = [rows_of(self._users, users), rows_of(self._movies, movies)]
        return self._network(tf.concat(fields, axis=1), training=False)

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Return the utilities of users with every movie, float32 [batch, movies].

        One pass a distinct user, which bounds memory.
        """
        unique, where = tf.unique(users)
        movies = tf.range(tf.shape(self._movies)[0] - 1)
        rows = tf.map_fn(
            lambda user: self.pairs(tf.fill(tf.shape(movies), user), movies),
            unique,
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )
        return tf.gather(rows, where)

    @property
    def directions(self) -> tf.Tensor:
        """The movies' embedded fields side by side, float32 [movies, fields x size]."""
        movies = self._movies[:-1]
        return tf.reshape(movies, [-1, movies.shape[1] * movies.shape[2]])


def mlp_head(data: EncodedData, config: ModelConfig, towers: Towers) -> NetworkHead:
    """Make the head `mlp`: user and movie, embedded by the head itself or by the towers."""
    network = Mlp(config.rating_units, config.rating_dropout)
    if config.rating_share_embeddings:
        return NetworkHead("mlp", network, f.TowerEmbeddings(data.sizes.users, *towers))
    return NetworkHead("mlp", network, _embeddings(data, config, []))


def dcn_head(data: EncodedData, config: ModelConfig, towers: Towers) -> NetworkHead:
    """Make the head `dcn`: user, movie, genres, year, and the features that are switched on."""
    fields = [f.genres_field(data), f.year_field(data)]
    if config.movie_features:
        fields += f.token_fields(data.movie_features, of_user=False)
    if config.user_features:
        fields += f.token_fields(data.user_features, of_user=True)
    network = Dcn(config.rating_cross_layers, config.rating_units, config.rating_dropout)
    return NetworkHead("dcn", network, _embeddings(data, config, fields))


def like_head(data: EncodedData, config: ModelConfig, towers: Towers) -> NetworkHead:
    """Make the head `like`: user, movie, two genres and year."""
    fields = [*f.genre_fields(data, LIKE_GENRES), f.year_field(data)]
    network = Mlp(config.rating_units, config.rating_dropout)
    return NetworkHead("like", network, _embeddings(data, config, fields))


def _embeddings(
    data: EncodedData, config: ModelConfig, further: Sequence[f.Field]
) -> f.FieldEmbeddings:
    fields = [f.user_field(data), f.movie_field(data), *further]
    return f.FieldEmbeddings(fields, config.rating_embedding_size, config.rating_l2)


def _side_by_side(fields: tf.Tensor) -> tf.Tensor:
    return tf.reshape(fields, [-1, fields.shape[1] * fields.shape[2]])

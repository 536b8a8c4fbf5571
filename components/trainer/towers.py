"""The query tower (who asks) and the candidate tower (which film): the score is their product."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.transform.encoded import EncodedCatalogue
from pipeline.config import ModelConfig
from ratings.errors import BadInput

UNKNOWN_USER_RATE = 0.1
"""Share of training rows whose user is hidden, so that histories alone make good queries too."""


class QueryTower(keras.layers.Layer):
    """The sum of a user's own embedding and of the last films', weighted by how recent they are.

    The position weights are learned; the films' embeddings are not the candidates' own, because
    "was watched" and "will be watched" are two roles (as in SVD++, Koren 2008, section 4.1).
    """

    def __init__(self, users: int, movies: int, history_length: int, config: ModelConfig) -> None:
        if config.query == "history" and not history_length:
            raise BadInput(
                "model.query = 'history' needs timestamps, and the ratings have none.",
                "Set model.query to 'both' or 'user_id'.",
            )
        super().__init__(name="query_tower")
        size = config.embedding_size
        self.history_length = history_length if config.query != "user_id" else 0
        self._users = users
        self._user = (
            keras.layers.Embedding(users + 1, size, _small(), name="user")
            if config.query != "history"
            else None
        )
        if self.history_length:
            self._history = keras.layers.Embedding(movies + 1, size, _small(), name="history")
            self._position_weights = self.add_weight(
                name="position_weights",
                shape=[self.history_length],
                initializer=lambda shape, dtype=None: (
                    1.0 / tf.cast(tf.range(shape[0], 0, -1), tf.float32)
                ),
            )
        self._padding = movies
        self._dropout = keras.layers.Dropout(config.query_dropout)

    def call(self, users: tf.Tensor, recent: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Embeds queries.

        Args:
            users: `user_index`, int [batch].
            recent: `movie_index` of the last films, the newest last, int [batch, history_length],
                padded on the left with the unknown film.
            training: hides some users and drops out.

        Returns:
            float32 [batch, embedding_size + 1]; the last column is 1 and meets the film's bias.
        """
        parts = []
        if self._user is not None:
            parts.append(self._user(self._hide_some(users) if training else users))
        if self.history_length:
            known = tf.cast(recent != self._padding, tf.float32)
            weights = known * self._position_weights
            parts.append(tf.einsum("bh,bhd->bd", weights, self._history(recent)))
        query = self._dropout(tf.add_n(parts), training=training)
        return tf.concat([query, tf.ones_like(query[:, :1])], axis=1)

    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, candidates: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes scores apart: the query is a sum, so its product with a candidate is one too.

        Args:
            users: as for a call, outside of training.
            recent: as for a call.
            candidates: one for each query, float32 [batch, embedding_size + 1].

        Returns:
            What each film of `recent` adds, float32 [batch, history_length], 0 for padding; and
            what the user's own embedding and the candidate's bias add, float32 [batch].
        """
        embedding, rest = candidates[:, :-1], candidates[:, -1]
        if self._user is not None:
            rest += tf.reduce_sum(self._user(users) * embedding, axis=1)
        if not self.history_length:
            return tf.zeros_like(recent, tf.float32), rest
        known = tf.cast(recent != self._padding, tf.float32)
        products = tf.einsum("bhd,bd->bh", self._history(recent), embedding)
        return known * self._position_weights * products, rest

    def _hide_some(self, users: tf.Tensor) -> tf.Tensor:
        if not self.history_length:
            return users
        hidden = tf.random.uniform(tf.shape(users)) < UNKNOWN_USER_RATE
        return tf.where(hidden, tf.cast(self._users, users.dtype), users)


class CandidateTower(keras.layers.Layer):
    """The sum of the film's own, its genres' and its year's embedding, and a bias."""

    def __init__(self, catalogue: EncodedCatalogue, genres: int, config: ModelConfig) -> None:
        super().__init__(name="candidate_tower")
        movies, size = len(catalogue), config.embedding_size
        self._movie = self.add_weight("movie", [movies, size], initializer=_small())
        self._bias = self.add_weight("bias", [movies, 1], initializer="zeros")
        self._sides = []
        if config.genres:
            weights = self.add_weight("genres", [genres, size], initializer=_small())
            self._sides.append((genre_shares(catalogue, genres), weights))
        if config.year:
            weights = self.add_weight("year", [1, size], initializer=_small())
            self._sides.append((tf.constant(catalogue.year_scaled)[:, None], weights))

    def call(self, movies: tf.Tensor) -> tf.Tensor:
        """Embeds some candidates.

        Args:
            movies: `movie_index`, int [batch].

        Returns:
            float32 [batch, embedding_size + 1]; the last column is the bias.
        """
        embedding = tf.gather(self._movie, movies)
        for table, weights in self._sides:
            embedding += tf.matmul(tf.gather(table, movies), weights)
        return tf.concat([embedding, tf.gather(self._bias, movies)], axis=1)

    def catalogue(self) -> tf.Tensor:
        """Embeds every film, float32 [movies, embedding_size + 1], in vocabulary order.

        No gather, so that the gradient of the whole table stays dense.
        """
        embedding = self._movie + sum(tf.matmul(t, w) for t, w in self._sides)
        return tf.concat([embedding, self._bias], axis=1)


def genre_shares(catalogue: EncodedCatalogue, genres: int) -> tf.Tensor:
    """Rows that sum to 1 over a film's genres (0 where it has none), float32 [movies, genres]."""
    counts = tf.constant(catalogue.genre_counts)
    rows = tf.repeat(tf.range(len(catalogue)), counts)
    shares = 1.0 / tf.cast(tf.gather(counts, rows), tf.float32)
    cells = tf.stack([rows, tf.constant(catalogue.genre_indices)], axis=1)
    return tf.scatter_nd(cells, shares, [len(catalogue), genres])


def _small() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.05)

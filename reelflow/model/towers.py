"""The query tower; a score is the dot product of its output and the candidate tower's."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import Tokens
from reelflow.model.attention import TimelineEncoder
from reelflow.model.histories import GAPS
from reelflow.model.layers import Bags, dense_layers, rows_of, small
from reelflow.model.sequences import Sequences
from reelflow.model.timelines import Past
from reelflow.model.weights import MOVIES, USERS, Weight, numbered

UNKNOWN_USER_RATE = 0.1
"""Share of training rows whose user is hidden, so that queries by history alone are trained too."""


class QueryTower(keras.layers.Layer):
    """Embeds a user and the user's last movies: u + sum over t of w_t * (h(m_t) + o_t g(m_t)).

    Position weights w are learned, and so are embeddings h of watched movies apart from those of
    the candidate tower (as in SVD++, Koren 2008, section 4.1), and embeddings g of what an opinion
    o of them adds (`model.history_stars`). `model.query` drops the user or the history, or puts
    causal self-attention in place of the sum (`attention.TimelineEncoder`), whose movies also know
    the time since the one before them, as in TiSASRec (Li et al. 2020, "Time interval aware
    self-attention for sequential recommendation"), though by one embedding for each gap; with
    `model.user_features`, the embeddings of the user's attributes are added. Dense layers
    (`model.query_layers`) may follow the sum.
    """

    def __init__(
        self,
        users: int,
        movies: int,
        history_length: int,
        config: ModelConfig,
        features: Tokens | None = None,
    ) -> None:
        """Make the tower.

        Args:
            users: number of users, which is also the index of the unknown user.
            movies: number of movies, which is also the index of padding.
            history_length: number of last movies, 0 without timestamps.
            config: the section `model`.
            features: users' attributes, with `model.user_features`.

        Raises:
            BadInput: `model.query` is 'history' by last movies alone, and there are no timestamps.
        """
        if config.query == "history" and not history_length and not config.query_bag:
            raise BadInput(
                "The last movies of model.query = 'history' need timestamps, and the ratings have "
                "none.",
                "Set model.query_bag to true, or model.query to 'both' or 'user_id'.",
            )
        if config.query == "sequence" and not history_length:
            raise BadInput(
                "The sequences of model.query = 'sequence' need timestamps, and the ratings have "
                "none.",
                "Set model.query to 'both' or 'user_id'.",
            )
        super().__init__(name="query_tower")
        size = config.embedding_size
        self.history_length = history_length if config.query != "user_id" else 0
        self._users = users
        self._user = (
            keras.layers.Embedding(users + 1, size, small(), name="user")
            if config.query not in ("history", "sequence")
            else None
        )
        self._encoder: TimelineEncoder | None = None
        if self.history_length:
            self._history = keras.layers.Embedding(movies + 1, size, small(), name="history")
            self._opinion = None
            if config.history_stars:
                self._opinion = keras.layers.Embedding(movies + 1, size, "zeros", name="opinion")
            if config.query == "sequence":
                self._encoder = TimelineEncoder(config, self.history_length)
                self._gap = keras.layers.Embedding(GAPS, size, "zeros", name="gap")
            else:
                self._position_weights = self.add_weight(
                    name="position_weights",
                    shape=[self.history_length],
                    initializer=lambda shape, dtype=None: (
                        1.0 / tf.cast(tf.range(shape[0], 0, -1), tf.float32)
                    ),
                )
        self._features = None
        if features is not None and features.words:
            bags = Bags(features.owners, features.indices, users + 1)
            weights = self.add_weight("features", [len(features.words), size], initializer=small())
            self._features = bags, weights
        self._bag: tf.Variable | None = None
        if config.query_bag and config.query != "user_id":
            self._bag = self.add_weight("bag", [movies + 1, size], initializer=small())
        # The sums over users' attributes, which the exported model has instead of the attributes.
        self._frozen: tf.Variable | None = None
        self._padding = movies
        self._dropout = keras.layers.Dropout(config.query_dropout)
        self._layers = dense_layers(
            config.query_layers, config.layer_dropout, config.tower_l2, "query_layers"
        )

    def call(
        self,
        users: tf.Tensor,
        past: Past,
        bag: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Embed queries.

        Args:
            users: `user_index`, int [batch].
            past: the last movies, [batch, history_length], padded on the left.
            bag: sums over all rated movies (`sums_of`), float32 [batch, size], or None.
            training: True hides some users and applies dropout.

        Returns:
            float32 [batch, size + 1]; the last column is 1 and meets the movie's bias.
        """
        history = None
        if self._encoder is not None:
            known = past.movies != self._padding
            encoded = self._encoder(self._felt(past), known, training=training)
            history = tf.where(known[:, -1:], encoded[:, -1], 0.0)
        elif self.history_length:
            known = tf.cast(past.movies != self._padding, tf.float32)
            history = tf.einsum("bh,bhd->bd", known * self._position_weights, self._felt(past))
        return self._sum(users, history, bag, training)

    def along(
        self,
        sequences: Sequences,
        bag: tf.Tensor | None = None,
        without_targets: bool = False,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Embed queries at all positions of windows of timelines, equal to a call for each.

        Args:
            sequences: the windows.
            bag: sums over all rated movies (`sums_of`), float32 [windows * length, size], or None.
            without_targets: leave the rated movie itself out of its history.
            training: as for a call.

        Returns:
            float32 [windows * length, size + 1].
        """
        history = None
        if self._encoder is not None:
            history = self._encoded_along(self._encoder, sequences, training)
        elif self.history_length:
            ages = sequences.ages()
            if without_targets:
                itself = sequences.past.movies[:, None, :] == sequences.targets[:, :, None]
                ages = tf.where(itself, -1, ages)
            # By age, and a zero for what is no part of a history.
            by_age = tf.concat([[0.0], tf.reverse(self._position_weights, [0])], axis=0)
            weights = tf.gather(by_age, ages + 1)
            history = tf.matmul(weights, self._felt(sequences.past))
            history = tf.reshape(history, [-1, history.shape[2]])
        return self._sum(tf.reshape(sequences.users, [-1]), history, bag, training)

    def _felt(self, past: Past) -> tf.Tensor:
        """Embed past movies with what opinions and gaps add, float32 [rows, n, size]."""
        embedded = self._history(past.movies)
        if self._opinion is not None:
            embedded += past.opinions[:, :, None] * self._opinion(past.movies)
        if self._encoder is not None:
            embedded += self._gap(past.gaps)
        return embedded

    def _encoded_along(
        self, encoder: TimelineEncoder, sequences: Sequences, training: bool | None
    ) -> tf.Tensor:
        """Return what the last movie before each position sees, float32 [windows * length, size].

        In one pass. What a movie saw may begin before the window of its position, which a call
        does not know.
        """
        encoded = encoder(
            self._felt(sequences.past),
            sequences.past.movies != self._padding,
            sequences.owners(),
            training=training,
        )
        last = tf.gather(encoded, tf.maximum(sequences.ends - 1, 0), axis=1, batch_dims=1)
        last = tf.where(sequences.counts[:, :, None] > 0, last, 0.0)
        return tf.reshape(last, [-1, last.shape[2]])

    def _sum(
        self,
        users: tf.Tensor,
        history: tf.Tensor | None,
        bag: tf.Tensor | None,
        training: bool | None,
    ) -> tf.Tensor:
        parts = [part for part in (history, bag) if part is not None]
        if self._knows_users:
            parts.append(self._user_side(self._hide_some(users) if training else users))
        query = self._dropout(tf.add_n(parts), training=training)
        if self._layers is not None:
            query = self._layers(query, training=training)
        return tf.concat([query, tf.ones_like(query[:, :1])], axis=1)

    @property
    def uses_bag(self) -> bool:
        """True if queries depend on all rated movies."""
        return self._bag is not None

    @property
    def splits_bag(self) -> bool:
        """True if queries are a sum of all rated movies, which no dense layers follow."""
        return self.uses_bag and self._layers is None

    @property
    def uses_histories(self) -> bool:
        """True if a history alone makes a query."""
        return bool(self.history_length) or self.uses_bag

    def sums_of(self, bags: Bags, users: tf.Tensor, without: tf.Tensor | None) -> tf.Tensor:
        """Sum over the movies that users have rated in train; see `Bags.sums`."""
        return bags.sums(users, self._bag, without)

    def sums_at(self, rows: tf.Tensor, movies: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Sum over rated movies, with the row of the batch of each, as `sums_of` does."""
        ones = tf.ones_like(rows, tf.float32)
        cells = tf.cast(tf.stack([rows, movies], axis=1), tf.int64)
        shape = tf.cast(tf.stack([batch, self._padding + 1]), tf.int64)
        sums = tf.sparse.sparse_dense_matmul(tf.SparseTensor(cells, ones, shape), self._bag)
        counts = tf.math.unsorted_segment_sum(ones, rows, batch)
        return sums * tf.math.rsqrt(tf.maximum(counts, 1.0))[:, None]

    def bag_parts(self, rated: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        """Return what each rated movie adds to queries through the sum over all of them.

        Args:
            rated: `movie_index`, int [batch, n], padded with the unknown movie.
            counts: number of rated movies in the sum, float32 [batch].

        Returns:
            float32 [batch, n, size].
        """
        scale = tf.math.rsqrt(tf.maximum(counts, 1.0))
        return rows_of(self._bag, rated) * scale[:, None, None]

    def parts(self, users: tf.Tensor, past: Past) -> tf.Tensor:
        """Return what each movie of the history adds to queries.

        A query that is a sum splits exactly. Behind dense layers a movie's part is by how much the
        query changes without it.

        Args:
            users: as for a call, outside of training.
            past: as for a call, outside of training.

        Returns:
            float32 [batch, history_length, size], 0 for padding.
        """
        known = tf.cast(past.movies != self._padding, tf.float32)
        if self._layers is None and self._encoder is None:
            weights = known * self._position_weights
            return weights[:, :, None] * self._felt(past)
        length = self.history_length
        left_out = tf.eye(length, dtype=tf.bool)[None]
        others = tf.where(left_out, self._padding, past.movies[:, None, :])
        repeated = Past(*(tf.repeat(column, length, axis=0) for column in past))
        repeated = repeated._replace(movies=tf.reshape(others, [-1, length]))
        queries, without = self(users, past), self(tf.repeat(users, length), repeated)
        without = tf.reshape(without, [-1, length, queries.shape[1]])
        return known[:, :, None] * (queries[:, None, :] - without)[:, :, :-1]

    def named_weights(self) -> dict[str, Weight]:
        """Return the weights for a later model to start with: all but users' attributes."""
        named = numbered("layers", [] if self._layers is None else self._layers.weights)
        if self._user is not None:
            # Without history no user is hidden in training, and the last row stays untrained.
            unknown = self.uses_histories
            named["user"] = Weight(self._user.embeddings, USERS, has_unknown_row=unknown)
        if self.history_length:
            named["history"] = Weight(self._history.embeddings, MOVIES)
            if self._encoder is None:
                named["position_weights"] = Weight(self._position_weights)
            else:
                named |= numbered("encoder", self._encoder.weights)
                named["gap"] = Weight(self._gap.embeddings)
            if self._opinion is not None:
                named["opinion"] = Weight(self._opinion.embeddings, MOVIES)
        if self._bag is not None:
            named["bag"] = Weight(self._bag, MOVIES)
        return named

    @property
    def _knows_users(self) -> bool:
        return self._user is not None or self._features is not None

    def _user_side(self, users: tf.Tensor) -> tf.Tensor:
        """Return the sum of users' own embeddings and their attributes', float32 [batch, size]."""
        if self._frozen is not None:
            return tf.gather(self._frozen, users)
        parts = [] if self._user is None else [self._user(users)]
        if self._features is not None:
            bags, weights = self._features
            parts.append(bags.sums(users, weights))
        return tf.add_n(parts)

    def freeze(self) -> None:
        """Replace users' attributes by their sums, so that an export does not contain them."""
        if self._features is not None and self._frozen is None:
            self._frozen = tf.Variable(self._user_side(tf.range(self._users + 1)), trainable=False)

    def _hide_some(self, users: tf.Tensor) -> tf.Tensor:
        if not self.uses_histories:
            return users
        hidden = tf.random.uniform(tf.shape(users)) < UNKNOWN_USER_RATE
        return tf.where(hidden, tf.cast(self._users, users.dtype), users)

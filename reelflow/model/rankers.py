"""The first stage of a list: retrieval scores of the whole catalogue for requests."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import tensorflow as tf

from reelflow.encoding.encoded import EncodedData
from reelflow.model.items import LinearItems
from reelflow.model.ranking import LOWEST, block_size, standardised
from reelflow.model.rating import FrozenRatings
from reelflow.model.tasks import JointModel


@dataclass(frozen=True)
class Asked:
    """Knowledge of the users of a batch of requests, the requests' own histories included."""

    users: tf.Tensor
    """`user_index`, int32 [batch]; that of the unknown user also for new users."""
    recent: tf.Tensor
    """Last movies, the newest last, int32 [batch, history_length], padded on the left."""
    opinions: tf.Tensor
    """Of `recent`, float32 [batch, history_length] (`Timelines.recent`)."""
    rated_rows: tf.Tensor
    """Row of the batch of each rated movie, int32 [n], in any order."""
    rated_movies: tf.Tensor
    """`movie_index`, int32 [n]; padding counts for nothing."""
    rated_opinions: tf.Tensor
    """float32 [n]."""
    is_known: tf.Tensor
    """True for users of train, bool [batch]."""
    has_rated: tf.Tensor
    """True where there is any rated movie, bool [batch]."""

    @property
    def batch(self) -> tf.Tensor:
        """The number of requests, a scalar."""
        return tf.size(self.users)

    @property
    def by_popularity(self) -> tf.Tensor:
        """True where nothing is known of the user, bool [batch]: the answer is what is popular."""
        return ~(self.is_known | self.has_rated)


class Ranker(tf.Module):
    """Retrieval scores of the whole catalogue, in vocabulary order."""

    history_length: int
    """Number of last movies that `Asked.recent` has; 0 if scores depend on none."""
    uses_histories: bool
    """True if a history alone gives recommendations of its own."""
    block: int
    """Movies in a block of `top_k`; `scores` is padded to a multiple of it."""

    @abstractmethod
    def scores(self, asked: Asked) -> tf.Tensor:
        """Score every movie, float32 [batch, movies and padding]; padding has the lowest score."""

    @abstractmethod
    def shares(
        self, asked: Asked, rated: tf.Tensor, opinions: tf.Tensor, movies: tf.Tensor
    ) -> tf.Tensor:
        """Return what rated movies add to the scores of others.

        Args:
            asked: one request for each pair of a user and a scored movie.
            rated: `movie_index` of rated movies, int32 [batch, n], each once a row, padded.
            opinions: of them, float32 [batch, n].
            movies: `movie_index` of the scored movies, known ones, int32 [batch].

        Returns:
            float32 [batch, n], in the scale of `scores`.
        """

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """Movie embeddings whose cosine is similarity, float32 [movies, size]."""


class TowerRanker(Ranker):
    """Ranks by the towers and the linear item model: (1 - share) z(towers) + share z(items).

    z is the standard score over the catalogue, query by query, so that one share suits all users.
    Who has rated nothing gets popularity in place of both.
    """

    def __init__(
        self, joint: JointModel, data: EncodedData, items: LinearItems | None, share: float
    ) -> None:
        super().__init__()
        candidates = joint.candidate_tower.catalogue()
        self._directions = candidates[:, :-1]
        # Log popularity is one more column, selected by the queries of users without history.
        popular = tf.math.log(joint.popularity)
        columns = tf.concat([candidates, popular[:, None]], axis=1)
        self._candidates = tf.Variable(columns, trainable=False)
        movies = len(data.catalogue)
        self.block = block_size(movies)
        self._padding = -movies % self.block
        self._padding_movie = movies
        joint.query_tower.freeze()
        self._query_tower = joint.query_tower
        self.history_length = joint.query_tower.history_length
        self._items, self._share = items, share if items is not None else 0.0
        self.uses_histories = joint.query_tower.uses_histories or self._share > 0

    def tower_scores(self, asked: Asked) -> tf.Tensor:
        """Multiply queries and candidates, float32 [batch, movies]."""
        bag = None
        if self._query_tower.uses_bag:
            rated = asked.rated_rows, asked.rated_movies
            bag = self._query_tower.sums_at(*rated, asked.batch)
        queries = self._query_tower(asked.users, asked.recent, asked.opinions, bag)
        blind = self._blind(asked)
        queries = tf.where(blind[:, None], 0.0, queries)
        queries = tf.concat([queries, tf.cast(blind, tf.float32)[:, None]], axis=1)
        return tf.matmul(queries, self._candidates, transpose_b=True)

    def item_scores(self, asked: Asked) -> tf.Tensor:
        """Sum the weights from all rated movies, float32 [batch, movies]."""
        assert self._items is not None
        rated = asked.rated_rows, asked.rated_movies, asked.rated_opinions
        return self._items.scores(*rated, asked.batch)

    def parts(self, asked: Asked) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the standardised scores of towers and items, float32 [batch, movies] each."""
        return standardised(self.tower_scores(asked)), standardised(self.item_scores(asked))

    def scores(self, asked: Asked) -> tf.Tensor:
        """Add up the standardised scores of towers and items."""
        scores = standardised(self.tower_scores(asked))
        if self._share:
            share = self._share * tf.cast(asked.has_rated, tf.float32)[:, None]
            scores = (1 - share) * scores + share * standardised(self.item_scores(asked))
        return tf.pad(scores, [[0, 0], [0, self._padding]], constant_values=LOWEST)

    def shares(
        self, asked: Asked, rated: tf.Tensor, opinions: tf.Tensor, movies: tf.Tensor
    ) -> tf.Tensor:
        """Split the towers' scores as `QueryTower.shares` does, and the sum over items."""
        candidates = tf.gather(self._candidates, movies)[:, :-1]
        split, _ = self._query_tower.shares(asked.users, asked.recent, asked.opinions, candidates)
        split = tf.where(self._blind(asked)[:, None], 0.0, split)
        same = tf.cast(rated[:, :, None] == asked.recent[:, None, :], tf.float32)
        towers = tf.einsum("bnh,bh->bn", same, split)
        ones = tf.ones_like(asked.rated_rows, tf.float32)
        counts = tf.math.unsorted_segment_sum(ones, asked.rated_rows, asked.batch)
        towers += self._query_tower.bag_shares(rated, counts, candidates)
        shares = (1 - self._share) * towers * _per_deviation(self.tower_scores(asked))
        if self._share:
            items = self._items.shares(rated, opinions, movies)  # type: ignore[union-attr]
            shares += self._share * items * _per_deviation(self.item_scores(asked))
        return tf.where(rated == self._padding_movie, 0.0, shares)

    def _blind(self, asked: Asked) -> tf.Tensor:
        """Return True where the query tower knows nothing, bool [batch]."""
        if not self._query_tower.uses_histories:
            return ~asked.is_known
        return ~asked.is_known & ~asked.has_rated

    @property
    def directions(self) -> tf.Tensor:
        """Candidate embeddings without their bias."""
        return self._directions


class RatingRanker(Ranker):
    """Ranks by the rating model's stars, or by its probabilities of a like."""

    history_length = 0
    uses_histories = False
    block = 1

    def __init__(self, joint: JointModel, ratings: FrozenRatings) -> None:
        super().__init__()
        self._ratings = ratings
        self._popularity = tf.Variable(tf.math.log(joint.popularity), trainable=False)

    def scores(self, asked: Asked) -> tf.Tensor:
        """Rate every movie; users that train does not have get popularity."""
        rated = self._ratings.scores(asked.users)
        return tf.where(asked.is_known[:, None], rated, self._popularity)

    def shares(
        self, asked: Asked, rated: tf.Tensor, opinions: tf.Tensor, movies: tf.Tensor
    ) -> tf.Tensor:
        """Return zeros: no movie of the history contributes."""
        return tf.zeros_like(rated, tf.float32)

    @property
    def directions(self) -> tf.Tensor:
        """The rating model's embeddings of the movies."""
        return self._ratings.directions


def _per_deviation(scores: tf.Tensor) -> tf.Tensor:
    """Return what `standardised` multiplies differences of each row by, float32 [batch, 1]."""
    deviation = tf.math.reduce_std(scores, axis=1, keepdims=True)
    return tf.math.divide_no_nan(1.0, deviation)

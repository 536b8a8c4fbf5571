"""Scores of the whole catalogue, exact top-k and exact ranks, in TensorFlow's own operations."""

from __future__ import annotations

import math
from abc import abstractmethod

import tensorflow as tf

from reelflow.encoding.encoded import EncodedData
from reelflow.model.rating import FrozenRatings
from reelflow.model.tasks import JointModel

LOWEST = tf.float32.min
"""Score of a movie that must not be recommended."""
_BLOCK_USERS = 8192
_MIN_BLOCKED_MOVIES = 2048


def mask(scores: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Set scores to `LOWEST`.

    Args:
        scores: float32 [batch, movies].
        cells: coordinates (row, movie), int32 [n, 2].
    """
    return tf.tensor_scatter_nd_update(scores, cells, tf.fill(tf.shape(cells)[:1], LOWEST))


def block_size(movies: int) -> int:
    """Return the number of movies in a block of `top_k`, a power of two; 1 for small catalogues."""
    return 1 << round(math.log2(movies / 4) / 2) if movies > _MIN_BLOCKED_MOVIES else 1


def top_k(scores: tf.Tensor, k: tf.Tensor, block: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    """Select the k best movies of each row; k is bounded by the catalogue's size.

    Blocks only save time: the k best are all within the k blocks with the highest maxima, ties
    included, because of equal scores both steps prefer the first.

    Args:
        scores: float32 [batch, movies]; `movies` must be a multiple of `block`.
        k: number of movies, a scalar.
        block: number of neighbouring movies whose maximum is compared first.

    Returns:
        Scores, float32 [batch, k], best first, and movies, int32 [batch, k], -1 where none is left.
    """
    k = tf.clip_by_value(k, 1, tf.shape(scores)[1])
    if block == 1:
        best, movies = tf.math.top_k(scores, k)
        return best, tf.where(best > LOWEST, movies, -1)
    rows = tf.shape(scores)[0]
    blocks = tf.reshape(scores, [rows, tf.shape(scores)[1] // block, block])
    highest = tf.reduce_max(blocks, axis=2)
    count = tf.minimum(k, tf.shape(highest)[1])
    chosen = tf.sort(tf.math.top_k(highest, count, sorted=False).indices, axis=1)
    contenders = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [rows, count * block])
    best, at = tf.math.top_k(contenders, k)
    movies = tf.gather(chosen, at // block, batch_dims=1) * block + at % block
    return best, tf.where(best > LOWEST, movies, -1)


def exact_ranks(
    scores: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Rank the targets; ties count against the model, so that a constant model ranks last.

    Args:
        scores: float32 [batch, movies]; a NaN counts as better than the target, and as worst if it
            is the target's own.
        targets: `movie_index`, int32 [batch].
        seen: coordinates (row, movie) of movies that do not compete in the unseen protocol, int32
            [n, 2], without duplicates; the target itself always competes.

    Returns:
        Raw and unseen ranks, int32 [batch], from 1.
    """
    target_scores = tf.gather(scores, targets, axis=1, batch_dims=1)
    behind = scores < target_scores[:, None]
    raw = tf.shape(scores)[1] - tf.reduce_sum(tf.cast(behind, tf.int32), axis=1)
    rows, movies = seen[:, 0], seen[:, 1]
    ahead = ~tf.gather_nd(behind, seen) & (movies != tf.gather(targets, rows))
    seen_ahead = tf.math.unsorted_segment_sum(tf.cast(ahead, tf.int32), rows, tf.size(targets))
    return raw, raw - seen_ahead


class Ranker(tf.Module):
    """Scores of the whole catalogue, in vocabulary order."""

    history_length: int
    """Number of a user's last movies that scores depend on; 0 if on none."""
    block: int
    """Movies in a block of `top_k`; `scores` is padded to a multiple of it."""

    @abstractmethod
    def scores(self, users: tf.Tensor, recent: tf.Tensor, by_popularity: tf.Tensor) -> tf.Tensor:
        """Score every movie for queries.

        Args:
            users: `user_index`, int32 [batch].
            recent: `movie_index` of the last movies, int32 [batch, history_length].
            by_popularity: rows that get the popular movies instead, bool [batch].

        Returns:
            float32 [batch, movies and padding].
        """

    @abstractmethod
    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """Score every movie for users as they are now; unknown users get popularity."""

    @abstractmethod
    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Split the scores of pairs into contributions of the history and a rest.

        Args:
            users: as for `scores`, without users who get popularity.
            recent: as for `scores`.
            movies: `movie_index` of known movies, int32 [batch].

        Returns:
            Contribution of each movie of `recent`, float32 [batch, history_length], and the rest,
            float32 [batch].
        """

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """Movie embeddings whose cosine is similarity, float32 [movies, size]."""


class TowerRanker(Ranker):
    """Ranks by the retrieval towers: dot products of query and candidate embeddings."""

    def __init__(self, joint: JointModel, data: EncodedData) -> None:
        super().__init__()
        candidates = joint.candidate_tower.catalogue()
        self._directions = candidates[:, :-1]
        # Log popularity is one more column, selected by the queries of users without history.
        popular = tf.math.log(joint.popularity)
        columns = tf.concat([candidates, popular[:, None]], axis=1)
        self.block = block_size(len(data.catalogue))
        padded = _padded(columns, -len(data.catalogue) % self.block)
        self._candidates = tf.Variable(padded, trainable=False)
        joint.query_tower.freeze()
        self._query_tower = joint.query_tower
        self.history_length = joint.query_tower.history_length
        self._queries_now = tf.Variable(_queries_now(joint, data.sizes.users), trainable=False)

    def scores(self, users: tf.Tensor, recent: tf.Tensor, by_popularity: tf.Tensor) -> tf.Tensor:
        """Multiply queries and candidates in one matrix product."""
        queries = tf.where(by_popularity[:, None], 0.0, self._query_tower(users, recent))
        queries = tf.concat([queries, tf.cast(by_popularity, tf.float32)[:, None]], axis=1)
        return tf.matmul(queries, self._candidates, transpose_b=True)

    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """Multiply precomputed queries and candidates, without running the query tower."""
        return tf.matmul(tf.gather(self._queries_now, users), self._candidates, transpose_b=True)

    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Split scores as `QueryTower.shares` does."""
        candidates = tf.gather(self._candidates, movies)[:, :-1]
        return self._query_tower.shares(users, recent, candidates)

    @property
    def directions(self) -> tf.Tensor:
        """Candidate embeddings without their bias."""
        return self._directions


class RatingRanker(Ranker):
    """Ranks by the rating model's stars, or by its probabilities of a like."""

    history_length = 0
    block = 1

    def __init__(self, joint: JointModel, ratings: FrozenRatings, users: int) -> None:
        super().__init__()
        self._ratings = ratings
        self._popularity = tf.Variable(tf.math.log(joint.popularity), trainable=False)
        self._users = users

    def scores(self, users: tf.Tensor, recent: tf.Tensor, by_popularity: tf.Tensor) -> tf.Tensor:
        """Rate every movie."""
        return tf.where(by_popularity[:, None], self._popularity, self._ratings.scores(users))

    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """Rate every movie; the same as `scores`, as ratings depend on no history."""
        return self.scores(users, users[:, None][:, :0], users >= self._users)

    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Give all of the score to the rest: no movie of the history contributes."""
        rest = tf.gather(self._ratings.scores(users), movies, axis=1, batch_dims=1)
        return tf.zeros_like(recent, tf.float32), rest

    @property
    def directions(self) -> tf.Tensor:
        """The rating model's embeddings of the movies."""
        return self._ratings.directions


def make_ranker(joint: JointModel, ratings: FrozenRatings, data: EncodedData) -> Ranker:
    """Return a ranker by the towers if they are trained, else one by the rating model."""
    if joint.has_retrieval:
        return TowerRanker(joint, data)
    return RatingRanker(joint, ratings, data.sizes.users)


def _queries_now(joint: JointModel, users: int) -> tf.Tensor:
    """Embed all users as they are now, and the unknown one, float32 [users + 1, size + 2]."""
    blocks = []
    for start in range(0, users, _BLOCK_USERS):  # to bound memory
        block = tf.range(start, min(start + _BLOCK_USERS, users))
        blocks.append(joint.query(block, joint.timelines.ends_now(block)))
    known = tf.pad(tf.concat(blocks, axis=0), [[0, 0], [0, 1]])
    return tf.concat([known, tf.one_hot([known.shape[1] - 1], known.shape[1])], axis=0)


def _padded(candidates: tf.Tensor, rows: int) -> tf.Tensor:
    """Append rows with the lowest bias and popularity to candidates [movies, size]."""
    zeros = tf.zeros([rows, candidates.shape[1] - 2])
    return tf.concat([candidates, tf.concat([zeros, tf.fill([rows, 2], LOWEST)], axis=1)], axis=0)

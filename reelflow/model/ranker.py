"""What recommendations rank by: the retrieval towers, or the rating model where none is trained."""

from __future__ import annotations

from abc import abstractmethod

import tensorflow as tf

from reelflow.encoding.encoded import EncodedData
from reelflow.model.index import LOWEST, block_size
from reelflow.model.rating import FrozenRatings
from reelflow.model.tasks import JointModel

_BLOCK_USERS = 8192


class Ranker(tf.Module):
    """Scores of the whole catalogue, in vocabulary order."""

    history_length: int
    """Last movies of a user that scores depend on; 0 if on none."""
    block: int
    """Movies in a block of `top_k`; `scores` is padded to a multiple of it."""

    @abstractmethod
    def scores(self, users: tf.Tensor, recent: tf.Tensor, strangers: tf.Tensor) -> tf.Tensor:
        """Scores, float32 [batch, movies and padding].

        Args:
            users: `user_index`, int32 [batch].
            recent: `movie_index` of the last movies, int32 [batch, history_length].
            strangers: rows to which the popular movies go, bool [batch].
        """

    @abstractmethod
    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """The same at the ends of the users' timelines; unknown users are strangers."""

    @abstractmethod
    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take the scores of pairs apart.

        Args:
            users: as for `scores`, no strangers among them.
            recent: as for `scores`, no strangers among them.
            movies: `movie_index` of known movies, int32 [batch].

        Returns:
            What each movie of `recent` adds, float32 [batch, history_length], and the rest, float32
            [batch].
        """

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """What says which movies are alike, float32 [movies, size]."""


class TowerRanker(Ranker):
    """Dot products of query and candidate."""

    def __init__(self, joint: JointModel, data: EncodedData) -> None:
        super().__init__()
        candidates = joint.candidate_tower.catalogue()
        self._directions = candidates[:, :-1]
        # What unknown users get by is one more column, which only their queries meet.
        popular = tf.math.log(joint.popularity)
        columns = tf.concat([candidates, popular[:, None]], axis=1)
        self.block = block_size(len(data.catalogue))
        padded = _padded(columns, -len(data.catalogue) % self.block)
        self._candidates = tf.Variable(padded, trainable=False)
        joint.query_tower.freeze()
        self._query_tower = joint.query_tower
        self.history_length = joint.query_tower.history_length
        self._queries_now = tf.Variable(_queries_now(joint, data.sizes.users), trainable=False)

    def scores(self, users: tf.Tensor, recent: tf.Tensor, strangers: tf.Tensor) -> tf.Tensor:
        """One matrix product."""
        queries = tf.where(strangers[:, None], 0.0, self._query_tower(users, recent))
        queries = tf.concat([queries, tf.cast(strangers, tf.float32)[:, None]], axis=1)
        return tf.matmul(queries, self._candidates, transpose_b=True)

    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """The queries are looked up: that is all the towers' work saved."""
        return tf.matmul(tf.gather(self._queries_now, users), self._candidates, transpose_b=True)

    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `QueryTower.shares` takes them apart."""
        candidates = tf.gather(self._candidates, movies)[:, :-1]
        return self._query_tower.shares(users, recent, candidates)

    @property
    def directions(self) -> tf.Tensor:
        """Candidate embeddings without their bias."""
        return self._directions


class RatingRanker(Ranker):
    """The rating model's stars, or its probabilities of a like."""

    history_length = 0
    block = 1

    def __init__(self, joint: JointModel, ratings: FrozenRatings, users: int) -> None:
        super().__init__()
        self._ratings = ratings
        self._popularity = tf.Variable(tf.math.log(joint.popularity), trainable=False)
        self._users = users

    def scores(self, users: tf.Tensor, recent: tf.Tensor, strangers: tf.Tensor) -> tf.Tensor:
        """Every movie through the rating model."""
        return tf.where(strangers[:, None], self._popularity, self._ratings.scores(users))

    def scores_now(self, users: tf.Tensor) -> tf.Tensor:
        """Stars depend on no timeline."""
        return self.scores(users, users[:, None][:, :0], users >= self._users)

    def shares(
        self, users: tf.Tensor, recent: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """No movie adds by itself: all is the rest."""
        rest = tf.gather(self._ratings.scores(users), movies, axis=1, batch_dims=1)
        return tf.zeros_like(recent, tf.float32), rest

    @property
    def directions(self) -> tf.Tensor:
        """The rating model's embeddings of the movies."""
        return self._ratings.directions


def make_ranker(joint: JointModel, ratings: FrozenRatings, data: EncodedData) -> Ranker:
    """By the towers if they are trained, or else by the rating model."""
    if joint.has_retrieval:
        return TowerRanker(joint, data)
    return RatingRanker(joint, ratings, data.sizes.users)


def _queries_now(joint: JointModel, users: int) -> tf.Tensor:
    """Queries of all users as they are now, and the stranger's, float32 [users + 1, size + 2]."""
    blocks = []
    for start in range(0, users, _BLOCK_USERS):  # to bound memory
        block = tf.range(start, min(start + _BLOCK_USERS, users))
        blocks.append(joint.query(block, joint.timelines.ends_now(block)))
    known = tf.pad(tf.concat(blocks, axis=0), [[0, 0], [0, 1]])
    return tf.concat([known, tf.one_hot([known.shape[1] - 1], known.shape[1])], axis=0)


def _padded(candidates: tf.Tensor, rows: int) -> tf.Tensor:
    """Candidates [movies, size] and so many more rows of movies that nobody can be given."""
    nothing = tf.zeros([rows, candidates.shape[1] - 2])
    return tf.concat([candidates, tf.concat([nothing, tf.fill([rows, 2], LOWEST)], axis=1)], axis=0)

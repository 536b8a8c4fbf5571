"""The first stage of a list: retrieval scores of the whole catalogue for requests."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import tensorflow as tf

from reelflow.base.columns import TOWERS
from reelflow.model.ranking import LOWEST, block_size, standardised
from reelflow.model.rating import FrozenRatings
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Asked, Term


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
    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what rated movies add to the scores of others, and these scores.

        Args:
            asked: one request for each pair of a user and a scored movie.
            rated: `movie_index` of rated movies, int32 [batch, n], each once a row, padded.
            movies: `movie_index` of the scored movies, known ones, int32 [batch].

        Returns:
            Shares, float32 [batch, n], in the scale of `scores`; and scores, float32 [batch].
        """

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """Movie embeddings whose cosine is similarity, float32 [movies, size]."""


class Towers(Term):
    """Score by the trained towers: the product of query and candidate embedding.

    Whom the query tower knows nothing of gets popularity in its place.
    """

    def __init__(self, joint: JointModel) -> None:
        """Freeze the towers."""
        super().__init__(name=TOWERS)
        # Log popularity is one more column, selected by the queries of users without history.
        popular = tf.math.log(joint.popularity)
        columns = tf.concat([joint.candidate_tower.served(), popular[:, None]], axis=1)
        self._candidates = tf.Variable(columns, trainable=False)
        joint.query_tower.freeze()
        self._query_tower = joint.query_tower
        self.history_length = joint.query_tower.history_length
        self.uses_histories = joint.query_tower.uses_histories

    def scores(self, asked: Asked) -> tf.Tensor:
        """Multiply queries and candidates."""
        bag = None
        if self._query_tower.uses_bag:
            rated = asked.rated_rows, asked.rated_movies
            bag = self._query_tower.sums_at(*rated, asked.batch)
        queries = self._query_tower(asked.users, asked.recent, bag)
        blind = self._blind(asked)
        queries = tf.where(blind[:, None], 0.0, queries)
        queries = tf.concat([queries, tf.cast(blind, tf.float32)[:, None]], axis=1)
        return tf.matmul(queries, self._candidates, transpose_b=True)

    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Split the scores as `QueryTower.shares` and `QueryTower.bag_shares` do."""
        candidates = tf.gather(self._candidates, movies)[:, :-1]
        split, _ = self._query_tower.shares(asked.users, asked.recent, candidates)
        split = tf.where(self._blind(asked)[:, None], 0.0, split)
        same = tf.cast(rated[:, :, None] == asked.recent.movies[:, None, :], tf.float32)
        towers = tf.einsum("bnh,bh->bn", same, split)
        ones = tf.ones_like(asked.rated_rows, tf.float32)
        counts = tf.math.unsorted_segment_sum(ones, asked.rated_rows, asked.batch)
        return towers + self._query_tower.bag_shares(rated, counts, candidates)

    def _blind(self, asked: Asked) -> tf.Tensor:
        """Return True where the query tower knows nothing, bool [batch]."""
        if not self._query_tower.uses_histories:
            return ~asked.is_known
        return ~asked.is_known & ~asked.has_rated


class MixRanker(Ranker):
    """Rank by a mixture of terms: sum over k of w_k z(term_k).

    z is the standard score over the catalogue, query by query, so that one mixture suits all users.
    Who has rated nothing gets the towers alone, or without them what is popular.
    """

    def __init__(
        self, joint: JointModel, terms: Mapping[str, Term], weights: Mapping[str, float]
    ) -> None:
        """Keep the terms that weigh.

        Args:
            joint: the trained towers; for the popularity of the movies as well.
            terms: closed-form terms by name.
            weights: by name, `TOWERS` included; one of weight 0 takes no part, and is not exported.
        """
        super().__init__()
        self._weights = {name: weight for name, weight in weights.items() if weight}
        self._terms = {
            name: Towers(joint) if name == TOWERS else terms[name] for name in self._weights
        }
        self._directions = joint.candidate_tower.served()[:, :-1]
        self._popularity = tf.Variable(tf.math.log(joint.popularity), trainable=False)
        movies = self._popularity.shape[0]
        self.block = block_size(movies)
        self._padding = -movies % self.block
        self._padding_movie = movies
        self.history_length = max((term.history_length for term in self._terms.values()), default=0)
        self.uses_histories = any(term.uses_histories for term in self._terms.values())

    def parts(self, asked: Asked) -> dict[str, tf.Tensor]:
        """Return each term's standardised scores by its name, float32 [batch, movies] each."""
        return {name: standardised(term.scores(asked))[0] for name, term in self._terms.items()}

    def scores(self, asked: Asked) -> tf.Tensor:
        """Add up the standardised scores of the terms."""
        scores = self._mixed(asked, self.parts(asked))
        return tf.pad(scores, [[0, 0], [0, self._padding]], constant_values=LOWEST)

    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add up the terms' shares, each divided by the deviation of the term's scores."""
        parts, shares = {}, tf.zeros_like(rated, tf.float32)
        for name, term in self._terms.items():
            parts[name], per_unit = standardised(term.scores(asked))
            shares += self._weights[name] * per_unit * term.shares(asked, rated, movies)
        scores = tf.gather(self._mixed(asked, parts), movies, axis=1, batch_dims=1)
        return tf.where(rated == self._padding_movie, 0.0, shares), scores

    def _mixed(self, asked: Asked, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        mixed = tf.add_n([self._weights[name] * part for name, part in parts.items()])
        if list(parts) == [TOWERS]:
            return mixed
        popular, _ = standardised(self._popularity[None, :])
        return tf.where(asked.has_rated[:, None], mixed, parts.get(TOWERS, popular))

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

    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return zeros, as no movie of the history contributes, and the scores."""
        scores = tf.gather(self.scores(asked), movies, axis=1, batch_dims=1)
        return tf.zeros_like(rated, tf.float32), scores

    @property
    def directions(self) -> tf.Tensor:
        """The rating model's embeddings of the movies."""
        return self._ratings.directions

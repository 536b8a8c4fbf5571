"""The first stage of a list: retrieval scores of the whole catalogue for requests."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base.columns import TOWERS
from reelflow.encoding.encoded import Float32, Int32
from reelflow.model.inverted_file import InvertedFile
from reelflow.model.items import KeptTerm
from reelflow.model.layers import blocks, rows_of
from reelflow.model.ranking import FLAT, LOWEST, block_size, mask, top_k
from reelflow.model.rating import FrozenRatings
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Asked, ProjectedTerm, Term
from reelflow.model.tower_term import Towers

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Best:
    """The best movies of each request by retrieval, best first."""

    scores: tf.Tensor
    """float32 [batch, count], `LOWEST` where none is left."""
    movies: tf.Tensor
    """`movie_index`, int32 [batch, count], -1 where none is left."""


class Ranker(tf.Module):
    """Retrieval scores of the whole catalogue, in vocabulary order."""

    movies: int
    """Size of the catalogue."""
    history_length: int
    """Number of last movies that `Asked.recent` has; 0 if scores depend on none."""
    uses_histories: bool
    """True if a history alone gives recommendations of its own."""
    block: int
    """Movies in a block of `top_k`; `scores` is padded to a multiple of it."""

    @abstractmethod
    def scores(self, asked: Asked) -> tf.Tensor:
        """Score every movie, float32 [batch, movies and padding]; padding has the lowest score."""

    def make_index(self, asked: Asked, probed: int) -> None:
        """Let lists be searched in an inverted file; a ranker that has none stays exact.

        Args:
            asked: some requests, whose queries tell what counts how much in scores.
            probed: buckets that are looked into.
        """

    def best(self, asked: Asked, left_out: tf.Tensor, allowed: tf.Tensor, count: tf.Tensor) -> Best:
        """Return the best movies that may be in a list.

        Args:
            asked: the requests.
            left_out: coordinates (request, movie) of movies that may not be, int32 [n, 2].
            allowed: movies that may be, bool [batch or 1, movies or 1].
            count: of movies of each request, a scalar.
        """
        scores = mask(self.scores(asked), left_out)
        # Most requests allow everything, which needs no look at each movie.
        scores = tf.cond(
            tf.reduce_all(allowed), lambda: scores, lambda: self._only(allowed, scores)
        )
        return Best(*top_k(scores, count, self.block))

    def _only(self, allowed: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        every = tf.broadcast_to(allowed, [tf.shape(allowed)[0], self.movies])
        padding = tf.shape(scores)[1] - self.movies
        return tf.where(tf.pad(every, [[0, 0], [0, padding]]), scores, LOWEST)

    @abstractmethod
    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what rated movies add to the scores of others, and these scores.

        Args:
            asked: the requests.
            rated: `movie_index` of rated movies, int32 [batch, n], each once a row, padded.
            movies: `movie_index` of each request's scored movies, known ones, int32 [batch, m].

        Returns:
            Shares, float32 [batch, m, n], in the scale of `scores`; and scores, float32 [batch, m].
        """


@dataclass(frozen=True)
class _State:
    """The part of scores that all movies of a request share, computed once."""

    queries: tf.Tensor
    """For the ranker's table, float32 [batch, size]."""
    sums: list[tf.Tensor]
    """For each matrix term, what it adds to the scores of the movies that it knows, float32 [batch,
    movies or kept]."""
    scales: dict[str, tf.Tensor]
    """By what each term's scores are multiplied, its weight included, float32 [batch, 1]."""


class MixRanker(Ranker):
    """Rank by a mixture of terms: sum over k of w_k z(term_k).

    z is the standard score over the catalogue, query by query, so that one mixture suits all users.
    Who has rated nothing gets the towers alone, or without them what is popular.

    Moments over the catalogue come from the queries alone: of factors F less their means, the
    variance of q . F is |q R|² with R R' = F'F / movies. So the terms that are products with
    factors are one product, with one table, of queries that are scaled and put side by side.
    """

    def __init__(
        self,
        joint: JointModel,
        terms: Mapping[str, Term],
        weights: Mapping[str, float],
    ) -> None:
        """Keep the terms that weigh.

        Args:
            joint: the trained towers; for the popularity of the movies as well.
            terms: closed-form terms by name.
            weights: by name, `TOWERS` included; one of weight 0 takes no part, and is not exported.
        """
        super().__init__()
        self._weights = {name: weight for name, weight in weights.items() if weight}
        towers = Towers(joint) if TOWERS in self._weights else None
        terms = {n: towers if n == TOWERS and towers else terms[n] for n in self._weights}
        self._projected = {n: one for n, one in terms.items() if isinstance(one, ProjectedTerm)}
        self._matrices = {n: one for n, one in terms.items() if isinstance(one, KeptTerm)}
        popular = np.log(joint.popularity.numpy().astype(np.float64))
        movies = len(popular)
        self.block = block_size(movies)
        sizes = [one.factors.shape[1] for one in self._projected.values()]
        # Beside the factors: popularity in place of towers, what movies get from matrices that they
        # have no part in, and padding.
        table = np.zeros([movies + -movies % self.block, sum(sizes) + 3], np.float32)
        self._means, self._roots = {}, {}
        ends = np.cumsum(sizes)
        for (name, one), end in zip(self._projected.items(), ends, strict=True):
            centred = table[:movies, end - one.factors.shape[1] : end]
            mean = _centre(one.factors.numpy(), centred)
            self._means[name] = tf.Variable(mean, dtype=tf.float32, trainable=False)
            self._roots[name] = tf.Variable(_root(centred), dtype=tf.float32, trainable=False)
        if towers is not None:
            del towers.factors  # the table has them
        deviation = popular.std()
        flat = deviation <= FLAT * abs(popular).max()
        table[:movies, -3] = (popular - popular.mean()) / (1.0 if flat else deviation)
        table[:movies, -2] = 1.0
        table[movies:, -1] = 1.0
        self._table = tf.Variable(table, trainable=False)
        self._index: InvertedFile | None = None
        self.movies = movies
        self.history_length = max((term.history_length for term in terms.values()), default=0)
        self.uses_histories = any(term.uses_histories for term in terms.values())

    def make_index(self, asked: Asked, probed: int) -> None:
        """Make the index.

        Movies that have a part in matrices are not in it: their scores are no product. Where that
        is nearly all of them there is nothing to search, and lists stay exact.
        """
        if any(term.wide for term in self._matrices.values()):
            return
        kept = [term.movies for term in self._matrices.values()]
        self._kept = np.unique(np.concatenate([*kept, np.zeros(0, np.int32)])).astype(np.int32)
        places = np.full(self.movies, -1, np.int32)
        places[self._kept] = np.arange(len(self._kept), dtype=np.int32)
        self._kept_places = tf.Variable(places, trainable=False)
        table = self._table.numpy()[: self.movies]
        self._kept_table = tf.Variable(table[self._kept], trainable=False)
        others = np.flatnonzero(places < 0).astype(np.int32)
        # Without the columns that are the same for all of them.
        queries = self._state(asked).queries[:, :-2].numpy()
        vectors, scale = table[others, :-2], np.sqrt(np.square(queries).mean(axis=0))
        self._index = InvertedFile(vectors, others, self.movies, probed, scale)

    def scores(self, asked: Asked) -> tf.Tensor:
        """Add up the standardised scores of the terms."""
        state = self._state(asked)
        scores = tf.matmul(state.queries, self._table, transpose_b=True)
        for term, sums in zip(self._matrices.values(), state.sums, strict=True):
            if term.wide:
                padding = self._table.shape[0] - self.movies
                scores += tf.pad(sums, [[0, 0], [0, padding]]) if padding else sums
            else:
                scores = _add(scores, term.movies, sums)
        return scores

    def best(self, asked: Asked, left_out: tf.Tensor, allowed: tf.Tensor, count: tf.Tensor) -> Best:
        """Return the best movies; with an index the best that it finds.

        Exact all the same where `allowed` has a cell for each movie, for who gets what is popular,
        where too many movies are asked for, and where the index finds too few.
        """
        exact = super().best
        if self._index is None:
            return exact(asked, left_out, allowed, count)

        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def search_all() -> tuple[tf.Tensor, tf.Tensor]:
            found = exact(asked, left_out, allowed, count)
            return found.scores, found.movies

        def search() -> tuple[tf.Tensor, tf.Tensor]:
            scores, movies = self._found(asked, left_out, count)
            return tf.cond(tf.reduce_all(movies >= 0), lambda: (scores, movies), search_all)

        few = (count <= self._index.most) & (tf.size(allowed) == 1) & tf.reduce_all(allowed)
        few &= ~tf.reduce_any(asked.by_popularity)
        return Best(*tf.cond(few, search, search_all))

    def _found(
        self, asked: Asked, left_out: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the best of the movies of the index and of those of matrices, which are all tried.

        Returns:
            Scores and movies, [batch, count].
        """
        assert self._index is not None
        state = self._state(asked)
        found, ids = self._index(state.queries[:, :-2], left_out)
        kept = tf.matmul(state.queries, self._kept_table, transpose_b=True)
        for term, sums in zip(self._matrices.values(), state.sums, strict=True):
            kept = _add(kept, np.searchsorted(self._kept, term.movies).astype(np.int32), sums)
        places = tf.gather(self._kept_places, left_out[:, 1])
        inside = tf.where(places >= 0)[:, 0]
        kept = mask(kept, tf.gather(tf.stack([left_out[:, 0], places], axis=1), inside))
        # Left out stays left out.
        found = tf.where(found > LOWEST, found + state.queries[:, -2:-1], LOWEST)
        scores = tf.concat([found, kept], axis=1)
        movies = tf.concat([ids, tf.tile(self._kept[None], [asked.batch, 1])], axis=1)
        best, at = tf.math.top_k(scores, count)
        movies = tf.gather(movies, at, axis=1, batch_dims=1)
        return best, tf.where(best > LOWEST, movies, -1)

    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add up the terms' shares, each divided by the deviation of the term's scores."""
        state = self._state(asked)
        factors = rows_of(self._table, movies)
        scores = tf.linalg.matvec(factors, state.queries)
        shares, first = tf.zeros([]), 0
        for name, projected in self._projected.items():
            size = self._means[name].shape[0]
            own = factors[:, :, first : first + size] + self._means[name]
            first += size
            shares += state.scales[name][:, :, None] * projected.shares(asked, rated, own)
        for (name, term), sums in zip(self._matrices.items(), state.sums, strict=True):
            scores += term.at(sums, movies)
            shares += state.scales[name][:, :, None] * term.shares(asked, rated, movies)
        return tf.where((rated == self.movies)[:, None], 0.0, shares), scores

    def _state(self, asked: Asked) -> _State:
        rated = tf.cast(asked.has_rated, tf.float32)[:, None]
        queries, sums, scales = [], [], {}
        offset = tf.zeros_like(rated)
        for name, projected in self._projected.items():
            query = projected.queries(asked)
            mean = tf.linalg.matvec(query, self._means[name])
            squares = tf.reduce_sum(tf.square(tf.matmul(query, self._roots[name])), axis=1)
            # Without ratings the towers alone count.
            weight = self._weights[name] * rated
            if name == TOWERS:
                weight = 1.0 + (self._weights[name] - 1.0) * rated
            scales[name] = weight * _per_unit(mean[:, None], squares[:, None])
            queries.append(scales[name] * query)
        for name, term in self._matrices.items():
            centred, mean, variance = term.centred(asked)
            scales[name] = self._weights[name] * rated * _per_unit(mean, variance)
            offset -= 0.0 if term.wide else scales[name] * mean
            sums.append(scales[name] * (centred if term.wide else centred + mean))
        popular = tf.zeros_like(rated) if TOWERS in self._projected else 1.0 - rated
        queries += [popular, offset, tf.fill(tf.shape(rated), LOWEST)]
        return _State(tf.concat(queries, axis=1), sums, scales)


def _add(scores: tf.Tensor, columns: Int32, sums: tf.Tensor) -> tf.Tensor:
    """Add sums, float32 [batch, n], to some columns of scores."""
    rows, cells = tf.meshgrid(tf.range(tf.shape(sums)[0]), columns, indexing="ij")
    return tf.tensor_scatter_nd_add(scores, tf.stack([rows, cells], axis=2), sums)


def _centre(factors: Float32, centred: Float32) -> Floats:
    """Write factors less their mean, float64 [size], which is returned."""
    mean: Floats = factors.mean(axis=0, dtype=np.float64)
    for rows in blocks(len(factors)):
        centred[rows] = factors[rows] - mean
    return mean


def _root(centred: Float32) -> Floats:
    """Return R with R R' = F'F / movies of factors less their means, float64 [size, size]."""
    square = np.zeros([centred.shape[1]] * 2)
    for rows in blocks(len(centred)):
        block = centred[rows].astype(np.float64)
        square += block.T @ block
    values, vectors = np.linalg.eigh(square / len(centred))
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _per_unit(mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
    """Return 1 / deviation of scores; 0 where they are all the same but for rounding."""
    deviation = tf.sqrt(variance)
    return tf.where(deviation > FLAT * tf.abs(mean), 1.0 / deviation, 0.0)


class RatingRanker(Ranker):
    """Ranks by the rating model's stars, or by its probabilities of a like."""

    history_length = 0
    uses_histories = False
    block = 1

    def __init__(self, joint: JointModel, ratings: FrozenRatings) -> None:
        super().__init__()
        self._ratings = ratings
        self._popularity = tf.Variable(tf.math.log(joint.popularity), trainable=False)
        self.movies = self._popularity.shape[0]

    def scores(self, asked: Asked) -> tf.Tensor:
        """Rate every movie; users that train does not have get popularity."""
        rated = self._ratings.scores(asked.users)
        return tf.where(asked.is_known[:, None], rated, self._popularity)

    def explained(
        self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return zeros, as no movie of the history contributes, and the scores."""
        scores = tf.gather(self.scores(asked), movies, axis=1, batch_dims=1)
        return tf.zeros([*tf.unstack(tf.shape(movies)), tf.shape(rated)[1]]), scores

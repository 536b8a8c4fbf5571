"""The second stage of a list: the movies that retrieval finds, in their final order.

Retrieve, then rank (Covington et al. 2016, "Deep neural networks for YouTube recommendations"):
retrieval says what people turn to, predicted stars what they enjoy. Lists and ranks come from the
same two stages, so that what is measured is what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from reelflow.model.layers import ranges
from reelflow.model.rankers import Best
from reelflow.model.ranking import LOWEST, exact_ranks, mask, top_k
from reelflow.model.rating import FrozenRatings
from reelflow.model.terms import Asked
from reelflow.saved_model.contract import BY_STARS, RETRIEVAL

SEARCHED = 10_000
"""Movies, the best by retrieval, among which those with `min_rating` are looked for, at most."""


@dataclass(frozen=True)
class Weights:
    """Weights of both stages in the final order; each float32 [batch]."""

    retrieval: tf.Tensor
    like: tf.Tensor

    def take(self, rows: tf.Tensor) -> Weights:
        """Select rows by position, int [n]."""
        return Weights(tf.gather(self.retrieval, rows), tf.gather(self.like, rows))


class FinalOrder(tf.Module):
    """Order of candidates: retrieval score + weight * (stars - mean) / deviation.

    The `candidates` best by retrieval are put into this order; the others follow in theirs.
    """

    def __init__(
        self,
        ratings: FrozenRatings,
        scale: tuple[float, float],
        weight: float,
        candidates: int,
        movies: int,
        block: int,
    ) -> None:
        """Keep what the order depends on.

        Args:
            ratings: predict stars.
            scale: mean and standard deviation of the ratings of train.
            weight: of the predicted like.
            candidates: number of movies that are put into the final order.
            movies: size of the catalogue.
            block: see `ranking.top_k`.
        """
        super().__init__()
        self._ratings = ratings
        self._mean, self._deviation = scale
        self._weight = weight
        self._candidates = candidates
        self._movies = movies
        self._block = block

    def weights(self, order: tf.Tensor, asked: Asked) -> Weights:
        """Return the weights that a request's order means.

        Args:
            order: one of `contract.ORDERS` for each request, string [batch].
            asked: what is popular is not blended: no taste is known.
        """
        by_stars = order == BY_STARS
        plain = (order == RETRIEVAL) | asked.by_popularity
        like = tf.where(by_stars, 1.0, tf.where(plain, 0.0, self._weight))
        return Weights(1.0 - tf.cast(by_stars, tf.float32), like)

    def likes(self, stars: tf.Tensor) -> tf.Tensor:
        """Return predicted likes: stars in standard deviations above the mean of train."""
        return (stars - self._mean) / (self._deviation or 1.0)

    def searched(self, k: tf.Tensor, min_rating: tf.Tensor) -> tf.Tensor:
        """Return how many movies a list of k is chosen from, a scalar.

        Args:
            k: number of movies, a scalar.
            min_rating: least predicted stars, float32 [batch].
        """
        count = tf.minimum(tf.maximum(k, self._candidates), self._movies)
        searched = tf.maximum(count, min(SEARCHED, self._movies))
        return tf.where(tf.reduce_any(min_rating > LOWEST), searched, count)

    def lists(
        self, asked: Asked, found: Best, weights: Weights, k: tf.Tensor, min_rating: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Select the k best movies of each row, in the final order.

        Args:
            asked: the requests.
            found: as many by retrieval as `searched` says, at least.
            weights: of both stages.
            k: number of movies, a scalar; bounded by the catalogue's size.
            min_rating: least predicted stars, float32 [batch].

        Returns:
            Final scores, float32 [batch, k], best first, `LOWEST` where no movie is left; movies,
            int32 [batch, k], -1 there; and predicted stars, float32 [batch, k].
        """
        k = tf.clip_by_value(k, 1, self._movies)
        best, movies = found.scores, found.movies
        count = tf.shape(best)[1]
        stars = self._stars(asked.users, movies)
        valid = movies >= 0
        head = tf.range(count) < self._candidates
        final = weights.retrieval[:, None] * best + weights.like[:, None] * self.likes(stars)
        lowest = tf.reduce_min(tf.where(valid & head, final, tf.float32.max), axis=1)[:, None]
        # Those behind the candidates keep their order, and start lower than the last of them; only
        # where retrieval itself has a tie there is one.
        first = best[:, tf.minimum(self._candidates, count - 1)][:, None]
        start = tf.where(lowest < first, tf.math.nextafter(lowest, LOWEST), first)
        final = tf.where(head, final, best - first + start)
        dropped = ~valid | (stars < min_rating[:, None])
        final = tf.where(dropped, LOWEST, final)
        order = tf.argsort(final, axis=1, direction="DESCENDING", stable=True)[:, :k]
        final, movies, stars = (
            tf.gather(column, order, axis=1, batch_dims=1) for column in (final, movies, stars)
        )
        return final, tf.where(final > LOWEST, movies, -1), stars

    def ranks(
        self,
        asked: Asked,
        scores: tf.Tensor,
        weights: Weights,
        seen: tf.Tensor,
        rows: tf.Tensor,
        targets: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rank movies as `lists` would; ties count against the model.

        Args:
            asked: distinct queries.
            scores: retrieval scores of the queries, float32 [queries, movies and padding].
            weights: of both stages, by query.
            seen: coordinates (query, movie) of rated movies, int32 [n, 2], ascending and distinct.
            rows: the query of each row, int32 [rows].
            targets: `movie_index` of known movies, int32 [rows].

        Returns:
            Raw and unseen ranks, int32 [rows], from 1: among all movies, and without the rated
            ones, of which only the target itself competes.
        """
        [found] = self.ranks_by(asked, scores, [weights], seen, rows, targets)
        return found

    def ranks_by(
        self,
        asked: Asked,
        scores: tf.Tensor,
        several: Sequence[Weights],
        seen: tf.Tensor,
        rows: tf.Tensor,
        targets: tf.Tensor,
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Return `ranks` for several weights, which costs little more than for one."""
        cells = tf.stack([rows, targets], axis=1)
        of_targets = tf.gather_nd(scores, cells)
        likes_of_targets = self.likes(self._ratings.stars(tf.gather(asked.users, rows), targets))
        retrieval = retrieval_ranks(scores[:, : self._movies], seen, rows, targets)
        ranks: list[list[tf.Tensor]] = [[] for _ in several]
        for rank, shown in zip(retrieval, (scores, mask(scores, seen)), strict=True):
            best, movies = top_k(shown, tf.constant(self._candidates + 1), self._block)
            # A target that is itself masked competes all the same: one candidate less beside it.
            own = tf.cast(tf.gather_nd(shown, cells) < of_targets, tf.int32)
            others = tf.minimum(self._candidates - own, tf.shape(best)[1] - 1)
            least = tf.gather(tf.gather(best, rows), others, batch_dims=1)
            if self._candidates >= self._movies:
                least = tf.fill(tf.shape(rows), LOWEST)
            best, movies = best[:, : self._candidates], movies[:, : self._candidates]
            likes = self.likes(self._stars(asked.users, movies))
            competes = tf.gather(movies, rows)
            competes = (competes >= 0) & (competes != targets[:, None])
            competes &= tf.range(tf.shape(best)[1]) < self._candidates - own[:, None]
            for weights, found in zip(several, ranks, strict=True):
                by_row = weights.take(rows)
                final = by_row.retrieval * of_targets + by_row.like * likes_of_targets
                blended = weights.retrieval[:, None] * best + weights.like[:, None] * likes
                ahead = competes & ~(tf.gather(blended, rows) < final[:, None])
                inside = 1 + tf.reduce_sum(tf.cast(ahead, tf.int32), axis=1)
                found.append(tf.where(of_targets > least, inside, rank))
        return [(raw, unseen) for raw, unseen in ranks]

    def _stars(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Predict the stars of lists, float32 [batch, k]; of -1 those of an unknown movie."""
        known = tf.where(movies >= 0, movies, self._movies)
        return self._ratings.stars_of_lists(users, known)


def retrieval_ranks(
    scores: tf.Tensor, seen: tf.Tensor, rows: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Rank movies by retrieval alone, as `FinalOrder.ranks` does otherwise.

    Args:
        scores: retrieval scores of the queries, float32 [queries, movies].
        seen: coordinates (query, movie) of rated movies, int32 [n, 2], ascending and distinct.
        rows: the query of each row, int32 [rows].
        targets: `movie_index` of known movies, int32 [rows].
    """
    starts = tf.searchsorted(seen[:, 0], tf.range(tf.shape(scores)[0] + 1))
    starts = tf.cast(starts, tf.int64)
    own, positions = ranges(tf.gather(starts, rows), tf.gather(starts, rows + 1))
    cells = tf.stack([own, tf.gather(seen[:, 1], positions)], axis=1)
    return exact_ranks(tf.gather(scores, rows), targets, cells)

"""Rating models as they are exported: tables and networks, without what only training needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from reelflow.model.rating.days import DayEffects, ServedDays
from reelflow.model.rating.heads import FrozenHead
from reelflow.model.rating.likes import LikeCurve
from reelflow.model.rating.outputs import Output


class FrozenModel(tf.Module):
    """One exported rating model: a head, its output and its day effects."""

    def __init__(self, head: FrozenHead, output: Output, days: DayEffects | None) -> None:
        super().__init__()
        self.head, self.output = head, output
        self._days = None if days is None else ServedDays(days)

    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return utilities of pairs at the times of serving, float32 [batch]."""
        utilities = self.output.intercept + self.head.pairs(users, movies)
        return utilities if self._days is None else utilities + self._days(users, movies)

    def lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return utilities of several movies, int [batch, n], for each user, float32 [batch, n]."""
        utilities = self.output.intercept + self.head.lists(users, movies)
        return utilities if self._days is None else utilities + self._days(users[:, None], movies)

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Return the utilities of users with all movies at the times of serving.

        Returns:
            float32 [batch, movies].
        """
        utilities = self.output.intercept + self.head.catalogue(users)
        if self._days is None:
            return utilities
        movies = tf.range(tf.shape(utilities)[1])
        return utilities + self._days(users[:, None], movies[None, :])


class FrozenRatings(tf.Module):
    """The exported rating task: stars, scores and likes, the mean over models of several seeds.

    A Bayesian model beside them counts half in stars and scores. Likes are those of the models'
    output, or those of a curve over stars where the output has none.
    """

    def __init__(
        self,
        members: Sequence[FrozenModel],
        bayesian: FrozenModel | None = None,
        curve: LikeCurve | None = None,
    ) -> None:
        """Keep the models.

        Args:
            members: at least one; they differ by their seeds alone.
            bayesian: scores by stars, as the members then must; None: there is none.
            curve: from stars to likes, for an output that does not give them.
        """
        super().__init__()
        self._members, self._bayesian, self._curve = list(members), bayesian, curve
        outputs = [member.output for member in members]
        self._clip = outputs[0].clip
        self.gives_likes = outputs[0].gives_likes or curve is not None
        """True if there are probabilities of a like."""

    def stars(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return expected stars inside the scale, float32 [batch].

        Args:
            users: int [batch], which may be the unknown one.
            movies: int [batch], which may be the unknown one.
        """
        return self._clip(self._mean(lambda m: m.output.stars(m.pairs(users, movies))))

    def stars_of_lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return `stars` of several movies, int [batch, n], for each user, float32 [batch, n]."""
        return self._clip(self._mean(lambda m: m.output.stars(m.lists(users, movies))))

    def likes(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return probabilities of a like, float32 [batch]; only if `gives_likes`."""
        if self._curve is not None:
            return self._curve(users, self.stars(users, movies))
        likes = [m.output.likes(m.pairs(users, movies)) for m in self._members]
        return tf.add_n(likes) / len(likes)

    def scores(self, users: tf.Tensor) -> tf.Tensor:
        """Return stars or likes of all movies to rank them by, float32 [batch, movies]."""
        return self._mean(lambda m: m.output.scores(m.catalogue(users)))

    def _mean(self, of: Callable[[FrozenModel], tf.Tensor]) -> tf.Tensor:
        mean = tf.add_n([of(member) for member in self._members]) / len(self._members)
        return mean if self._bayesian is None else (mean + of(self._bayesian)) / 2.0

    @property
    def directions(self) -> tf.Tensor:
        """Movie embeddings of the first model, float32 [movies, size]."""
        return self._members[0].head.directions

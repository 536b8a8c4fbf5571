"""Rating models as they are exported: tables and networks, nothing of what only training needs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from reelflow.model.rating.days import DayEffects
from reelflow.model.rating.outputs import Output


class FrozenHead(tf.Module):
    """Utilities of pairs, less the output's intercept; either side may be the unknown one."""

    @abstractmethod
    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Of pairs, float32 [batch], of int [batch] each."""

    @abstractmethod
    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Of users, int [batch], with every movie, float32 [batch, movies]."""

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """What says which movies are alike, float32 [movies, size]."""


class Factors(FrozenHead):
    """A head boiled down to one dot product."""

    def __init__(self, users: tf.Tensor, movies: tf.Tensor, directions: tf.Tensor) -> None:
        """Keep the tables.

        Args:
            users: float32 [users + 1, width]; the last row is the unknown user's.
            movies: float32 [movies + 1, width]; the last row is the unknown movie's.
            directions: float32 [movies, size].
        """
        super().__init__()
        self.users, self.movies = _constant(users), _constant(movies)
        self._directions = directions

    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Products of rows."""
        user, movie = tf.gather(self.users, users), tf.gather(self.movies, movies)
        return tf.reduce_sum(user * movie, axis=1)

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """One matrix product."""
        return tf.matmul(tf.gather(self.users, users), self.movies[:-1], transpose_b=True)

    @property
    def directions(self) -> tf.Tensor:
        """As given."""
        return self._directions


class Network(FrozenHead):
    """A network on the embedded fields of a pair."""

    def __init__(self, users: tf.Tensor, movies: tf.Tensor, network: keras.layers.Layer) -> None:
        """Keep tables and network.

        Args:
            users: embedded fields, float32 [users + 1, fields, size]; last the unknown user's.
            movies: the same of movies.
            network: from float32 [batch, fields, size], the user's first, to utilities [batch].
        """
        super().__init__()
        self._users, self._movies = _constant(users), _constant(movies)
        self._network = network

    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """One pass through the network."""
        fields = [tf.gather(self._users, users), tf.gather(self._movies, movies)]
        return self._network(tf.concat(fields, axis=1), training=False)

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """A pass a user, so that memory is bounded; a user who is there twice has one."""
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
        """The movies' embedded fields side by side."""
        movies = self._movies[:-1]
        return tf.reshape(movies, [-1, movies.shape[1] * movies.shape[2]])


class FrozenModel(tf.Module):
    """A head, its output and its day effects."""

    def __init__(self, head: FrozenHead, output: Output, days: DayEffects | None) -> None:
        super().__init__()
        self.head, self.output = head, output
        self._days = days

    def pairs(self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor | None) -> tf.Tensor:
        """Utilities of pairs at times (by default the user's latest), float32 [batch]."""
        utilities = self.output.intercept + self.head.pairs(users, movies)
        return utilities + self._at(users, movies, times)

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Utilities of users with all movies at the user's latest time, float32 [batch, movies]."""
        utilities = self.output.intercept + self.head.catalogue(users)
        if self._days is None:
            return utilities
        rows, movies = tf.shape(utilities)[0], tf.shape(utilities)[1]
        pairs = tf.repeat(users, movies), tf.tile(tf.range(movies), [rows])
        return utilities + tf.reshape(self._at(*pairs, None), [rows, movies])

    def _at(
        self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor | None
    ) -> tf.Tensor | float:
        if self._days is None:
            return 0.0
        times = self._days.latest(users) if times is None else times
        return self._days(users, movies, times, training=False)


class FrozenRatings(tf.Module):
    """Stars, scores and likes of one rating model, or the mean over several."""

    def __init__(self, members: Sequence[FrozenModel]) -> None:
        """Keep the members, models that differ by their seeds alone."""
        super().__init__()
        self._members = list(members)
        outputs = [member.output for member in members]
        self._clip = outputs[0].clip
        self.gives_likes = outputs[0].gives_likes
        """Whether there are probabilities of a like."""

    def stars(
        self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Expected stars inside the scale, float32 [batch].

        Args:
            users: int [batch]; either may be the unknown one.
            movies: int [batch]; either may be the unknown one.
            times: seconds, int64 [batch], for day effects; by default the user's latest.
        """
        stars = [m.output.stars(m.pairs(users, movies, times)) for m in self._members]
        return self._clip(tf.add_n(stars) / len(stars))

    def likes(
        self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Probabilities of a like, float32 [batch]; only where `gives_likes`."""
        likes = [m.output.likes(m.pairs(users, movies, times)) for m in self._members]
        return tf.add_n(likes) / len(likes)

    def scores(self, users: tf.Tensor) -> tf.Tensor:
        """What a user's movies are ranked by, float32 [batch, movies]: stars, or likes."""
        scores = [m.output.scores(m.catalogue(users)) for m in self._members]
        return tf.add_n(scores) / len(scores)

    @property
    def directions(self) -> tf.Tensor:
        """What says which movies are alike, float32 [movies, size]; the first member's."""
        return self._members[0].head.directions


def _constant(values: tf.Tensor) -> tf.Variable:
    """A variable, because a constant in the graph may not exceed 2 GiB."""
    return tf.Variable(values, trainable=False)

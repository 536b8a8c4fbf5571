"""Users' train ratings in order of time: their histories, their seen movies, batches of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.layers import ranges

SEEN_TABLE_BYTES = 1 << 28
"""Size up to which `SeenMovies` holds a dense table of users by movies."""


class Timelines(tf.Module):
    """Users' movies and times, concatenated in order of user and time; part of the exported model.

    Training reads them by position (`recent`), serving by user (`seen`, `ends_now`), and `evaluate`
    by user and time (`ends_before`), all from the same three tensors.
    """

    def __init__(
        self, movies: npt.ArrayLike, times: npt.ArrayLike, offsets: npt.ArrayLike, unknown: int
    ) -> None:
        """Make the tables.

        Args:
            movies: `movie_index` of every train rating, int32 [ratings].
            times: its timestamp in seconds, int64 [ratings].
            offsets: first position of each user, int64 [users + 2]; the last user is unknown.
            unknown: the `movie_index` that stands for no movie, used as padding.
        """
        super().__init__()
        self._movies = tf.Variable(movies, trainable=False, dtype=tf.int32, name="movies")
        self._times = tf.Variable(times, trainable=False, dtype=tf.int64, name="times")
        self._offsets = tf.Variable(offsets, trainable=False, dtype=tf.int64, name="offsets")
        self._unknown = unknown
        again = _rated_before(np.asarray(movies), np.asarray(offsets), unknown)
        self._again = tf.Variable(again, trainable=False, name="again") if again.any() else None

    def recent(self, users: tf.Tensor, ends: tf.Tensor, length: int | tf.Tensor) -> tf.Tensor:
        """Return the movies of `users` just before the positions `ends`, the oldest first.

        Args:
            users: int [batch].
            ends: int64 [batch], a position inside the user's range or at its end.
            length: number of movies, at most.

        Returns:
            int32 [batch, length], padded on the left.
        """
        positions = ends[:, None] - tf.range(length, 0, -1, dtype=tf.int64)[None, :]
        inside = positions >= tf.gather(self._offsets, users)[:, None]
        movies = tf.gather(self._movies, tf.where(inside, positions, tf.zeros_like(positions)))
        return tf.where(inside, movies, self._unknown)

    def ends_now(self, users: tf.Tensor) -> tf.Tensor:
        """Return the ends of the users' timelines, int64 [batch]."""
        return tf.gather(self._offsets, tf.cast(users, tf.int32) + 1)

    def ends_before(self, users: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
        """Return the ends of the users' ratings strictly before `times`, int64 [batch]."""
        rows, positions = self._positions(users)
        earlier = tf.gather(self._times, positions) < tf.gather(times, rows)
        counts = tf.math.unsorted_segment_sum(tf.cast(earlier, tf.int64), rows, tf.size(users))
        return tf.gather(self._offsets, users) + counts

    def seen(self, users: tf.Tensor) -> tf.Tensor:
        """Return coordinates (row of the batch, movie) of movies that users rated, int32 [n, 2].

        Each movie occurs once, however often a user rated it.
        """
        rows, positions = self._positions(users)
        if self._again is not None:
            first = tf.where(~tf.gather(self._again, positions))[:, 0]
            rows, positions = tf.gather(rows, first), tf.gather(positions, first)
        return tf.stack([rows, tf.gather(self._movies, positions)], axis=1)

    def counts(self, users: tf.Tensor) -> tf.Tensor:
        """Return the number of ratings of each user, int32 [batch]."""
        return tf.cast(self.ends_now(users) - tf.gather(self._offsets, users), tf.int32)

    def _positions(self, users: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return ranges(tf.gather(self._offsets, users), self.ends_now(users))


def _rated_before(
    movies: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64], movie_count: int
) -> npt.NDArray[np.bool_]:
    """Return True for ratings of a movie that the user has rated earlier, bool [ratings]."""
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    _, first = np.unique(users * (movie_count + 1) + movies, return_index=True)
    again = np.ones(len(movies), bool)
    again[first] = False
    return again


class SeenMovies:
    """Movies that users have rated in train, for losses to leave out.

    A dense table if it is small, which is fastest; or else looked up in the timelines.
    """

    def __init__(self, data: EncodedData, timelines: Timelines, enabled: bool) -> None:
        """Make the table.

        Args:
            data: holds the train ratings.
            timelines: the same ratings by user.
            enabled: False leaves nothing out.
        """
        self._timelines = timelines
        self._enabled = enabled
        shape = data.sizes.users + 1, len(data.catalogue)
        self.table: tf.Tensor | None = None
        """bool [users + 1, movies]; None if it would be too large, or is not enabled."""
        if enabled and shape[0] * shape[1] <= SEEN_TABLE_BYTES:
            seen = np.zeros(shape, np.bool_)
            seen[data.train.user_index, data.train.movie_index] = True
            self.table = tf.constant(seen)

    def rows(self, users: tf.Tensor) -> tf.Tensor:
        """Return the movies to leave out for `users`, int [batch].

        Returns:
            bool [batch, movies], or coordinates (row, movie), int32 [n, 2].
        """
        if self.table is not None:
            return tf.gather(self.table, users)
        return self._timelines.seen(users if self._enabled else users[:0])


Batch = dict[str, npt.NDArray[np.generic]]


class Batches(keras.utils.Sequence):
    """The ratings of a split in batches, in a new order each epoch.

    Each batch is gathered by index from memory-mapped columns.
    """

    def __init__(self, rows: EncodedRatings, batch_size: int, seed: int | None) -> None:
        """Cut a split into batches.

        Args:
            rows: the split.
            batch_size: ratings a batch; the last one may be smaller.
            seed: of the order; None keeps the split's own order.
        """
        super().__init__()
        self._rows = rows
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(rows))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        at = slice(index * self._batch_size, (index + 1) * self._batch_size)
        rows = self._rows.take(self._order[at])
        return {
            f.USER_INDEX: rows.user_index,
            f.MOVIE_INDEX: rows.movie_index,
            f.RATING: rows.rating,
            f.TIMESTAMP: rows.timestamp,
            f.HISTORY_END: rows.history_end,
        }

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        if self._random is not None:
            self._random.shuffle(self._order)


def sample_rows(rows: EncodedRatings, count: int, seed: int) -> EncodedRatings:
    """Draw at most `count` rows by seed, in their own order."""
    if len(rows) <= count:
        return rows
    drawn = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    return rows.take(np.sort(drawn))

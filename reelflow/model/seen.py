"""Movies that users have rated in train, as masks for the losses."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from reelflow.encoding.encoded import EncodedData
from reelflow.model.timelines import Timelines

SEEN_TABLE_BYTES = 1 << 28
"""Size up to which `SeenMovies` holds a dense table of users by movies."""


class SeenMovies:
    """Movies that users have rated in train, for losses to leave out.

    A dense table if it is small, which is fastest; or else looked up in the timelines.
    """

    def __init__(
        self, data: EncodedData, timelines: Timelines, enabled: bool, dense: bool = True
    ) -> None:
        """Make the table.

        Args:
            data: holds the train ratings.
            timelines: the same ratings by user.
            enabled: False leaves nothing out.
            dense: False looks everything up, however small the table would be.
        """
        self._timelines = timelines
        self._enabled = enabled
        shape = data.sizes.users + 1, len(data.catalogue)
        self.table: tf.Tensor | None = None
        """bool [users + 1, movies]; None if it would be too large, or is not enabled."""
        if enabled and dense and shape[0] * shape[1] <= SEEN_TABLE_BYTES:
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

    def among(self, users: tf.Tensor, targets: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return which of a few movies are no negatives: seen by the user, or the target itself.

        Args:
            users: int [batch], many times the same few.
            targets: `movie_index`, int32 [batch].
            movies: distinct and ascending, int32 [n].

        Returns:
            bool [batch, n].
        """
        itself = targets[:, None] == movies[None, :]
        if not self._enabled:
            return itself
        distinct, places = tf.unique(users)
        if self.table is not None:
            seen = tf.gather(tf.gather(self.table, distinct), movies, axis=1)
        else:
            cells = self._timelines.seen(distinct)
            columns = tf.searchsorted(movies, cells[:, 1])
            inside = tf.gather(movies, tf.minimum(columns, tf.size(movies) - 1)) == cells[:, 1]
            cells = tf.boolean_mask(tf.stack([cells[:, 0], columns], axis=1), inside)
            shape = [tf.size(distinct), tf.size(movies)]
            seen = tf.scatter_nd(cells, tf.ones_like(cells[:, 0]), shape) > 0
        return tf.gather(seen, places) | itself

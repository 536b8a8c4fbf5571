"""Train ratings as windows of timelines: all positions of a window are trained on in one step.

A rating by itself needs the last movies before it, `history_length` lookups; its neighbour in the
timeline needs all of them but one again. In a window of consecutive ratings each movie is looked up
once, and one product with a banded matrix of position weights makes the histories of all positions
(`QueryTower.along`), as causal sequence models are trained (Kang & McAuley 2018, "Self-attentive
sequential recommendation", section 3.5).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedRatings, Int64
from reelflow.model.timelines import Batch, Past, Timelines

PAST: Final = "past"
"""Positions in train of the movies that a window's histories consist of, int64 [windows, columns],
each once and in order, -1 after the last."""
PAST_END: Final = "past_end"
"""Column of `PAST` before which the history of each rating ends, int32 [windows, length]."""
PAST_COUNT: Final = "past_count"
"""Number of movies in the history of each rating, int32 [windows, length]: those in the columns
just before its end. They are of the rating's own user."""
WEIGHT: Final = "weight"
"""1 for each rating of an epoch, 0 for padding, float32 [windows, length]."""


class Sequences(NamedTuple):
    """Windows of timelines and what was known at each of their positions, as tensors."""

    users: tf.Tensor
    """`user_index`, int32 [windows, length]; a window may go on with the next user."""
    targets: tf.Tensor
    """`movie_index` of the rated movies, int32 [windows, length]."""
    past: Past
    """Past movies, [windows, columns], padded on the right."""
    ends: tf.Tensor
    """Column at which the history of each position ends, int32 [windows, length]."""
    counts: tf.Tensor
    """Columns before it that are the history, int32 [windows, length]."""

    @classmethod
    def of(cls, batch: dict[str, tf.Tensor], timelines: Timelines) -> Sequences:
        """Look up the movies of a batch of `Windows` in the timelines of train."""
        rows = batch[f.USER_INDEX], batch[f.MOVIE_INDEX]
        return cls(*rows, timelines.at(batch[PAST]), batch[PAST_END], batch[PAST_COUNT])

    def owners(self) -> tf.Tensor:
        """Return the user of each past movie, int32 [windows, columns].

        That of the first position whose history it is in. Of padding any.
        """
        columns = tf.tile(
            tf.range(tf.shape(self.past.movies)[1])[None], [tf.shape(self.ends)[0], 1]
        )
        first = tf.searchsorted(self.ends, columns, side="right")
        first = tf.minimum(first, tf.shape(self.ends)[1] - 1)
        return tf.gather(self.users, first, axis=1, batch_dims=1)

    def ages(self) -> tf.Tensor:
        """Return how many movies are newer in a history, int32 [windows, length, columns].

        0 is the last movie before the position; what is no part of its history is negative.
        """
        columns = tf.range(tf.shape(self.past.movies)[1])
        ages = self.ends[:, :, None] - 1 - columns[None, None, :]
        return tf.where((ages >= 0) & (ages < self.counts[:, :, None]), ages, -1)


class Windows(keras.utils.Sequence):
    """Train ratings in windows of consecutive rows, in a new order from a new start each epoch.

    Rows are read from memory-mapped columns. Shapes are the same in all batches: the last one is
    padded.
    """

    def __init__(
        self, rows: EncodedRatings, history_length: int, batch_size: int, length: int, seed: int
    ) -> None:
        """Cut the train split into windows.

        Args:
            rows: the train split, at least one rating.
            history_length: movies of a history, at most.
            batch_size: ratings of a batch, about.
            length: ratings of a window, at most.
            seed: of order and starts.
        """
        super().__init__()
        self._rows, self._history_length = rows, history_length
        self._length = min(length, batch_size, len(rows))
        self._batch = max(1, batch_size // self._length)
        self._random = np.random.default_rng(seed)
        self._count = -(-len(rows) // self._length)
        users = np.arange(int(rows.user_index[-1]) + 1, dtype=np.int32)
        self._begins: Int64 = np.searchsorted(rows.user_index, users).astype(np.int64)
        self._columns = self._most_columns()
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-self._count // self._batch)

    def __getitem__(self, index: int) -> Batch:
        windows = self._order[index * self._batch : (index + 1) * self._batch]
        missing = self._batch - len(windows)
        windows = np.concatenate([windows, np.full(missing, self._count)])
        rows = windows[:, None] * self._length + np.arange(self._length)
        weights = (rows < len(self._rows)).astype(np.float32)
        rows = (rows + self._start) % len(self._rows)
        users, ends = self._rows.user_index[rows], self._rows.history_end[rows]
        known = ends - self._begins[users]
        counts = np.minimum(known, self._history_length)
        lows = ends - counts
        goes_on = (users[:, 1:] == users[:, :-1]) & (rows[:, 1:] > rows[:, :-1])
        lows[:, 1:] = np.where(goes_on, np.maximum(lows[:, 1:], ends[:, :-1]), lows[:, 1:])
        added = ends - lows
        past_ends = np.cumsum(added, axis=1)
        past = np.full((self._batch, self._columns), -1, np.int64)
        # Column i of a window is position i of what its ratings add, one after the other.
        where = np.repeat(np.arange(self._batch), past_ends[:, -1])
        columns = np.arange(len(where)) - np.repeat(
            np.cumsum(past_ends[:, -1]) - past_ends[:, -1], past_ends[:, -1]
        )
        begun = np.repeat((past_ends - added).ravel(), added.ravel())
        past[where, columns] = np.repeat(lows.ravel(), added.ravel()) + columns - begun
        return {
            f.USER_INDEX: users,
            f.MOVIE_INDEX: self._rows.movie_index[rows],
            PAST: past,
            PAST_END: past_ends.astype(np.int32),
            PAST_COUNT: counts.astype(np.int32),
            WEIGHT: weights,
        }

    def on_epoch_end(self) -> None:
        """Draw where the next epoch's first window begins, and the order of the windows."""
        self._start = int(self._random.integers(len(self._rows)))
        self._order: npt.NDArray[np.int64] = self._random.permutation(self._count)

    def _most_columns(self) -> int:
        """Return the most movies that the histories of a window consist of, wherever it begins."""
        users, ends = self._rows.user_index, self._rows.history_end
        known = np.minimum(ends - self._begins[users], self._history_length)
        added = known.copy()
        same = users[1:] == users[:-1]
        added[1:] = np.where(same, np.minimum(known[1:], ends[1:] - ends[:-1]), known[1:])
        # Round the end of the split, whose first rating begins anew anyway.
        sums = np.concatenate([[0], np.cumsum(np.concatenate([added, added[: self._length]]))])
        first = np.arange(len(added))
        return int((known + sums[first + self._length] - sums[first + 1]).max())

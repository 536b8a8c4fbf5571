"""Whole batches by index-gather from memory-mapped columns; nothing is shuffled row by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from components.trainer import features as f
from components.transform.encoded import EncodedRatings

Batch = dict[str, npt.NDArray[np.generic]]


class Batches(keras.utils.Sequence):
    """The ratings of a split in batches, in a new order each epoch."""

    def __init__(self, rows: EncodedRatings, batch_size: int, seed: int | None) -> None:
        """Cuts a split into batches.

        Args:
            rows: the split.
            batch_size: ratings a batch; the last one may be smaller.
            seed: of the order; none keeps the split's own order.
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
        """Draws the next epoch's order."""
        if self._random is not None:
            self._random.shuffle(self._order)


def sample_rows(rows: EncodedRatings, count: int, seed: int) -> EncodedRatings:
    """At most `count` rows, drawn by seed, in their own order."""
    if len(rows) <= count:
        return rows
    drawn = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    return rows.take(np.sort(drawn))

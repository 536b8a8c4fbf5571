"""The notebooks' loop on its own: text ids from memory, shuffled, batched and cached."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from benchmarks.stock.columns import MOVIE, RATING, USER
from benchmarks.stock.model import BATCH, compiled
from reelflow.encoding.encoded import EncodedRatings


def seconds_per_epoch(
    rows: EncodedRatings,
    users: Sequence[str],
    movies: Sequence[str],
    *,
    metric: bool,
    rating: bool,
    epochs: int,
) -> list[float]:
    """Train as the notebooks do.

    Args:
        rows: the train split.
        users, movies: vocabularies.
        metric: FactorizedTopK at every step.
        rating: the multi-task tutorial's model, else the retrieval tutorial's.
        epochs: how many.

    Returns:
        Wall seconds of each epoch; the first one traces and fills the cache.
    """
    columns: dict[str, Any] = {
        USER: tf.gather(tf.constant(users), rows.user_index),
        MOVIE: tf.gather(tf.constant(movies), rows.movie_index),
        RATING: tf.constant(rows.rating),
    }
    ratings = tf.data.Dataset.from_tensor_slices(columns)
    batches = ratings.shuffle(100_000, seed=42, reshuffle_each_iteration=False)
    clock = EpochClock()
    model = compiled(list(users), list(movies), metric, rating)
    model.fit(batches.batch(BATCH).cache(), epochs=epochs, verbose=0, callbacks=[clock])
    return clock.seconds


class EpochClock(keras.callbacks.Callback):
    """Wall seconds of each epoch, without validation."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._began)

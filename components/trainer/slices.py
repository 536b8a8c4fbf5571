"""Slices of one long tensor, row by row: what a loop over the rows of a batch would collect."""

from __future__ import annotations

import tensorflow as tf


def slices(starts: tf.Tensor, ends: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The positions `starts[i]` to `ends[i] - 1` of every row i, one row after the other.

    In two kernels; `tf.repeat` would make a matrix of the batch by its longest slice.

    Args:
        starts, ends: int64 [batch].

    Returns:
        Rows, int32 [n], ascending, and positions, int64 [n].
    """
    splits, positions = tf.raw_ops.RaggedRange(
        starts=starts, limits=ends, deltas=tf.ones([], tf.int64)
    )
    # A row begins where its split is; empty rows share theirs with the next one.
    begins = tf.ones_like(splits[1:-1], tf.int32)
    steps = tf.scatter_nd(splits[1:-1, None], begins, tf.shape(positions, tf.int64) + 1)
    return tf.cumsum(steps)[:-1], positions

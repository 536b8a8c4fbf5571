"""Exact top-K and exact ranks over the whole catalogue, in TensorFlow's own operations."""

from __future__ import annotations

import tensorflow as tf

LOWEST = tf.float32.min


def mask(scores: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Scores [batch, movies] with the cells, int32 [n, 2] of (row, film), set to the lowest."""
    return tf.tensor_scatter_nd_update(scores, cells, tf.fill(tf.shape(cells)[:1], LOWEST))


def top_k(scores: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The k best films of each row; k is bounded by the catalogue's size.

    Returns:
        Scores, float32 [batch, k], best first, and films, int32 [batch, k], -1 where none is left.
    """
    best, films = tf.math.top_k(scores, k=tf.clip_by_value(k, 1, tf.shape(scores)[1]))
    return best, tf.where(best > LOWEST, films, -1)


def ranks(scores: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Exact ranks of the targets, ties against the model, so that a constant model ranks last.

    Args:
        scores: float32 [batch, movies]; a NaN counts as better than the target, and as worst if it
            is the target's own.
        targets: `movie_index`, int32 [batch].
        seen: films that do not compete in the unseen protocol, int32 [n, 2] of (row, film); the
            target itself always competes.

    Returns:
        Raw and unseen ranks, int32 [batch], from 1.
    """
    rows = tf.range(tf.size(targets))
    target_scores = tf.gather_nd(scores, tf.stack([rows, targets], axis=1))
    raw = tf.reduce_sum(tf.cast(~(scores < target_scores[:, None]), tf.int32), axis=1)
    competes = ~(tf.gather_nd(scores, seen) < tf.gather(target_scores, seen[:, 0]))
    competes &= seen[:, 1] != tf.gather(targets, seen[:, 0])
    ahead = tf.math.unsorted_segment_sum(tf.cast(competes, tf.int32), seen[:, 0], tf.size(targets))
    return raw, raw - ahead

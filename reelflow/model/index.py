"""Exact top-K and exact ranks over the whole catalogue, in TensorFlow's own operations."""

from __future__ import annotations

import math

import tensorflow as tf

LOWEST = tf.float32.min


def mask(scores: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Scores [batch, movies] with the cells, int32 [n, 2] of (row, movie), set to the lowest."""
    return tf.tensor_scatter_nd_update(scores, cells, tf.fill(tf.shape(cells)[:1], LOWEST))


def block_size(movies: int) -> int:
    """Movies in a block of `top_k`, a power of two; one where blocks would save nothing."""
    return 1 << round(math.log2(movies / 4) / 2) if movies > 2048 else 1


def top_k(scores: tf.Tensor, k: tf.Tensor, block: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    """The k best movies of each row; k is bounded by the catalogue's size.

    With blocks the same by a shorter way. None of the k best lies outside of the k blocks with the
    highest maxima, ties included: of equals the first is the better one, in both steps.

    Args:
        scores: float32 [batch, movies]; with blocks, `movies` is a multiple of `block`.
        k: how many.
        block: movies next to each other that are first looked at together.

    Returns:
        Scores, float32 [batch, k], best first, and movies, int32 [batch, k], -1 where none is left.
    """
    k = tf.clip_by_value(k, 1, tf.shape(scores)[1])
    if block == 1:
        best, movies = tf.math.top_k(scores, k)
        return best, tf.where(best > LOWEST, movies, -1)
    rows = tf.shape(scores)[0]
    blocks = tf.reshape(scores, [rows, tf.shape(scores)[1] // block, block])
    highest = tf.reduce_max(blocks, axis=2)
    count = tf.minimum(k, tf.shape(highest)[1])
    chosen = tf.sort(tf.math.top_k(highest, count, sorted=False).indices, axis=1)
    rivals = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [rows, count * block])
    best, at = tf.math.top_k(rivals, k)
    movies = tf.gather(chosen, at // block, batch_dims=1) * block + at % block
    return best, tf.where(best > LOWEST, movies, -1)


def ranks(scores: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Exact ranks of the targets, ties against the model, so that a constant model ranks last.

    Args:
        scores: float32 [batch, movies]; a NaN counts as better than the target, and as worst if it
            is the target's own.
        targets: `movie_index`, int32 [batch].
        seen: movies that do not compete in the unseen protocol, int32 [n, 2] of (row, movie), none
            of them twice; the target itself always competes.

    Returns:
        Raw and unseen ranks, int32 [batch], from 1.
    """
    target_scores = tf.gather(scores, targets, axis=1, batch_dims=1)
    behind = scores < target_scores[:, None]
    raw = tf.shape(scores)[1] - tf.reduce_sum(tf.cast(behind, tf.int32), axis=1)
    rows, movies = seen[:, 0], seen[:, 1]
    ahead = ~tf.gather_nd(behind, seen) & (movies != tf.gather(targets, rows))
    out = tf.math.unsorted_segment_sum(tf.cast(ahead, tf.int32), rows, tf.size(targets))
    return raw, raw - out

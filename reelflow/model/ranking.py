"""Masks, exact top-k and exact ranks of score matrices, in TensorFlow's own operations."""

from __future__ import annotations

import math

import tensorflow as tf

LOWEST = tf.float32.min
"""Score of a movie that must not be recommended."""
FLAT = 1e-6
"""Standard deviation of a row of scores, relative to their size, up to which all are the same."""
_MIN_BLOCKED_MOVIES = 2048


def standardised(scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return scores less their mean in standard deviations, row by row, float32 [batch, movies].

    A row that is the same but for rounding becomes zeros: noise must not be made to look like
    scores.

    Returns:
        These, and what differences of each row were multiplied by, float32 [batch, 1].
    """
    mean, variance = tf.nn.moments(scores, axes=[1], keepdims=True)
    deviation = tf.sqrt(variance)
    largest = tf.reduce_max(tf.abs(scores), axis=1, keepdims=True)
    per_unit = tf.where(deviation > FLAT * largest, 1.0 / deviation, 0.0)
    return (scores - mean) * per_unit, per_unit


def mask(scores: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Set scores to `LOWEST`.

    Args:
        scores: float32 [batch, movies].
        cells: coordinates (row, movie), int32 [n, 2].
    """
    return tf.tensor_scatter_nd_update(scores, cells, tf.fill(tf.shape(cells)[:1], LOWEST))


def block_size(movies: int) -> int:
    """Return the number of movies in a block of `top_k`, a power of two; 1 for small catalogues."""
    return 1 << round(math.log2(movies / 4) / 2) if movies > _MIN_BLOCKED_MOVIES else 1


def top_k(scores: tf.Tensor, k: tf.Tensor, block: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    """Select the k best movies of each row; k is bounded by the catalogue's size.

    Blocks only save time: the k best are all within the k blocks with the highest maxima, ties
    included, because of equal scores both steps prefer the first.

    Args:
        scores: float32 [batch, movies]; `movies` must be a multiple of `block`.
        k: number of movies, a scalar.
        block: number of neighbouring movies whose maximum is compared first.

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
    contenders = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [rows, count * block])
    best, at = tf.math.top_k(contenders, k)
    movies = tf.gather(chosen, at // block, batch_dims=1) * block + at % block
    return best, tf.where(best > LOWEST, movies, -1)


def exact_ranks(
    scores: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Rank the targets; ties count against the model, so that a constant model ranks last.

    Args:
        scores: float32 [batch, movies]; a NaN counts as better than the target, and as worst if it
            is the target's own.
        targets: `movie_index`, int32 [batch].
        seen: coordinates (row, movie) of movies that do not compete in the unseen protocol, int32
            [n, 2], without duplicates; the target itself always competes.

    Returns:
        Raw and unseen ranks, int32 [batch], from 1.
    """
    target_scores = tf.gather(scores, targets, axis=1, batch_dims=1)
    behind = scores < target_scores[:, None]
    raw = tf.shape(scores)[1] - tf.reduce_sum(tf.cast(behind, tf.int32), axis=1)
    rows, movies = seen[:, 0], seen[:, 1]
    ahead = ~tf.gather_nd(behind, seen) & (movies != tf.gather(targets, rows))
    seen_ahead = tf.math.unsorted_segment_sum(tf.cast(ahead, tf.int32), rows, tf.size(targets))
    return raw, raw - seen_ahead

"""Loss functions of the retrieval task, each the mean over a batch in nats."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

MASKED = -1e9
"""Score of a movie that is left out of a softmax."""


def full_softmax(
    queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor
) -> tf.Tensor:
    """Return the cross-entropy of a softmax over the whole catalogue.

    Exact, without a sampling bias to correct. It costs batch x catalogue x embedding size
    operations, which suits up to some 60,000 movies.

    Args:
        queries: float32 [batch, size].
        candidates: float32 [movies, size].
        targets: `movie_index`, int32 [batch].
        seen: movies to leave out of the softmax, int32 [n, 2] of (row, movie), n may be 0, or bool
            [batch, movies], which is faster for many; the target itself always stays.
    """
    return _softmax(queries, candidates, targets, seen, tf.zeros_like(targets, queries.dtype))


@tf.custom_gradient
def _softmax(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    seen: tf.Tensor,
    discounts: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, None, None, None]]]:
    """Return `full_softmax`, with `discounts`, float32 [batch], taken from the targets' scores.

    The gradient is written out, because TensorFlow's own copies the [batch, movies] matrix for each
    of its steps.
    """
    target_candidates = tf.gather(candidates, targets)
    target_scores = tf.reduce_sum(queries * target_candidates, axis=1) - discounts
    rows = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
    scores = tf.matmul(queries, candidates, transpose_b=True)
    if seen.dtype == tf.bool:
        scores = tf.where(seen, MASKED, scores)
    else:
        scores = tf.tensor_scatter_nd_update(scores, seen, tf.fill(tf.shape(seen)[:1], MASKED))
    scores = tf.tensor_scatter_nd_update(scores, rows, target_scores)
    highest = tf.reduce_max(scores, axis=1, keepdims=True)
    weights = tf.exp(scores - highest)
    sums = tf.reduce_sum(weights, axis=1)
    loss = tf.reduce_mean(tf.math.log(sums) + highest[:, 0] - target_scores)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None, None, None]:
        share = upstream / tf.cast(tf.size(targets), tf.float32)
        scale = (share / sums)[:, None]
        by_query = tf.matmul(weights, candidates) * scale - share * target_candidates
        by_candidate = tf.matmul(weights, queries * scale, transpose_a=True)
        by_candidate = tf.tensor_scatter_nd_sub(by_candidate, targets[:, None], share * queries)
        return by_query, by_candidate, None, None, None

    return loss, gradient


def bayesian_personalised_ranking(
    target_scores: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Return the negative log-likelihood that each target is ranked above its negatives.

    BPR (Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", eq. 7).

    Args:
        target_scores: float32 [batch].
        scores: of the negatives, float32 [batch, negatives].
        weights: of the negatives, float32 [batch, negatives]; zeros leave a negative out.
    """
    losses = tf.math.softplus(scores - target_scores[:, None])
    return tf.math.divide_no_nan(tf.reduce_sum(weights * losses), tf.reduce_sum(weights))


def draw_negatives(probabilities: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Draw movies with replacement.

    Args:
        probabilities: of each movie, float32 [movies].
        rows: number of rows, a scalar.
        count: number of movies for each row.

    Returns:
        `movie_index`, int32 [rows, count].
    """
    logits = tf.math.log(probabilities)[None]
    drawn = tf.random.categorical(logits, rows * count, dtype=tf.int32)
    return tf.reshape(drawn, [-1, count])


def in_batch_softmax(
    queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, probabilities: tf.Tensor | None
) -> tf.Tensor:
    """Return the cross-entropy of a softmax over the movies of the batch.

    With logQ correction (Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus
    item recommendations") and accidental hits removed. Value and gradients are those of TFRS's task
    (`tfrs.tasks.Retrieval`), in which a movie that is in the batch n times has n columns: here it
    has one, with log(n) added for the rows that it is a negative of. The task's step takes 3 to 11
    times as long in batches of 1,024, 7 to 21 times in batches of 8,192 (`python -m
    benchmarks.losses`, two cores).

    Args:
        queries: float32 [batch, size].
        candidates: embeddings of the batch's own targets, float32 [batch, size].
        targets: `movie_index`, int32 [batch].
        probabilities: share of each movie among the train ratings, float32 [movies], to correct
            for; None means no correction.
    """
    movies, columns, counts = tf.unique_with_counts(targets)
    rows = tf.range(tf.size(targets))
    first = tf.math.unsorted_segment_min(rows, columns, tf.size(movies))
    repeats = tf.math.log(tf.cast(counts, tf.float32))
    offsets = repeats
    if probabilities is not None:
        offsets -= tf.math.log(tf.gather(probabilities, movies))
    return _softmax(
        tf.concat([queries, tf.ones_like(queries[:, :1])], axis=1),
        tf.concat([tf.gather(candidates, first), offsets[:, None]], axis=1),
        columns,
        tf.zeros([0, 2], tf.int32),
        tf.gather(repeats, columns),
    )

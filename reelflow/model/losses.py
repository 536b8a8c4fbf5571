"""Losses of the retrieval task: which movie, out of all of them, did the user turn to?"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

MASKED = -1e9


def full_softmax(
    queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor
) -> tf.Tensor:
    """Mean cross-entropy over the whole catalogue, in nats.

    Exact, without a sampling bias to correct; its cost is batch x catalogue x embedding size, which
    is right up to some 60,000 movies.

    Args:
        queries: float32 [batch, size].
        candidates: float32 [movies, size].
        targets: `movie_index`, int32 [batch].
        seen: movies to leave out of the softmax, int32 [n, 2] of (row, movie), n may be 0, or bool
            [batch, movies], which is faster where there are many; the target itself always stays.
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
    """`full_softmax` with something to take from the score that each row's target has, [batch].

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
    """Mean negative log-likelihood that each target beats its negatives, in nats.

    BPR (Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", eq. 7).

    Args:
        target_scores: float32 [batch].
        scores: of the negatives, float32 [batch, negatives].
        weights: how much each negative counts, float32 [batch, negatives]; a row that has none but
            zeros counts nothing.
    """
    losses = tf.math.softplus(scores - target_scores[:, None])
    return tf.math.divide_no_nan(tf.reduce_sum(weights * losses), tf.reduce_sum(weights))


class NegativeSampler(tf.Module):
    """Draws movies, with replacement."""

    def __init__(self, probabilities: tf.Tensor, count: int) -> None:
        """Make the sampler.

        Args:
            probabilities: of each movie, float32 [movies].
            count: movies for each row.
        """
        super().__init__()
        self.probabilities = probabilities
        self._count = count

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """`movie_index` of the movies drawn, int32 [rows, count]."""
        logits = tf.math.log(self.probabilities)[None]
        drawn = tf.random.categorical(logits, rows * self._count, dtype=tf.int32)
        return tf.reshape(drawn, [-1, self._count])


class InBatchSoftmax(tf.Module):
    """Cross-entropy over the movies of the batch, corrected for how often a movie is in a batch.

    With logQ correction (Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus
    item recommendations") and accidental hits removed. The same as TFRS's Retrieval task, to which
    a movie that is in the batch n times is n columns: here it is one, with log(n) added for the
    rows that it is a negative of.
    """

    def __init__(self, probabilities: tf.Tensor, logq: bool) -> None:
        """Make the task.

        Args:
            probabilities: share of each movie among the train ratings, float32 [movies].
            logq: correct for them.
        """
        super().__init__()
        self._probabilities = probabilities if logq else None

    def __call__(self, queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Mean loss in nats.

        Args:
            queries: float32 [batch, size].
            candidates: embeddings of the batch's own targets, float32 [batch, size].
            targets: `movie_index`, int32 [batch].
        """
        movies, columns, counts = tf.unique_with_counts(targets)
        rows = tf.range(tf.size(targets))
        first = tf.math.unsorted_segment_min(rows, columns, tf.size(movies))
        repeats = tf.math.log(tf.cast(counts, tf.float32))
        offsets = repeats
        if self._probabilities is not None:
            offsets -= tf.math.log(tf.gather(self._probabilities, movies))
        return _softmax(
            tf.concat([queries, tf.ones_like(queries[:, :1])], axis=1),
            tf.concat([tf.gather(candidates, first), offsets[:, None]], axis=1),
            columns,
            tf.zeros([0, 2], tf.int32),
            tf.gather(repeats, columns),
        )

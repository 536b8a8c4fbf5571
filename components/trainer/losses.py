"""Losses of the retrieval task: which film, out of all of them, did the user turn to?"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

MASKED = -1e9


@tf.custom_gradient
def full_softmax(
    queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, None, None]]]:
    """Mean cross-entropy over the whole catalogue, in nats.

    Exact, without a sampling bias to correct; its cost is batch x catalogue x embedding size, which
    is right up to some 60,000 films. The gradient is written out, because TensorFlow's own copies
    the [batch, movies] matrix for each of its steps.

    Args:
        queries: float32 [batch, size].
        candidates: float32 [movies, size].
        targets: `movie_index`, int32 [batch].
        seen: films to leave out of the softmax, int32 [n, 2] of (row, film), n may be 0; the target
            itself always stays.
    """
    target_candidates = tf.gather(candidates, targets)
    target_scores = tf.reduce_sum(queries * target_candidates, axis=1)
    rows = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
    scores = tf.matmul(queries, candidates, transpose_b=True)
    scores = tf.tensor_scatter_nd_update(scores, seen, tf.fill(tf.shape(seen)[:1], MASKED))
    scores = tf.tensor_scatter_nd_update(scores, rows, target_scores)
    highest = tf.reduce_max(scores, axis=1, keepdims=True)
    weights = tf.exp(scores - highest)
    sums = tf.reduce_sum(weights, axis=1)
    loss = tf.reduce_mean(tf.math.log(sums) + highest[:, 0] - target_scores)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None, None]:
        share = upstream / tf.cast(tf.size(targets), tf.float32)
        scale = (share / sums)[:, None]
        by_query = tf.matmul(weights, candidates) * scale - share * target_candidates
        by_candidate = tf.matmul(weights, queries * scale, transpose_a=True)
        by_candidate = tf.tensor_scatter_nd_sub(by_candidate, targets[:, None], share * queries)
        return by_query, by_candidate, None, None

    return loss, gradient


class InBatchSoftmax(tf.Module):
    """Cross-entropy over the films of the batch, corrected for how often a film is in a batch.

    TFRS's Retrieval task with logQ correction (Yi et al. 2019, "Sampling-bias-corrected neural
    modeling for large corpus item recommendations") and accidental hits removed.
    """

    def __init__(self, probabilities: tf.Tensor, logq: bool) -> None:
        """Makes the task.

        Args:
            probabilities: share of each film among the train ratings, float32 [movies].
            logq: correct for them.
        """
        super().__init__()
        self._probabilities = probabilities if logq else None
        self._task = tfrs.tasks.Retrieval(
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, reduction=keras.losses.Reduction.SUM_OVER_BATCH_SIZE
            ),
            remove_accidental_hits=True,
        )

    def __call__(self, queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Mean loss in nats.

        Args:
            queries: float32 [batch, size].
            candidates: embeddings of the batch's own targets, float32 [batch, size].
            targets: `movie_index`, int32 [batch].
        """
        probabilities = self._probabilities
        return self._task(
            queries,
            candidates,
            candidate_ids=targets,
            candidate_sampling_probability=(
                None if probabilities is None else tf.gather(probabilities, targets)
            ),
        )

"""Losses of the retrieval task: which film, out of all of them, did the user turn to?"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

MASKED = -1e9


class FullSoftmax(tf.Module):
    """Cross-entropy over the whole catalogue.

    Exact, without a sampling bias to correct; its cost is batch x catalogue x embedding size, which
    is right up to some 60,000 films.
    """

    def __call__(
        self, queries: tf.Tensor, candidates: tf.Tensor, targets: tf.Tensor, seen: tf.Tensor | None
    ) -> tf.Tensor:
        """Mean loss in nats.

        Args:
            queries: float32 [batch, size].
            candidates: float32 [movies, size].
            targets: `movie_index`, int32 [batch].
            seen: films to leave out of the softmax, int32 [n, 2] of (row, film); the target itself
                always stays.
        """
        scores = tf.matmul(queries, candidates, transpose_b=True)
        rows = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
        target_scores = tf.gather_nd(scores, rows)
        if seen is not None:
            masked = tf.fill(tf.shape(seen)[:1], MASKED)
            scores = tf.tensor_scatter_nd_update(scores, seen, masked)
            scores = tf.tensor_scatter_nd_update(scores, rows, target_scores)
        return tf.reduce_mean(tf.reduce_logsumexp(scores, axis=1) - target_scores)


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

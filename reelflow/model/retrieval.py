"""The retrieval task: which movie did the user turn to, by the configured loss?"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.losses import (
    InBatchSoftmax,
    NegativeSampler,
    bayesian_personalised_ranking,
    full_softmax,
)
from reelflow.model.timelines import Timelines
from reelflow.model.towers import CandidateTower

TABLE_BYTES = 1 << 28
"""Size up to which a table says who has seen what; beyond, each batch looks it up."""

PLAIN_SHARE = 1e-3
"""Share of plain popularity in the recent one."""


class RetrievalTask:
    """The loss of queries and targets, with seen movies left out and negatives as configured."""

    def __init__(
        self,
        data: EncodedData,
        candidate_tower: CandidateTower,
        timelines: Timelines,
        config: ModelConfig,
    ) -> None:
        self._config = config
        self._candidate_tower = candidate_tower
        self._timelines = timelines
        self._seen = _seen_table(data) if config.mask_seen else None
        probabilities, movies = popularity(data), len(data.catalogue)
        self._in_batch = InBatchSoftmax(probabilities, config.logq)
        self._log_probabilities = tf.math.log(probabilities)
        self._negatives = NegativeSampler(
            probabilities if config.negatives == "popularity" else tf.fill([movies], 1.0 / movies),
            config.negative_count,
        )

    def __call__(
        self, queries: tf.Tensor, users: tf.Tensor, targets: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean loss in nats, and in training the L2 on what the towers give.

        Args:
            queries: float32 [batch, size + 1].
            users: `user_index` of each query, int32 [batch].
            targets: `movie_index` of the movie that the user turned to, int32 [batch].
            training: drops out; the in-batch softmax is for training only, validation takes all
                movies.
        """
        if self._config.loss != "full_softmax" and training:
            positives = self._candidate_tower(targets, training=True)
        else:
            movies = self._candidate_tower.catalogue(training)
            positives = tf.gather(movies, targets) if self._config.tower_l2 else None
        penalty = tf.constant(0.0)
        if self._config.tower_l2 and training:
            penalty = self._config.tower_l2 * (_mean_square(queries) + _mean_square(positives))
        if self._config.loss == "in_batch_softmax" and not self._config.logq and not training:
            # Its negatives come as often as they are rated: so they count in its expectation too.
            offsets = self._config.temperature * self._log_probabilities[:, None]
            movies = tf.concat([movies[:, :-1], movies[:, -1:] + offsets], axis=1)
        queries /= self._config.temperature
        if self._config.loss == "in_batch_softmax" and training:
            return self._in_batch(queries, positives, targets), penalty
        if self._config.loss == "bpr":
            if training:
                return self._pairwise(queries, positives, users, targets), penalty
            return self._pairwise_with_all(queries, movies, users, targets), penalty
        return full_softmax(queries, movies, targets, self._out(users)), penalty

    def _pairwise(
        self, queries: tf.Tensor, positives: tf.Tensor, users: tf.Tensor, targets: tf.Tensor
    ) -> tf.Tensor:
        """BPR against sampled movies; the user's rated ones count only if they are not masked."""
        negatives = self._negatives.draw(tf.size(users))
        candidates = self._candidate_tower(tf.reshape(negatives, [-1]), training=True)
        shape = [tf.size(users), negatives.shape[1], queries.shape[1]]
        candidates = tf.reshape(candidates, shape)
        wrong = negatives == targets[:, None]
        if self._seen is not None:
            wrong |= tf.gather(tf.gather(self._seen, users), negatives, batch_dims=1)
        return bayesian_personalised_ranking(
            tf.reduce_sum(queries * positives, axis=1),
            tf.einsum("bd,bnd->bn", queries, candidates),
            tf.cast(~wrong, tf.float32),
        )

    def _pairwise_with_all(
        self, queries: tf.Tensor, movies: tf.Tensor, users: tf.Tensor, targets: tf.Tensor
    ) -> tf.Tensor:
        """BPR as validation takes it: its expectation, exact and the same at every epoch."""
        scores = tf.matmul(queries, movies, transpose_b=True)
        cells = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
        weights = tf.tile(self._negatives.probabilities[None], [tf.size(targets), 1])
        out = self._out(users)
        if out.dtype == tf.bool:
            weights = tf.where(out, 0.0, weights)
        else:
            weights = tf.tensor_scatter_nd_update(weights, out, tf.zeros(tf.shape(out)[:1]))
        weights = tf.tensor_scatter_nd_update(weights, cells, tf.zeros(tf.shape(cells)[:1]))
        return bayesian_personalised_ranking(tf.gather_nd(scores, cells), scores, weights)

    def _out(self, users: tf.Tensor) -> tf.Tensor:
        """The movies that do not compete, in either of the forms that `full_softmax` takes."""
        if self._seen is not None:
            return tf.gather(self._seen, users)
        return self._timelines.seen(users if self._config.mask_seen else users[:0])


def _mean_square(rows: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of the squared norms of what a tower gives, the bias column left out."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(rows[:, :-1]), axis=1))


def _seen_table(data: EncodedData) -> tf.Tensor | None:
    """Who has seen what in train, bool [users + 1, movies]; none if it would be too large."""
    shape = data.sizes.users + 1, len(data.catalogue)
    if shape[0] * shape[1] > TABLE_BYTES:
        return None
    seen = np.zeros(shape, np.bool_)
    known = data.train.movie_index < shape[1]
    seen[data.train.user_index[known], data.train.movie_index[known]] = True
    return tf.constant(seen)


def popularity(data: EncodedData) -> tf.Tensor:
    """Share of each movie among the train ratings, float32 [movies].

    A movie that nobody rated counts as a tenth of a rating, so that logarithms stay finite.
    """
    counts = np.maximum(data.rating_counts, 0.1)
    return tf.constant(counts / counts.sum(), tf.float32)


def recent_popularity(data: EncodedData, half_life: float) -> tf.Tensor:
    """Share of each movie among the train ratings, old ones counting less, float32 [movies].

    Args:
        data: whose train ratings.
        half_life: age in days at which a rating counts half, seen from the newest one; 0, or no
            timestamps: all count alike. Where ratings are too old to count, their plain number
            still decides.
    """
    plain = popularity(data)
    train, movies = data.train, len(data.catalogue)
    if not half_life or not data.sizes.has_timestamps:
        return plain
    ages = (train.timestamp.max(initial=0) - train.timestamp) / SECONDS_PER_DAY
    counts = np.bincount(train.movie_index, np.exp2(-ages / half_life), movies)[:movies]
    shares = tf.constant(counts / counts.sum(), tf.float32)
    return (1 - PLAIN_SHARE) * shares + PLAIN_SHARE * plain

"""The joint model: retrieval and rating, learned together, weighted by the configuration."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from components.trainer import features as f
from components.trainer.rating import RatingModel
from components.trainer.retrieval import RetrievalTask, recent_popularity
from components.trainer.timelines import Timelines
from components.trainer.towers import CandidateTower, QueryTower
from components.transform.encoded import EncodedData
from pipeline.config import ModelConfig

RETRIEVAL_LOSS = "retrieval_loss"
RATING_LOSS = "rating_loss"


class JointModel(tfrs.Model):
    """Two towers and a rating model; the two share no weights, so each can stop at its own best."""

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        super().__init__()
        movies = len(data.catalogue)
        # Without timestamps nothing is strictly earlier: there is no recency to learn.
        history_length = config.history_length if data.sizes.has_timestamps else 0
        self.timelines = Timelines(
            data.train.movie_index, data.train.timestamp, data.offsets, unknown=movies
        )
        self.query_tower = QueryTower(
            data.sizes.users,
            movies,
            history_length,
            config,
            data.user_features if config.user_features else None,
        )
        self.candidate_tower = CandidateTower(data, config)
        self.rating_model = RatingModel(data, config)
        self._config = config
        self.popularity = recent_popularity(data, config.popularity_half_life)
        self._retrieval_task = RetrievalTask(data, self.candidate_tower, self.timelines, config)
        self._rating_task = tfrs.tasks.Ranking(
            loss=keras.losses.MeanSquaredError(reduction=keras.losses.Reduction.SUM_OVER_BATCH_SIZE)
        )
        self._loss_means = {n: keras.metrics.Mean(n) for n in (RETRIEVAL_LOSS, RATING_LOSS)}

    def query(
        self, users: tf.Tensor, history_ends: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Queries of users at positions of their timelines, float32 [batch, size + 1]."""
        recent = self.timelines.recent(users, history_ends, self.query_tower.history_length)
        return self.query_tower(users, recent, training=training)

    # AutoGraph would translate Keras, TFRS and this module to find nothing to change: most of the
    # time until the first step.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of Keras's `fit`."""
        return super().train_step(inputs)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of Keras's validation."""
        return super().test_step(inputs)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Weighted sum of both tasks' mean losses over a batch of encoded ratings."""
        total = tf.constant(0.0)
        if self._config.retrieval_weight:
            queries = self.query(inputs[f.USER_INDEX], inputs[f.HISTORY_END], training=training)
            loss, penalty = self._retrieval_task(
                queries, inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], training=training
            )
            self._loss_means[RETRIEVAL_LOSS].update_state(loss)
            total += self._config.retrieval_weight * (loss + penalty)
        if self._config.rating_weight:
            predictions = self.rating_model(
                inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], training=training
            )
            loss = self._rating_task(labels=inputs[f.RATING], predictions=predictions)
            self._loss_means[RATING_LOSS].update_state(loss)
            total += self._config.rating_weight * loss
        return total

    def task_weights(self) -> dict[str, list[tf.Variable]]:
        """Name of the loss to the weights that only this loss trains."""
        towers = self.query_tower.trainable_weights + self.candidate_tower.trainable_weights
        weights = {RETRIEVAL_LOSS: towers, RATING_LOSS: self.rating_model.trainable_weights}
        active = {
            RETRIEVAL_LOSS: self._config.retrieval_weight,
            RATING_LOSS: self._config.rating_weight,
        }
        return {name: weights[name] for name, weight in active.items() if weight}

"""The joint model: retrieval and rating, each by its weight in the configuration."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.rating import FrozenRatings, RatingModel, bias_ratings, freeze
from reelflow.model.retrieval import RetrievalTask, recent_popularity
from reelflow.model.timelines import Timelines
from reelflow.model.towers import CandidateTower, QueryTower
from reelflow.model.weights import Weights, prefixed

RETRIEVAL_LOSS = "retrieval_loss"
RATING_LOSS = "rating_loss"
JOINT_LOSS = "joint_loss"
TASK_LOSSES = {f.RETRIEVAL_TASK: RETRIEVAL_LOSS, f.RATING_TASK: RATING_LOSS}
"""Task to the name of its loss."""


class JointModel(tfrs.Model):
    """Two towers and a rating model.

    Tasks that share no weights gain nothing from each other's steps: see `stages`.
    """

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        super().__init__()
        self._config = config
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
        self.rating_model = RatingModel(data, config, (self.query_tower, self.candidate_tower))
        self.further_rating_models: list[RatingModel] = []
        """The same of other seeds; what is exported is the mean."""
        self.best_epochs: dict[str, int] = {}
        """Loss to the passes over train after which its task's weights were kept; set by `fit`."""
        self.learn(self.tasks)
        self._bias_ratings = None if config.rating_weight else bias_ratings(data)
        self.popularity = recent_popularity(data, config.popularity_half_life)
        self._retrieval_task = RetrievalTask(data, self.candidate_tower, self.timelines, config)
        names = dict.fromkeys([*(TASK_LOSSES[task] for task in self.tasks), *self.stages])
        self._loss_means = {name: keras.metrics.Mean(name) for name in names}

    @property
    def has_retrieval(self) -> bool:
        """Whether the towers are trained."""
        return self._config.retrieval_weight > 0

    @property
    def has_rating(self) -> bool:
        """Whether the rating model is trained; if not, stars come from biases."""
        return self._config.rating_weight > 0

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that are trained, as `model.json` has them."""
        return [f.RETRIEVAL_TASK] * self.has_retrieval + [f.RATING_TASK] * self.has_rating

    def named_weights(self) -> dict[str, Weights]:
        """Task to the weights that it trained: what a later model can begin with."""
        found: dict[str, Weights] = {}
        if self.has_retrieval or self._config.rating_share_embeddings:
            query = prefixed("query", self.query_tower.named_weights())
            candidate = prefixed("candidate", self.candidate_tower.named_weights())
            found[f.RETRIEVAL_TASK] = {**query, **candidate}
        if self.has_rating:
            found[f.RATING_TASK] = self.rating_model.named_weights()
        return found

    @property
    def stages(self) -> dict[str, list[str]]:
        """Loss to watch, and the tasks that are trained by it, one entry after the other.

        Tasks that share weights are trained together. Others are not, so that each has a step size
        and a last epoch of its own.
        """
        if self._config.rating_share_embeddings and len(self.tasks) > 1:
            return {JOINT_LOSS: self.tasks}
        return {TASK_LOSSES[task]: [task] for task in self.tasks}

    def learn(self, tasks: Sequence[str]) -> None:
        """Train these tasks from now on; what the others alone have stays as it is.

        Keras wants the model compiled again after it.
        """
        self.learning = list(tasks)
        # What is not trained needs no gradients. The towers last: the rating model may hold them.
        self.rating_model.trainable = f.RATING_TASK in tasks
        shared = self._config.rating_share_embeddings and f.RATING_TASK in tasks
        self.query_tower.trainable = f.RETRIEVAL_TASK in tasks or shared
        self.candidate_tower.trainable = f.RETRIEVAL_TASK in tasks or shared

    def frozen_ratings(self) -> FrozenRatings:
        """What is exported of the rating models, or biases if none was trained."""
        if self._bias_ratings is not None:
            return self._bias_ratings
        return freeze([self.rating_model, *self.further_rating_models])

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
        """Weighted sum of both tasks' losses over a batch of encoded ratings.

        Both are means over the batch, unless the configuration wants retrieval's summed. The losses
        that are reported are means in any case.
        """
        total, scale = tf.constant(0.0), tf.constant(1.0)
        if self._config.retrieval_reduction == "sum":
            scale = tf.cast(tf.size(inputs[f.USER_INDEX]), tf.float32)
        if f.RETRIEVAL_TASK in self.learning:
            queries = self.query(inputs[f.USER_INDEX], inputs[f.HISTORY_END], training=training)
            loss, penalty = self._retrieval_task(
                queries, inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], training=training
            )
            self._loss_means[RETRIEVAL_LOSS].update_state(loss)
            total += self._config.retrieval_weight * scale * (loss + penalty)
        if f.RATING_TASK in self.learning:
            pairs = inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], inputs[f.TIMESTAMP]
            utilities = self.rating_model(*pairs, training=training)
            loss = self.rating_model.loss(utilities, inputs[f.RATING], training)
            self._loss_means[RATING_LOSS].update_state(loss)
            total += self._config.rating_weight * loss
        if JOINT_LOSS in self._loss_means:
            self._loss_means[JOINT_LOSS].update_state(total / scale)
        return total

    @property
    def parameters(self) -> int:
        """Numbers that training learned."""
        weights = {id(weight): weight for weight in self.trainable_weights}
        return sum(weight.shape.num_elements() for weight in weights.values())

"""The joint model: a retrieval and a rating task, weighted by the configuration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.candidates import CandidateTower
from reelflow.model.histories import Histories
from reelflow.model.layers import Bags
from reelflow.model.rating import (
    FrozenModel,
    FrozenRatings,
    LikeCurve,
    RatingModel,
    bias_ratings,
    freeze,
)
from reelflow.model.retrieval import RETRIEVAL_LOSSES, RetrievalTask, recent_popularity
from reelflow.model.sequences import PAST, WEIGHT, Sequences
from reelflow.model.timelines import Timelines
from reelflow.model.towers import QueryTower
from reelflow.model.weights import Weights, prefixed

RETRIEVAL_LOSS = "retrieval_loss"
RATING_LOSS = "rating_loss"
JOINT_LOSS = "joint_loss"
TASK_LOSSES = {f.RETRIEVAL_TASK: RETRIEVAL_LOSS, f.RATING_TASK: RATING_LOSS}
"""Name of each task's loss in the history."""


class JointModel(tfrs.Model):
    """Query tower, candidate tower and rating model, trained on batches of encoded ratings.

    loss = retrieval_weight * retrieval loss + rating_weight * rating loss, as in TFRS's multi-task
    tutorial; tasks that share no weights are trained one after the other (`stages`).
    """

    def __init__(self, data: EncodedData, config: ModelConfig, by_rows: bool = False) -> None:
        """Make the untrained model.

        Args:
            data: encoded ratings.
            config: the section `model`.
            by_rows: tables are on other machines: a step takes only the rows that it needs.
        """
        super().__init__()
        self._config = config
        movies = len(data.catalogue)
        # Without timestamps nothing is strictly earlier: there is no recency to learn.
        history_length = config.history_length if data.sizes.has_timestamps else 0
        self.timelines = Timelines(Histories.of_train(data))
        self._padding = movies
        train = data.train
        # Histories that reach beyond their own rating, of splits that are not by time.
        self._whole = bool((train.history_end > np.arange(len(train))).any())
        self._bags: Bags | None = None
        if config.query_bag and config.query != "user_id":
            self._bags = Bags(train.user_index, train.movie_index, data.sizes.users + 1)
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
        """Rating models of other seeds; the export averages all of them."""
        self.bayesian_ratings: FrozenModel | None = None
        """A Bayesian rating model beside them; set by `fit`."""
        self.like_curve: LikeCurve | None = None
        """From stars to the probability of a like; set by `fit_and_refit`."""
        self.best_epochs: dict[str, int] = {}
        """Loss to the number of epochs of the weights that were kept; set by `fit`."""
        self.learn(self.tasks)
        self._bias_ratings = None if config.rating_weight else bias_ratings(data)
        self.popularity = recent_popularity(data, config.popularity_half_life)
        self._retrieval_task = RetrievalTask(
            data, self.candidate_tower, self.timelines, config, by_rows
        )
        names = dict.fromkeys([*(TASK_LOSSES[task] for task in self.tasks), *self.stages])
        self._loss_means = {name: keras.metrics.Mean(name) for name in names}

    @property
    def has_retrieval(self) -> bool:
        """True if the towers are trained."""
        return self._config.retrieval_weight > 0

    @property
    def has_rating(self) -> bool:
        """True if the rating model is trained; otherwise stars come from biases."""
        return self._config.rating_weight > 0

    def learns_on_timelines(self) -> bool:
        """True if what is trained now takes batches of `Windows`, and not of `Batches`."""
        if self._config.query == "sequence" and self._whole:
            return False  # all positions in one pass would have seen what they are to find
        return (
            self.learning == [f.RETRIEVAL_TASK] and RETRIEVAL_LOSSES[self._config.loss].on_timelines
        )

    @property
    def tasks(self) -> list[str]:
        """Names of the trained tasks, as `model.json` has them."""
        return [f.RETRIEVAL_TASK] * self.has_retrieval + [f.RATING_TASK] * self.has_rating

    def named_weights(self) -> dict[str, Weights]:
        """Return the weights of each task, for a later model to start with."""
        named: dict[str, Weights] = {}
        if self.has_retrieval or self._config.rating_share_embeddings:
            query = prefixed("query", self.query_tower.named_weights())
            candidate = prefixed("candidate", self.candidate_tower.named_weights())
            named[f.RETRIEVAL_TASK] = {**query, **candidate}
        if self.has_rating:
            named[f.RATING_TASK] = self.rating_model.named_weights()
        return named

    @property
    def stages(self) -> dict[str, list[str]]:
        """Consecutive trainings: the loss to stop by, and the tasks that are trained.

        Tasks that share weights are trained together; others apart, each with its own step size and
        number of epochs.
        """
        if self._config.rating_share_embeddings and len(self.tasks) > 1:
            return {JOINT_LOSS: self.tasks}
        return {TASK_LOSSES[task]: [task] for task in self.tasks}

    def multiply_in(self, products: tf.DType) -> None:
        """Multiply the softmaxes of training in a type, before the first step is traced."""
        self._retrieval_task.products = products

    def learn(self, tasks: Sequence[str]) -> None:
        """Train these tasks from now on, and leave the weights of the others alone.

        Keras then needs the model to be compiled again.
        """
        self.learning = list(tasks)
        # The towers last, as the rating model may contain them.
        self.rating_model.trainable = f.RATING_TASK in tasks
        shared = self._config.rating_share_embeddings and f.RATING_TASK in tasks
        self.query_tower.trainable = f.RETRIEVAL_TASK in tasks or shared
        self.candidate_tower.trainable = f.RETRIEVAL_TASK in tasks or shared

    def frozen_ratings(self) -> FrozenRatings:
        """Return the rating models in the form that is exported; biases if none is trained."""
        if self._bias_ratings is not None:
            return self._bias_ratings
        models = [self.rating_model, *self.further_rating_models]
        return freeze(models, self.bayesian_ratings, self.like_curve)

    def query(
        self,
        users: tf.Tensor,
        history_ends: tf.Tensor,
        targets: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Embed users at positions of their timelines, float32 [batch, size + 1]."""
        length = self.query_tower.history_length
        past = self.timelines.recent(users, history_ends, length)
        if training and self._whole and length and targets is not None:
            itself = past.movies == targets[:, None]
            past = past._replace(movies=tf.where(itself, self._padding, past.movies))
        bag = None
        if self._bags is not None:
            bag = self.query_tower.sums_of(self._bags, users, targets if training else None)
        return self.query_tower(users, past, bag, training=training)

    def query_along(self, sequences: Sequences, training: bool | None = None) -> tf.Tensor:
        """Embed users at all positions of windows, float32 [windows * length, size + 1]."""
        users, targets = (tf.reshape(x, [-1]) for x in (sequences.users, sequences.targets))
        bag = None
        if self._bags is not None:
            bag = self.query_tower.sums_of(self._bags, users, targets if training else None)
        without_targets = bool(training) and self._whole
        return self.query_tower.along(sequences, bag, without_targets, training=training)

    # AutoGraph would translate Keras, TFRS and this module without need, which takes most of the
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
        """Return the weighted sum of both tasks' losses over a batch, a scalar.

        Losses are means over the batch; `model.retrieval_reduction` can make retrieval's a sum. The
        reported losses are always means.

        Args:
            inputs: columns of `Batches`, each [batch]; or of `Windows`, for retrieval alone.
            training: True for a training step.
        """
        total, scale = tf.constant(0.0), tf.constant(1.0)
        if self._config.retrieval_reduction == "sum":
            rows = inputs.get(WEIGHT, tf.ones_like(inputs[f.USER_INDEX], tf.float32))
            scale = tf.reduce_sum(rows)
        if f.RETRIEVAL_TASK in self.learning:
            users, targets, weights = inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], None
            if PAST in inputs:
                queries = self.query_along(Sequences.of(inputs, self.timelines), training)
                columns = users, targets, inputs[WEIGHT]
                users, targets, weights = (tf.reshape(column, [-1]) for column in columns)
            else:
                queries = self.query(users, inputs[f.HISTORY_END], targets, training)
            loss, penalty = self._retrieval_task(queries, users, targets, training, weights)
            self._loss_means[RETRIEVAL_LOSS].update_state(loss)
            total += self._config.retrieval_weight * scale * (loss + penalty)
        if f.RATING_TASK in self.learning:
            # Validation as served: without the time of what is predicted.
            times = inputs[f.TIMESTAMP] if training else None
            pairs = inputs[f.USER_INDEX], inputs[f.MOVIE_INDEX], times
            utilities = self.rating_model(*pairs, training=training)
            loss = self.rating_model.loss(utilities, inputs[f.RATING], training)
            self._loss_means[RATING_LOSS].update_state(loss)
            total += self._config.rating_weight * loss
        if JOINT_LOSS in self._loss_means:
            self._loss_means[JOINT_LOSS].update_state(total / scale)
        return total

    @property
    def parameters(self) -> int:
        """Number of trainable parameters, with those of the Bayesian rating model."""
        weights = {id(weight): weight for weight in self.trainable_weights}
        if self.bayesian_ratings is not None:
            weights |= {id(table): table for table in self.bayesian_ratings.variables}
        return sum(weight.shape.num_elements() for weight in weights.values())

"""The training loop: Keras `fit` and early stopping for each task, TensorBoard logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encode import training_data
from reelflow.encoding.encoded import EncodedData
from reelflow.model.tasks import LOSSES, RATING_LOSS, JointModel
from reelflow.model.timelines import Batches, sample_rows
from reelflow.model.warm_start import Start

History = dict[str, list[float]]

VALIDATION = "val_"
"""What Keras puts before the name of a loss on held-out rows."""
STEPS = 16
"""Steps between two returns to Python."""
VALIDATION_CELLS = 1 << 25
"""Scores that a validation batch holds at a time: 128 MiB of float32."""


def fit(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: Start | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    epochs: Mapping[str, int] | None = None,
) -> tuple[JointModel, History]:
    """Train the joint model and leaves each task's weights at its best validation loss.

    Tasks that share weights are trained together, others one after the other. With `train.seeds`
    above 1, further rating models follow, each with a seed, an order of batches and a best epoch of
    its own.

    Args:
        data: what to train on.
        model: the section `model`.
        train: the section `train`.
        log_dir: of TensorBoard's logs.
        start: the champion's weights to begin with, where they fit; their validation loss is then
            the one to beat.
        callbacks: further ones, of the first model.
        epochs: loss to how many passes over train it takes; by default `train.epochs` at most.

    Returns:
        The model, and loss name to its value per epoch.

    Raises:
        BadInput: no train rating has a known user and movie, or several seeds are asked of a rating
            model without weights of its own.
    """
    if train.seeds > 1 and model.rating_share_embeddings:
        raise BadInput(
            "train.seeds averages rating models, which have no embeddings of their own with "
            "model.rating_share_embeddings.",
            "Set train.seeds to 1.",
        )
    epochs = epochs or {}
    joint, history = _fit_once(data, model, train, log_dir, start, epochs, callbacks=callbacks)
    if joint.has_rating:
        alone = model.model_copy(update={"retrieval_weight": 0.0})
        for number in range(1, train.seeds):
            another = train.model_copy(update={"seed": train.seed + number})
            folder = log_dir / f"seed-{number + 1}"
            further, _ = _fit_once(data, alone, another, folder, start, epochs, number)
            joint.further_rating_models.append(further.rating_model)
    return joint, history


def _fit_once(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: Start | None,
    epochs: Mapping[str, int],
    number: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[JointModel, History]:
    keras.backend.clear_session()
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    if len(data.train) == 0:
        raise BadInput(
            "All ids of the train split are out of vocabulary: there is nothing to learn from.",
            "Check that ratings and movies use the same ids.",
        )
    known = data.validation.only_known(data.sizes)
    held_out = sample_rows(known, train.validation_rows, train.seed)
    held_out_batch = min(4 * train.batch_size, max(1, VALIDATION_CELLS // len(data.catalogue)))
    validation = Batches(held_out, held_out_batch, None) if len(held_out) else None
    joint = JointModel(data, model)
    begun = [] if start is None else start.begin(joint, number)
    history: History = {}
    for loss, tasks in joint.stages.items():
        joint.learn(tasks)
        batches = Batches(data.train, train.batch_size, train.seed)
        rate = rating_rate(train, len(batches)) if loss == RATING_LOSS else train.learning_rate
        joint.compile(optimizer=optimizer(train, rate), steps_per_execution=STEPS)
        best = BestWeights(loss, train.patience)
        if validation is not None and set(tasks) <= set(begun):
            best.begin(joint, joint.evaluate(validation, verbose=0, return_dict=True)[loss])
        most = epochs.get(loss, train.epochs)
        if start is not None and most:
            start.loosen(joint, [task for task in tasks if task in begun], train.warm_start_share)
        result = joint.fit(
            batches,
            validation_data=validation,
            epochs=most,
            callbacks=[
                best,
                keras.callbacks.TerminateOnNaN(),
                keras.callbacks.TensorBoard(
                    str(log_dir / loss.removesuffix("_loss")), write_graph=False, profile_batch=0
                ),
                *callbacks,
            ],
            verbose=0,
        )
        names = {loss, *(LOSSES[task] for task in tasks)}
        history |= {k: v for k, v in result.history.items() if k.removeprefix(VALIDATION) in names}
        if best.epoch is not None:
            joint.best_epochs[loss] = best.epoch
    joint.learn(joint.tasks)
    return joint, history


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best validation loss, and stops when it does not get better.

    Keras's own `EarlyStopping` leaves the last weights where the epochs run out.
    Without a validation split the last weights stay.
    """

    def __init__(self, loss: str, patience: int) -> None:
        super().__init__()
        self._loss = VALIDATION + loss
        self._patience = patience
        self._best = float("inf")
        self._weights: list[npt.NDArray[np.float32]] = []
        self._stale = 0
        self.epoch: int | None = None
        """Passes over train after which the loss was best: 0 if a warm start's weights were best,
        none if no loss was ever a number."""

    def begin(self, joint: JointModel, loss: float) -> None:
        """Take a warm start's weights, with their validation loss, for the best ones so far."""
        self._keep(joint, loss, 0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the validation loss of the epoch."""
        loss = (logs or {}).get(self._loss)
        if loss is None:
            return
        if loss < self._best:
            self._stale = 0
            self._keep(self.model, loss, epoch + 1)
        else:
            self._stale += 1
        if self._stale >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights."""
        if self._weights:
            for variable, value in zip(self.model.trainable_weights, self._weights, strict=True):
                variable.assign(value)

    def _keep(self, model: keras.Model, loss: float, epoch: int) -> None:
        self._best, self.epoch = loss, epoch
        self._weights = [weight.numpy() for weight in model.trainable_weights]


# Optimizers for tables of embeddings.


Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


def rating_rate(config: TrainConfig, steps: int) -> Schedule:
    """The rating task's learning rate, which falls after each epoch of so many steps."""
    return keras.optimizers.schedules.ExponentialDecay(
        config.rating_learning_rate, steps, config.rating_decay, staircase=True
    )


def optimizer(
    config: TrainConfig, learning_rate: float | Schedule
) -> keras.optimizers.legacy.Optimizer:
    """The optimizer that the configuration names, at the learning rate of the task."""
    if config.optimizer == "adagrad":
        return keras.optimizers.legacy.Adagrad(learning_rate)
    return TableAdam(learning_rate)


class TableAdam(keras.optimizers.legacy.Adam):
    """Adam whose every step is one fused kernel a variable, for tables too.

    Keras's own Adam moves the whole table at each step as well, gradients of a few rows or not, but
    in ten operations; for models made of tables that is half of the training time. The values are
    the same.
    """

    def _resource_apply_sparse_duplicate_indices(
        self, grad: tf.Tensor, handle: tf.Tensor, indices: tf.Tensor, **options: Any
    ) -> tf.Operation:
        """Rows of a gradient, float32 [n, ...], of which several may belong to one index."""
        dense = tf.math.unsorted_segment_sum(grad, indices, tf.shape(handle)[0])
        return self._resource_apply_dense(dense, handle, **options)


# Training twice: to find out how long, and then on all ratings that are not test.


@dataclass(frozen=True)
class Fitted:
    """What training gives."""

    joint: JointModel
    """The model to export."""
    data: EncodedData
    """What it was trained on."""
    first: JointModel
    """The model that knows nothing of validation; the same one without a second training."""
    history: History
    """Loss name to its value per epoch of the first training."""


def fit_and_refit(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: Start | None = None,
) -> Fitted:
    """Trains, and with `train.refit` once more from the start with validation as part of train.

    The second training takes each task's best number of epochs of the first, as nothing is left to
    stop it by (Goodfellow, Bengio & Courville 2016, "Deep learning", algorithm 7.2). Only there are
    further seeds trained.

    Args:
        data: see `fit`.
        model: see `fit`.
        train: see `fit`.
        log_dir: see `fit`.
        start: what both trainings begin with.

    Raises:
        BadInput: see `fit`.
    """
    everything = training_data(data, train.model_dump())
    if everything is data:
        joint, history = fit(data, model, train, log_dir, start)
        return Fitted(joint, data, joint, history)
    once = train.model_copy(update={"seeds": 1})
    first, history = fit(data, model, once, log_dir, start)
    again, begin = log_dir / "refit", None if start is None else start.on(everything)
    joint, _ = fit(everything, model, train, again, begin, epochs=first.best_epochs)
    return Fitted(joint, everything, first, history)

"""The training loop: Keras `fit` with early stopping, task by task, and the refit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encode import as_served, training_data
from reelflow.encoding.encoded import EncodedData
from reelflow.model.optimizers import free, optimizer
from reelflow.model.parameter_servers.launch import train_towers
from reelflow.model.rating import bayesian_ratings, draws, like_curve
from reelflow.model.rating.days import serving_day
from reelflow.model.rating.frozen import FrozenModel
from reelflow.model.steps import held_out_batches, steps_of
from reelflow.model.tasks import RATING_LOSS, TASK_LOSSES, JointModel
from reelflow.model.timelines import sample_rows
from reelflow.model.warm_start import WeightTransfer, own_weights

History = dict[str, list[float]]

VALIDATION = "val_"
"""Prefix of Keras for the name of a loss on held-out rows."""
STEPS = 16
"""Training steps of one call from Python."""


def fit(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: WeightTransfer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    epochs: Mapping[str, int] | None = None,
    first: WeightTransfer | None = None,
) -> tuple[JointModel, History]:
    """Train the joint model, and leave each task's weights at its best validation loss.

    Tasks that share weights are trained together, others one after the other. With `train.seeds`
    above 1, further rating models follow, each with a seed, an order of batches and a best epoch of
    its own.

    Args:
        data: encoded ratings; trains on train, stops by validation.
        model: the section `model`.
        train: the section `train`.
        log_dir: folder of TensorBoard's logs.
        start: gives the champion's weights to the tasks that they fit, whose validation loss is
            then the one to beat.
        callbacks: further ones, of the first model.
        epochs: loss to the number of epochs of its training; by default as `train` says.
        first: gives an earlier training's weights on other ratings, for `epochs`, to the tasks that
            they fit, which go on through the last `train.refit_epochs` of these.

    Returns:
        The model, and the history: loss to its value in each epoch.

    Raises:
        BadInput: no train rating has a known user and movie, or `train.seeds` is above 1 for a
            rating model without weights of its own.
        ReelflowError: a loss is not a number.
    """
    if train.seeds > 1 and model.rating_share_embeddings:
        raise BadInput(
            "train.seeds averages rating models, which have no embeddings of their own with "
            "model.rating_share_embeddings.",
            "Set train.seeds to 1.",
        )
    epochs = epochs or {}
    joint, history = _fit_once(data, model, train, log_dir, start, epochs, 0, callbacks, first)
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
    start: WeightTransfer | None,
    epochs: Mapping[str, int],
    number: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    first: WeightTransfer | None = None,
) -> tuple[JointModel, History]:
    keras.backend.clear_session()
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    if len(data.train) == 0:
        raise BadInput(
            "All ids of the train split are out of vocabulary: there is nothing to learn from.",
            "Check that ratings and movies use the same ids.",
        )
    validation = held_out_batches(data, train)
    joint = JointModel(data, model)
    joint.multiply_in(tf.bfloat16 if train.precision == "mixed" else tf.float32)
    warm = [] if start is None else start.apply(joint, number)
    trained = [] if first is None else first.apply(joint)
    history: History = {}
    for loss, tasks in joint.stages.items():
        joint.learn(tasks)
        done = 0
        on_servers = train.distribution is not None and tasks == [f.RETRIEVAL_TASK]
        if loss in epochs and set(tasks) <= set(trained) and not on_servers:
            done = max(0, epochs[loss] - (train.refit_epochs or epochs[loss]))
        steps = steps_of(joint, data.train, train, loss, done)
        descent = optimizer(train, steps.rate)
        # Made in the first step, slots would have TensorFlow trace that step twice.
        descent._create_all_weights(joint.trainable_variables)
        # Putting steps into a loop costs another trace, and gains nothing where they are long.
        joint.compile(optimizer=descent, steps_per_execution=1 if steps.on_timelines else STEPS)
        best = BestWeights(loss, None if steps.in_a_cycle else train.patience)
        if validation is not None and set(tasks) <= set(warm):
            best.start_with(joint, joint.evaluate(validation, verbose=0, return_dict=True)[loss])
        max_epochs = epochs.get(loss, train.most_epochs(steps.in_a_cycle))
        if start is not None and max_epochs and not set(tasks) <= set(trained):
            start.shrink(joint, [task for task in tasks if task in warm], train.warm_start_share)
        if on_servers and max_epochs:
            folder = log_dir / "parameter_servers"
            values_by_name = train_towers(joint, data, model, train, max_epochs, folder)
            best.take(joint, values_by_name)
        else:
            values_by_name = joint.fit(
                steps.batches,
                validation_data=validation,
                epochs=max_epochs - done,
                callbacks=[
                    best,
                    keras.callbacks.TerminateOnNaN(),
                    keras.callbacks.TensorBoard(
                        str(log_dir / (tasks[0] if len(tasks) == 1 else "joint")),
                        write_graph=False,
                        profile_batch=0,
                    ),
                    *callbacks,
                ],
                verbose=0,
            ).history
        names = {loss, *(TASK_LOSSES[task] for task in tasks)}
        names |= {VALIDATION + name for name in names}
        losses = {name: values for name, values in values_by_name.items() if name in names}
        _check_losses(
            losses, train, "rating_learning_rate" if loss == RATING_LOSS else "learning_rate"
        )
        history |= losses
        if best.epoch is not None:
            joint.best_epochs[loss] = best.epoch
        free(descent)
    joint.learn(joint.tasks)
    joint.optimizer = None  # without its moments it is of no use
    return joint, history


def _check_losses(losses: History, train: TrainConfig, rate: str) -> None:
    """Check that all losses of a training are numbers.

    Args:
        losses: loss to its value in each epoch.
        train: the section `train`.
        rate: its key for the learning rate of this training.

    Raises:
        ReelflowError: a loss is infinite or not a number.
    """
    for name, values in losses.items():
        for epoch, value in enumerate(values, start=1):
            if not math.isfinite(value):
                words = name.removeprefix(VALIDATION).replace("_", " ")
                words = f"validation's {words}" if name.startswith(VALIDATION) else words
                kind = "not a number" if math.isnan(value) else "infinite"
                raise ReelflowError(
                    f"The {words} is {kind} after epoch {epoch}: training has diverged with "
                    f"train.{rate} = {getattr(train, rate):g}.",
                    f"Lower train.{rate}, for example to {getattr(train, rate) / 10:g}.",
                )


class BestWeights(keras.callbacks.Callback):
    """Stops training when the validation loss does not improve, and restores the best weights.

    Unlike Keras's own `EarlyStopping`, also if the epochs run out first. Without a validation split
    the last weights stay.
    """

    def __init__(self, loss: str, patience: int | None) -> None:
        """Watch a loss.

        Args:
            loss: its name in the history.
            patience: epochs without a better one before training stops; None never stops it.
        """
        super().__init__()
        self._loss = VALIDATION + loss
        self._patience = patience
        self._best = float("inf")
        self._weights: list[npt.NDArray[np.float32]] = []
        self._now = False  # the weights that the model has are the best ones
        self._stale = 0
        self.epoch: int | None = None
        """Epochs to the best loss: 0 if a warm start's weights were best, None without any loss."""

    def start_with(self, joint: JointModel, loss: float) -> None:
        """Take a warm start's weights, with their validation loss, as the best so far."""
        self._best, self.epoch = loss, 0
        self._copy(joint)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Copy the best weights before they go on; after the last epoch nothing is copied."""
        if self._now:
            self._copy(self.model)

    def take(self, joint: JointModel, losses: History) -> None:
        """Take the best epoch's weights, which the model has, unless the start's were better."""
        self.set_model(joint)
        values = losses.get(self._loss, [])
        if values:
            self.on_epoch_end(values.index(min(values)), {self._loss: min(values)})
        self.on_train_end()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the validation loss of the epoch with the best one."""
        loss = (logs or {}).get(self._loss)
        if loss is None:
            return
        if loss < self._best:
            self._stale = 0
            self._best, self.epoch, self._now = loss, epoch + 1, True
        else:
            self._stale += 1
        if self._patience is not None and self._stale >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights."""
        if self._weights and not self._now:
            for variable, value in zip(self.model.trainable_weights, self._weights, strict=True):
                variable.assign(value)

    def _copy(self, model: keras.Model) -> None:
        self._weights = [weight.numpy() for weight in model.trainable_weights]
        self._now = False


@dataclass(frozen=True)
class FitResult:
    """The result of `fit_and_refit`."""

    joint: JointModel
    """The model to export."""
    data: EncodedData
    """The data it was trained on: with a refit, validation is part of train."""
    before_refit: JointModel
    """The model of the first training, on train alone; without a refit the same as `joint`."""
    history: History
    """Loss to its value in each epoch of the first training."""


def fit_and_refit(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: WeightTransfer | None = None,
) -> FitResult:
    """Train, and with `train.refit` once more on train and validation together.

    The second training goes on from the first one's weights through the last `train.refit_epochs`
    of its schedule, up to each task's best number of epochs, as no ratings are left to stop it by
    (Goodfellow, Bengio & Courville 2016, "Deep learning", section 7.8: algorithm 7.3 goes on,
    algorithm 7.2, with None, begins anew). Weights that fit no more begin anew too. It alone trains
    further seeds. The Bayesian rating model of `model.rating_draws` is drawn beside both, in a
    thread of its own, from what the second one knows.

    Args:
        data: see `fit`.
        model: see `fit`.
        train: see `fit`.
        log_dir: see `fit`.
        start: gives both trainings the champion's weights.

    Raises:
        BadInput: see `fit`.
    """
    # Only the first training has validation ratings to find the day by.
    model = model.model_copy(update={"rating_day": model.rating_day or serving_day(data)})
    everything = training_data(data, train.model_dump())
    same, change = everything is data, as_served(data)
    data = change(data)
    everything = data if same else change(everything)
    with _drawn_beside(everything, model, train.seed) as bayesian:
        if everything is data:
            first, history = fit(data, model, train, log_dir, start)
            joint = first
        else:
            once = train.model_copy(update={"seeds": 1})
            first, history = fit(data, model, once, log_dir, start)
            again, begin = log_dir / "refit", None if start is None else start.on(everything)
            weights = None if train.refit_epochs is None else own_weights(first, data, everything)
            joint, _ = fit(everything, model, train, again, begin, (), first.best_epochs, weights)
    joint.bayesian_ratings = bayesian.result() if bayesian else None
    if joint.has_rating:
        known = data.validation.only_known(data.sizes)
        held_out = sample_rows(known, train.validation_rows, train.seed)
        joint.like_curve = like_curve(first.frozen_ratings(), held_out, data, everything, model)
    return FitResult(joint, everything, first, history)


@contextmanager
def _drawn_beside(
    data: EncodedData, model: ModelConfig, seed: int
) -> Iterator[Future[FrozenModel] | None]:
    """Draw the Bayesian rating model beside the training in the block, if there is to be one.

    The steps of TensorFlow leave a processor idle for much of the time. At the block's end the
    draws are over; after an exception in it they are given up.
    """
    count = draws(model, len(data.train))
    if not count:
        yield None
        return
    given_up = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(bayesian_ratings, data, model, count, seed, given_up)
        except BaseException:
            given_up.set()
            raise

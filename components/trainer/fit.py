"""The training loop: Keras `fit`, early stopping per task, TensorBoard logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from components.trainer import features as f
from components.trainer.batches import Batches, known_rows, sample_rows
from components.trainer.optimizer import optimizer
from components.trainer.tasks import JOINT_LOSS, RATING_LOSS, RETRIEVAL_LOSS, JointModel
from components.trainer.warm.start import Start
from components.transform.encoded import EncodedData
from pipeline.config import ModelConfig, TrainConfig
from ratings.errors import BadInput

History = dict[str, list[float]]

STEPS = 16
"""Steps between two returns to Python."""
_TASKS_OF = {
    RETRIEVAL_LOSS: (f.RETRIEVAL_TASK,),
    RATING_LOSS: (f.RATING_TASK,),
    JOINT_LOSS: f.TASKS,
}
VALIDATION_CELLS = 1 << 25
"""Scores that a validation batch holds at a time: 128 MiB of float32."""


def fit(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: Start | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[JointModel, History]:
    """Trains the joint model and leaves each task's weights at its best validation loss.

    With `train.seeds` above 1, further rating models are trained one after the other, each with a
    seed, an order of batches and a best epoch of its own.

    Args:
        data: what to train on.
        model: the section `model`.
        train: the section `train`.
        log_dir: of TensorBoard's logs.
        start: the champion's weights to begin with, where they fit; their validation loss is then
            the one to beat.
        callbacks: further ones, of the first model.

    Returns:
        The model, and loss name to its value per epoch.

    Raises:
        BadInput: no train rating has a known user and film, or several seeds are asked of a rating
            model without weights of its own.
    """
    if train.seeds > 1 and model.rating_share_embeddings:
        raise BadInput(
            "train.seeds averages rating models, which have no embeddings of their own with "
            "model.rating_share_embeddings.",
            "Set train.seeds to 1.",
        )
    joint, history = _fit_once(data, model, train, log_dir, start, callbacks=callbacks)
    if joint.has_rating:
        alone = model.model_copy(update={"retrieval_weight": 0.0})
        for number in range(1, train.seeds):
            another = train.model_copy(update={"seed": train.seed + number})
            folder = log_dir / f"seed-{number + 1}"
            further, _ = _fit_once(data, alone, another, folder, start, number)
            joint.further_rating_models.append(further.rating_model)
    return joint, history


def _fit_once(
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    log_dir: Path,
    start: Start | None,
    number: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[JointModel, History]:
    keras.backend.clear_session()
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    known = (data.sizes.users, len(data.catalogue))
    rows = known_rows(data.train, *known)
    if len(rows) == 0:
        raise BadInput(
            "All ids of the train split are out of vocabulary: there is nothing to learn from.",
            "Check that ratings and films use the same ids.",
        )
    held_out = sample_rows(known_rows(data.validation, *known), train.validation_rows, train.seed)
    held_out_batch = min(4 * train.batch_size, max(1, VALIDATION_CELLS // len(data.catalogue)))
    joint = JointModel(data, model)
    joint.compile(optimizer=optimizer(train), steps_per_execution=STEPS)
    best = BestWeights(joint, train.patience)
    validation = Batches(held_out, held_out_batch, None) if len(held_out) else None
    if start is not None and (begun := start.begin(joint, number)) and validation is not None:
        best.begin(begun, joint.evaluate(validation, verbose=0, return_dict=True))
    result = joint.fit(
        Batches(rows, train.batch_size, train.seed),
        validation_data=validation,
        epochs=train.epochs,
        callbacks=[
            best,
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.TensorBoard(str(log_dir), write_graph=False, profile_batch=0),
            *callbacks,
        ],
        verbose=0,
    )
    return joint, result.history


class BestWeights(keras.callbacks.Callback):
    """Keeps each task's weights at their best validation loss, and stops when no task improves.

    Tasks that share no weights may have their best epochs at different times.
    Without a validation split the last weights stay.
    """

    def __init__(self, joint: JointModel, patience: int) -> None:
        super().__init__()
        self._joint = joint
        self._patience = patience
        self._best: dict[str, float] = {}
        self._weights: dict[str, list[npt.NDArray[np.float32]]] = {}
        self._stale = 0

    def begin(self, tasks: Sequence[str], losses: Mapping[str, float]) -> None:
        """Takes the weights of a warm start for the best ones so far.

        Args:
            tasks: those that begin with a champion's weights.
            losses: validation losses by name.
        """
        for name, weights in self._joint.task_weights().items():
            if all(task in tasks for task in _TASKS_OF[name]):
                self._best[name] = losses[name]
                self._weights[name] = [w.numpy() for w in weights]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the validation losses of the epoch."""
        losses = {k.removeprefix("val_"): v for k, v in (logs or {}).items() if k[:4] == "val_"}
        groups = self._joint.task_weights()
        better = [
            name
            for name in groups
            if name in losses and losses[name] < self._best.get(name, float("inf"))
        ]
        for name in better:
            self._best[name] = losses[name]
            self._weights[name] = [w.numpy() for w in groups[name]]
        self._stale = 0 if better or not losses else self._stale + 1
        if self._stale >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restores the best weights."""
        groups = self._joint.task_weights()
        for name, weights in self._weights.items():
            for variable, value in zip(groups[name], weights, strict=True):
                variable.assign(value)

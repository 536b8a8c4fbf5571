"""The steps of a training: batches in their order, and the size of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.config import TrainConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.sequences import Windows
from reelflow.model.tasks import RATING_LOSS, JointModel
from reelflow.model.timelines import Batches, sample_rows

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
HELD_OUT_BATCH = 4096
"""Ratings in a validation batch, at most."""
VALIDATION_CELLS = 1 << 25
"""Scores in a validation batch, at most: 128 MiB of float32."""


@dataclass(frozen=True)
class Steps:
    """The steps of a training."""

    batches: Windows | Batches
    """Train ratings; called back after each epoch, they draw the next one's order."""
    rate: float | Schedule
    """Step size of the optimizer."""
    on_timelines: bool
    """True if the batches are `Windows`."""
    in_a_cycle: bool
    """True if the step size depends on the number of epochs, none of which may be left out."""


def steps_of(
    joint: JointModel, rows: EncodedRatings, train: TrainConfig, loss: str, done: int = 0
) -> Steps:
    """Plan the steps of what the model learns now.

    Args:
        joint: after `JointModel.learn`.
        rows: the train split.
        train: the section `train`.
        loss: name of the loss of this training.
        done: epochs of which an earlier training has made the steps.
    """
    on_timelines = joint.learns_on_timelines() and not train.by_counts
    size = train.ratings_per_step(len(rows), on_timelines)
    rate: float | Schedule = train.learning_rate
    if loss == RATING_LOSS:
        size, rate = train.rating_step(len(rows))
    batches: Windows | Batches
    if on_timelines:
        length = joint.query_tower.history_length
        batches = Windows(rows, length, size, train.window, train.seed)
    else:
        batches = Batches(rows, size, train.seed, train.by_counts)
    in_a_cycle = on_timelines and train.schedule == "one_cycle"
    if loss == RATING_LOSS:
        rate = falling(rate * train.rating_decay**done, train.rating_decay, len(batches))
    elif in_a_cycle:
        steps = len(batches)
        rate = OneCycle(train.learning_rate, train.most_epochs(True) * steps, done * steps)
    return Steps(batches, rate, on_timelines, in_a_cycle)


def held_out_batches(data: EncodedData, train: TrainConfig) -> Batches | None:
    """Return the validation ratings to look at after each epoch; None if there are none."""
    rows = sample_rows(data.validation.only_known(data.sizes), train.validation_rows, train.seed)
    size = min(HELD_OUT_BATCH, max(1, VALIDATION_CELLS // len(data.catalogue)))
    return Batches(rows, size, None) if len(rows) else None


def falling(rate: float, decay: float, steps: int) -> Schedule:
    """Return a step size that is multiplied by `decay` after each epoch of so many steps."""
    return keras.optimizers.schedules.ExponentialDecay(rate, steps, decay, staircase=True)


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A step size that rises in a straight line, and falls to nothing in half a cosine.

    Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large
    learning rates": as good as a constant one after many more epochs.
    """

    RISE = 0.25
    """Share of the steps in which it rises."""
    BEGIN = 0.1
    """First step size, as a share of the highest."""

    def __init__(self, highest: float, steps: int, done: int = 0) -> None:
        """Make the schedule.

        Args:
            highest: the highest step size.
            steps: number of steps until it is zero.
            done: steps that are left out at the beginning.
        """
        super().__init__()
        self._highest, self._steps, self._done = highest, max(1, steps), done

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the step size of a step, counted from 0."""
        done = (tf.cast(step, tf.float32) + self._done + 0.5) / self._steps
        rise = self.BEGIN + (1.0 - self.BEGIN) * done / self.RISE
        fall = 0.5 + 0.5 * tf.cos(
            np.pi * tf.clip_by_value((done - self.RISE) / (1 - self.RISE), 0, 1)
        )
        return self._highest * tf.minimum(rise, fall)

    def get_config(self) -> dict[str, float]:
        """Return the arguments, as Keras asks."""
        return {"highest": self._highest, "steps": self._steps, "done": self._done}

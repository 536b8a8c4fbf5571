"""Training twice: to find out how long, and then on all ratings that are not test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.trainer.fit import History, fit
from components.trainer.tasks import JointModel
from components.trainer.warm.start import Start
from components.transform.encoded import EncodedData
from components.transform.refit import learned_from
from pipeline.config import ModelConfig, TrainConfig


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
        data, model, train, log_dir: see `fit`.
        start: what both trainings begin with.

    Raises:
        BadInput: see `fit`.
    """
    everything = learned_from(data, train.model_dump())
    if everything is data:
        joint, history = fit(data, model, train, log_dir, start)
        return Fitted(joint, data, joint, history)
    once = train.model_copy(update={"seeds": 1})
    first, history = fit(data, model, once, log_dir, start)
    again, begin = log_dir / "refit", None if start is None else start.on(everything)
    joint, _ = fit(everything, model, train, again, begin, epochs=first.best_epochs)
    return Fitted(joint, everything, first, history)

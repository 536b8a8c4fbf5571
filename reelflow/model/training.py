"""One training run: guards, warm start, fit, and the SavedModel with its description."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from reelflow.base.common import send_notice
from reelflow.base.errors import BadInput
from reelflow.base.memory import give_back
from reelflow.base.nouns import MOVIE, Noun
from reelflow.config import ModelConfig, SplitConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.model import guards, mixing
from reelflow.model.export import export
from reelflow.model.fit import FitResult, fit_and_refit
from reelflow.model.signatures import ServingModel
from reelflow.model.stars import star_scale
from reelflow.model.tasks import RETRIEVAL_LOSS
from reelflow.model.warm_start import plan_start
from reelflow.saved_model.files import Guard, ModelInfo, StarScale


def train_and_export(
    data: EncodedData,
    users: list[str],
    model: ModelConfig,
    train: TrainConfig,
    split: SplitConfig | None,
    saved_model: Path,
    *,
    champion: Path | None = None,
    tuned: Mapping[str, Any] | None = None,
    log_dir: Path,
    noun: Noun = MOVIE,
) -> None:
    """Train the joint model and write its SavedModel.

    Args:
        data: the encoded ratings.
        users: the user vocabulary, in order.
        model: the section `model`.
        train: the section `train`.
        split: the section `split`; needed with `train.warm_start`.
        saved_model: the folder to write.
        champion: SavedModel to start from with `train.warm_start`; None: there is none.
        tuned: settings in `model` and `train` that the tuner chose.
        log_dir: of TensorBoard's logs.
        noun: the word for an item.

    Raises:
        BadInput: see `fit`.
        ReelflowError: the encoded ratings are wrong.
    """
    checks = [guards.strictly_past_histories(data)]
    guards.refuse(checks)
    model, scale = with_stars(model, train, data.train.rating)
    train = with_precision(train)
    plan = None
    if train.warm_start:
        assert split is not None, "a warm start needs the section split"
        plan = plan_start(champion, data, users, model, split)
    began, began_cpu = time.monotonic(), _cpu_seconds()
    start = None if plan is None else plan.transfer
    fitted = fit_and_refit(data, model, train, log_dir, start)
    joint, history = fitted.joint, fitted.history
    give_back()
    choice = mixing.choose(fitted.before_refit, data, users, model, train, scale.like_threshold)
    mixture = choice.mixture
    if fitted.data is not data:
        mixture = mixing.refit(choice, fitted.data, model)
    give_back()
    info = ModelInfo(
        users=len(users),
        movies=len(fitted.data.catalogue),
        train_rows=len(fitted.data.train),
        epochs=max(map(len, history.values())),
        best_epochs=dict(fitted.before_refit.best_epochs),
        fit_seconds=round(time.monotonic() - began, 1),
        fit_cpu_seconds=round(_cpu_seconds() - began_cpu, 1),
        parameters=joint.parameters,
        tasks=joint.tasks,
        history=history,
        tuned=dict(tuned or {}),
        warm_start=None if plan is None else plan.info(),
        guards=[*checks, *_check_training(fitted, model, train)],
        cross_weights=joint.rating_model.cross_weights() if joint.has_rating else None,
        stars=scale,
        mix=choice.mix,
        blend=choice.blend,
        model=model.model_dump(mode="json"),
        train=train.model_dump(mode="json"),
        split=None if split is None else split.model_dump(mode="json"),
        item=noun.one,
        items=noun.many,
    )
    serving = ServingModel(joint, fitted.data, users, mixture, model)
    export(serving, fitted.data, users, info, saved_model)
    if plan is not None:
        # The next run's validation ratings may be among this run's: keep weights that know none.
        plan.save_weights(fitted.before_refit, saved_model)


def _cpu_seconds() -> float:
    """Return the processor seconds of this process, and of those that it started and that ended."""
    return sum(os.times()[:4])


def with_stars(
    model: ModelConfig, train: TrainConfig, ratings: Float32
) -> tuple[ModelConfig, StarScale]:
    """Return the section `model` as it suits the ratings of train, and their scale.

    Ratings that do not vary, or that count events, teach retrieval alone.

    Raises:
        BadInput: there are no stars to learn, and the configuration asks for the rating task alone;
            or there are no ratings.
    """
    if not len(ratings):
        raise BadInput(
            "All ids of the train split are out of vocabulary: there is nothing to learn from.",
            "Check that ratings and movies use the same ids.",
        )
    scale = star_scale(ratings, model)
    if not model.rating_weight or (scale.deviation and not train.by_counts):
        return model, scale
    why = "The ratings count events" if scale.deviation else f"All ratings are {scale.lowest:g}"
    if not model.retrieval_weight:
        raise BadInput(
            f"{why}: there are no stars to learn, and model.retrieval_weight = 0 switches "
            "retrieval off.",
            "Set model.retrieval_weight above 0.",
        )
    send_notice("no stars to learn: retrieval alone")
    return model.model_copy(update={"rating_weight": 0.0}), scale


def with_precision(train: TrainConfig) -> TrainConfig:
    """Return the section `train` as it suits the machine: `mixed` products are for a GPU."""
    if train.precision == "float32" or tf.config.list_physical_devices("GPU"):
        return train
    send_notice("train.precision = mixed is for a GPU, and there is none here: float32 it is")
    return train.model_copy(update={"precision": "float32"})


def _check_training(fitted: FitResult, model: ModelConfig, train: TrainConfig) -> list[Guard]:
    """Check what was learned; the Evaluator refuses a model that does not pass."""
    joint = fitted.joint
    weights = {f"{i} {w.name}": w for i, w in enumerate(joint.trainable_weights)}
    checks = [guards.finite_weights(weights)]
    if joint.has_retrieval:
        losses = fitted.history[RETRIEVAL_LOSS]
        checks.append(guards.loss_below_chance(losses, fitted.data, model, train))
    return checks

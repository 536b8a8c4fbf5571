"""What TFX's Trainer calls: encoded ratings in, SavedModel out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from reelflow.base import columns as f
from reelflow.config import ModelConfig, SplitConfig, TrainConfig
from reelflow.config.tuning_space import MODEL, SPLIT, TRAIN, merged
from reelflow.encoding.encoded import EncodedData
from reelflow.model import guards
from reelflow.model.export import export
from reelflow.model.fit import History, fit_and_refit
from reelflow.model.signatures import ServingModel
from reelflow.model.tasks import RETRIEVAL_LOSS, JointModel
from reelflow.model.warm_start import find_beginning
from reelflow.saved_model.files import Guard, ModelInfo


def run_fn(args: FnArgs) -> None:
    """Train and exports.

    Args:
        args: TFX's; `custom_config` has the sections `model`, `train` and `split` of the
            configuration, and the tuner's `hyperparameters`, if there are any, override them.
            `base_model` is the champion that `train.warm_start` begins with.
    """
    config: dict[str, Any] = args.custom_config
    data = EncodedData.load(artifact_folder(args.train_files[0]))
    vocabulary = tft.TFTransformOutput(args.transform_output).vocabulary_by_name(f.USER_VOCABULARY)
    users = [word.decode() for word in vocabulary]
    tuned = dict((args.hyperparameters or {}).get("values", {}))
    model_config, train_config = merged(
        tuned, ModelConfig.model_validate(config[MODEL]), TrainConfig.model_validate(config[TRAIN])
    )
    before = [guards.strictly_past_histories(data)]
    guards.refuse(before)
    beginning = None
    if train_config.warm_start:
        split = SplitConfig.model_validate(config[SPLIT])
        champion = Path(args.base_model) if args.base_model else None
        beginning = find_beginning(champion, data, users, model_config, split)
    began = time.monotonic()
    start = None if beginning is None else beginning.start
    logs = Path(args.model_run_dir)
    fitted = fit_and_refit(data, model_config, train_config, logs, start)
    joint, history, data = fitted.joint, fitted.history, fitted.data
    info = ModelInfo(
        users=len(users),
        movies=len(data.catalogue),
        train_rows=len(data.train),
        epochs=max(map(len, history.values())),
        best_epochs=dict(fitted.first.best_epochs),
        fit_seconds=round(time.monotonic() - began, 1),
        parameters=joint.parameters,
        tasks=joint.tasks,
        history=history,
        tuned=tuned,
        warm_start=None if beginning is None else beginning.info(),
        guards=[*before, *_learned(joint, history, data, model_config, train_config)],
        cross_weights=joint.rating_model.cross_weights() if joint.has_rating else None,
        model=model_config.model_dump(mode="json"),
        train=train_config.model_dump(mode="json"),
        split=config.get(SPLIT),
    )
    export(ServingModel(joint, data, users), data, users, info, Path(args.serving_model_dir))
    if beginning is not None:
        # Validation ratings of this run may be those of the next one: what begins it knows none.
        beginning.keep(fitted.first, Path(args.serving_model_dir))


def _learned(
    joint: JointModel, history: History, data: EncodedData, model: ModelConfig, train: TrainConfig
) -> list[Guard]:
    """The guards of what was learned: the Evaluator refuses a model that does not pass them."""
    weights = joint.trainable_weights
    found = [
        guards.finite_weights({f"{i} {w.name}": w.numpy() for i, w in enumerate(weights)}),
    ]
    if joint.has_retrieval:
        found.append(guards.loss_below_chance(history[RETRIEVAL_LOSS], data, model, train))
    return found


def artifact_folder(split_pattern: str) -> Path:
    """The folder of an Examples artifact, from the pattern of one split's files."""
    return Path(split_pattern).parents[1]

"""The artifact I/O of TFX's Trainer: encoded ratings in, SavedModel out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from reelflow.base import columns as f
from reelflow.base.nouns import Noun
from reelflow.config import ModelConfig, SplitConfig, TrainConfig
from reelflow.config.tuning_space import MODEL, NOUN, SPLIT, TRAIN, merged
from reelflow.encoding.encoded import EncodedData
from reelflow.model.training import train_and_export


def run_fn(args: FnArgs) -> None:
    """Train and export.

    Args:
        args: TFX's; `custom_config` has the sections `model`, `train` and, for a warm start,
            `split` of the configuration, and the word for an item; the tuner's `hyperparameters`,
            if there are any, override them. `base_model` is the champion that `train.warm_start`
            begins with.
    """
    config: dict[str, Any] = args.custom_config
    tuned = dict((args.hyperparameters or {}).get("values", {}))
    model, train = merged(
        tuned, ModelConfig.model_validate(config[MODEL]), TrainConfig.model_validate(config[TRAIN])
    )
    vocabulary = tft.TFTransformOutput(args.transform_output).vocabulary_by_name(f.USER_VOCABULARY)
    train_and_export(
        EncodedData.load(artifact_folder(args.train_files[0])),
        [word.decode() for word in vocabulary],
        model,
        train,
        SplitConfig.model_validate(config[SPLIT]) if SPLIT in config else None,
        Path(args.serving_model_dir),
        champion=Path(args.base_model) if train.warm_start and args.base_model else None,
        tuned=tuned,
        log_dir=Path(args.model_run_dir),
        noun=Noun(**config.get(NOUN, {})),
    )


def artifact_folder(split_pattern: str) -> Path:
    """Return the folder of an Examples artifact, from the pattern of one split's files."""
    return Path(split_pattern).parents[1]

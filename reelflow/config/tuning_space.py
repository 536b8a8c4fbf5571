"""The search space: from the configuration to KerasTuner, and from a trial to a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import keras_tuner

from reelflow.config import ModelConfig, Range, Space, TrainConfig, Value, Values

T = TypeVar("T")

MODEL = "model"
TRAIN = "train"
SPLIT = "split"
EPOCHS = f"{TRAIN}.epochs"

HYPERBAND_EPOCHS = "tuner/epochs"
"""What Hyperband calls the epochs of a trial; all its own names begin with `tuner/`."""


def hyperparameters(
    space: Space, model: ModelConfig, train: TrainConfig, without: str | None = None
) -> keras_tuner.HyperParameters:
    """KerasTuner's search space, each name a dotted key of the configuration.

    Args:
        space: what to try.
        model: what is in place; where the space has these values, they are the defaults.
        train: likewise.
        without: a key to leave out.
    """
    found = keras_tuner.HyperParameters()
    now = {**_dotted(MODEL, model.model_dump()), **_dotted(TRAIN, train.model_dump())}
    for key, values in keys(space).items():
        if key == without:
            continue
        default = now[key] if inside(now[key], values) else None
        if not isinstance(values, Range):
            found.Choice(key, list(values), default=default)
            continue
        sampling = "log" if values.log else "linear"
        kind = found.Int if values.whole else found.Float
        kind(key, values.min, values.max, sampling=sampling, default=default)
    return found


def keys(space: Space) -> dict[str, Values]:
    """Dotted key to values."""
    return {**_dotted(MODEL, space.model), **_dotted(TRAIN, space.train)}


def inside(value: object, values: Values) -> bool:
    """Whether the space has a value."""
    if isinstance(values, Range):
        return isinstance(value, int | float) and values.min <= value <= values.max
    return value in values


def merged(
    values: Mapping[str, Value], model: ModelConfig, train: TrainConfig
) -> tuple[ModelConfig, TrainConfig]:
    """The configuration with the values of a trial in place of its own.

    Args:
        values: dotted key to value; names of KerasTuner's own are passed over.
        model: the section `model`.
        train: the section `train`.

    Raises:
        pydantic.ValidationError: the values do not go together.
    """
    changes: dict[str, dict[str, Value]] = {MODEL: {}, TRAIN: {}}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot and section in changes:
            changes[section][name] = value
    return (
        ModelConfig.model_validate({**model.model_dump(), **changes[MODEL]}),
        TrainConfig.model_validate({**train.model_dump(), **changes[TRAIN]}),
    )


def _dotted(section: str, values: Mapping[str, T]) -> dict[str, T]:
    return {f"{section}.{key}": value for key, value in values.items()}

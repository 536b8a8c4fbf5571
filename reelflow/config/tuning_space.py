"""The search space: from the configuration to KerasTuner, and from a trial to a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from reelflow.config import ModelConfig, Range, Space, TrainConfig, Value, Values

if TYPE_CHECKING:
    import keras_tuner

T = TypeVar("T")

MODEL = "model"
TRAIN = "train"
SPLIT = "split"
NOUN = "noun"
EPOCHS = f"{TRAIN}.epochs"

HYPERBAND_EPOCHS = "tuner/epochs"
"""Hyperband's name for the epochs of a trial; all its own names begin with `tuner/`."""


def hyperparameters(
    space: Space, model: ModelConfig, train: TrainConfig, without: str | None = None
) -> keras_tuner.HyperParameters:
    """Return KerasTuner's search space, each name a dotted key of the configuration.

    Defaults are the sections' own values where the space has them; the key `without` is left out.
    """
    import keras_tuner  # brings TensorFlow

    parameters = keras_tuner.HyperParameters()
    now = {**_dotted(MODEL, model.model_dump()), **_dotted(TRAIN, train.model_dump())}
    for key, values in keys(space).items():
        if key == without:
            continue
        default = now[key] if inside(now[key], values) else None
        if not isinstance(values, Range):
            parameters.Choice(key, list(values), default=default)
            continue
        sampling = "log" if values.log else "linear"
        kind = parameters.Int if values.whole else parameters.Float
        kind(key, values.min, values.max, sampling=sampling, default=default)
    return parameters


def keys(space: Space) -> dict[str, Values]:
    """Return the values to try by dotted key."""
    return {**_dotted(MODEL, space.model), **_dotted(TRAIN, space.train)}


def inside(value: object, values: Values) -> bool:
    """Return True if the values to try include a value."""
    if isinstance(values, Range):
        return isinstance(value, int | float) and values.min <= value <= values.max
    return value in values


def merged(
    values: Mapping[str, Value], model: ModelConfig, train: TrainConfig
) -> tuple[ModelConfig, TrainConfig]:
    """Return the sections with the values of a trial in place of their own.

    `values` are by dotted key; KerasTuner's own names are passed over.

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

"""The configuration: frozen pydantic models; one field, one docstring, one unit.

Reads nothing from the environment and imports nothing heavy.
"""

from __future__ import annotations

from pydantic import ValidationError, model_validator

from reelflow.config.data import DataConfig, Format, SplitConfig, SplitKind
from reelflow.config.learning import (
    ModelConfig,
    Range,
    Space,
    TrainConfig,
    TunerConfig,
    Value,
    Values,
)
from reelflow.config.operations import (
    BASELINES,
    BeamConfig,
    GateConfig,
    KubeflowConfig,
    PushConfig,
    RegistryConfig,
    TaskConfig,
    unknown_baseline,
)
from reelflow.config.section import Section

__all__ = [
    "BASELINES",
    "BeamConfig",
    "Config",
    "DataConfig",
    "Format",
    "GateConfig",
    "KubeflowConfig",
    "ModelConfig",
    "PushConfig",
    "Range",
    "RegistryConfig",
    "Section",
    "Space",
    "SplitConfig",
    "SplitKind",
    "TaskConfig",
    "TrainConfig",
    "TunerConfig",
    "Value",
    "Values",
    "unknown_baseline",
]


class Config(Section):
    """The whole configuration of a run."""

    data: DataConfig = DataConfig()
    """The ratings."""
    split: SplitConfig = SplitConfig()
    """Train, validation and test."""
    model: ModelConfig = ModelConfig()
    """The model."""
    train: TrainConfig = TrainConfig()
    """The training loop."""
    tuner: TunerConfig = TunerConfig()
    """The search for better hyperparameters."""
    gate: GateConfig = GateConfig()
    """Bounds that a model must keep."""
    beam: BeamConfig = BeamConfig()
    """Beam's engine."""
    push: PushConfig = PushConfig()
    """The serving folder."""
    registry: RegistryConfig = RegistryConfig()
    """The model registry."""
    kubeflow: KubeflowConfig = KubeflowConfig()
    """The tasks of a run on Kubeflow Pipelines."""

    @model_validator(mode="after")
    def _space(self) -> Config:
        if self.tuner.trials:
            _check(self.model, "model", self.tuner.space.model)
            _check(self.train, "train", self.tuner.space.train)
        return self


def _check(section: Section, name: str, space: dict[str, Values]) -> None:
    """Refuse a space with a value that the section would not take.

    Raises:
        ValueError: naming the key.
    """
    known = type(section).model_fields
    for key, values in space.items():
        if key not in known:
            raise ValueError(f"tuner.space.{name}: [{name}] has no key {key}")
        for value in (values.min, values.max) if isinstance(values, Range) else values:
            try:
                type(section).model_validate({**section.model_dump(), key: value})
            except ValidationError as error:
                words = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"tuner.space.{name}.{key}: {value!r}: {words}") from None

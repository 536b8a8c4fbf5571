"""The configuration: frozen pydantic models; one field, one docstring, one unit.

Reads nothing from the environment and imports nothing heavy.
"""

from __future__ import annotations

from pipeline.config.data import DataConfig, Format
from pipeline.config.gate import BASELINES, GateConfig, no_baseline
from pipeline.config.model import ModelConfig
from pipeline.config.operations import BeamConfig, PushConfig
from pipeline.config.section import Section
from pipeline.config.split import SplitConfig, SplitKind
from pipeline.config.train import TrainConfig

__all__ = [
    "BASELINES",
    "BeamConfig",
    "Config",
    "DataConfig",
    "Format",
    "GateConfig",
    "ModelConfig",
    "PushConfig",
    "Section",
    "SplitConfig",
    "SplitKind",
    "TrainConfig",
    "no_baseline",
]


class Config(Section):
    """Everything that decides what a run does."""

    data: DataConfig = DataConfig()
    """Where the ratings come from."""
    split: SplitConfig = SplitConfig()
    """Train, validation and test."""
    model: ModelConfig = ModelConfig()
    """The model."""
    train: TrainConfig = TrainConfig()
    """The training loop."""
    gate: GateConfig = GateConfig()
    """What a model must clear."""
    beam: BeamConfig = BeamConfig()
    """Where Beam runs."""
    push: PushConfig = PushConfig()
    """Where a blessed model goes."""

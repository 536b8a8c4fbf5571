"""The training loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section


class TrainConfig(Section):
    """The training loop."""

    epochs: Annotated[int, Field(ge=1)] = 20
    """Passes over the train split, at most."""
    optimizer: Literal["adam", "adagrad"] = "adam"
    """What moves the weights."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    """Step size of the optimizer."""
    batch_size: Annotated[int, Field(ge=1)] = 1024
    """Ratings per step."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a better validation loss before training stops."""
    validation_rows: Annotated[int, Field(ge=1)] = 50_000
    """Validation ratings to look at after each epoch, at most, sampled by seed."""
    seed: int = 42
    """Seed of initial weights, order of batches and dropout."""
    warm_start: bool = False
    """Begin with the champion's weights instead of random ones, where they fit; the model then
    keeps its own weights for the run after it, which makes it larger."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Rating models to train with this many seeds, one after the other, and to average; training
    the rating model, its size and its answers take as many times longer."""

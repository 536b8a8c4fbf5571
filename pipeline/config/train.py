"""The training loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section


class TrainConfig(Section):
    """The training loop."""

    epochs: Annotated[int, Field(ge=1)] = 20
    """Passes over the train split for each task, at most."""
    optimizer: Literal["adam", "adagrad"] = "adam"
    """What moves the weights."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    """Step size of the optimizer."""
    rating_learning_rate: Annotated[float, Field(gt=0)] = 0.002
    """Step size for the rating task in its first epoch; where it shares embeddings with the
    retrieval task (and so its steps), `learning_rate` counts."""
    rating_decay: Annotated[float, Field(gt=0, le=1)] = 0.75
    """What the rating task's step size is multiplied by after each epoch; 1 keeps it."""
    batch_size: Annotated[int, Field(ge=1)] = 1024
    """Ratings per step."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a better validation loss before training stops."""
    refit: bool = True
    """Train once more on train and validation together, as many epochs as were best; takes about as
    long again. What is pushed then knows all ratings but those of test."""
    validation_rows: Annotated[int, Field(ge=1)] = 50_000
    """Validation ratings to look at after each epoch, at most, sampled by seed."""
    seed: int = 42
    """Seed of initial weights, order of batches and dropout."""
    warm_start: bool = False
    """Begin with the champion's weights instead of random ones, where they fit; the model then
    keeps its own weights for the run after it, which makes it larger."""
    warm_start_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """What is left of the films' vectors at a warm start, so that new ratings can still be
    learned; users' vectors and biases stay; 1 leaves all as they are."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Rating models to train with this many seeds, one after the other, and to average; training
    the rating model, its size and its answers take as many times longer."""

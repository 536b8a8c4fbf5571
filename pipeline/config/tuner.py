"""The search for better hyperparameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section

Value = bool | int | float | str


class Range(Section):
    """Numbers from `min` to `max`, both included; whole ones if both bounds are whole."""

    min: int | float
    """Lowest value."""
    max: int | float
    """Highest value."""
    log: bool = False
    """Draw evenly on a logarithmic scale."""

    @model_validator(mode="after")
    def _order(self) -> Range:
        if self.min >= self.max:
            raise ValueError(f"tuner.space: min = {self.min} must be below max = {self.max}")
        if self.log and self.min <= 0:
            raise ValueError(f"tuner.space: min = {self.min} must be above 0 where log = true")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.min, int) and isinstance(self.max, int)


Values = Annotated[tuple[Value, ...], Field(min_length=1)] | Range
"""A list of values, or `{ min = 1e-4, max = 1e-1, log = true }`."""


def _model_space() -> dict[str, Values]:
    return {
        "embedding_size": (32, 64, 128),
        "query_dropout": Range(min=0.0, max=0.6),
        "loss": ("full_softmax", "in_batch_softmax"),
        "rating_l2": Range(min=0.003, max=0.3, log=True),
    }


def _train_space() -> dict[str, Values]:
    return {
        "learning_rate": Range(min=0.0005, max=0.02, log=True),
        "rating_learning_rate": Range(min=0.0003, max=0.01, log=True),
        "batch_size": (512, 1024, 2048),
        "epochs": (10, 20, 40),
    }


class Space(Section):
    """Keys of the sections `model` and `train`, each with the values to try."""

    model: dict[str, Values] = Field(default_factory=_model_space)
    """Keys of `model`, each a list of values or a range."""
    train: dict[str, Values] = Field(default_factory=_train_space)
    """Keys of `train`, each a list of values or a range."""


class TunerConfig(Section):
    """The search for better hyperparameters, on the validation split alone."""

    trials: Annotated[int, Field(ge=0)] = 0
    """Models to train before the final one, at most; 0 leaves the Tuner out of the graph."""
    algorithm: Literal["random", "bayesian", "hyperband"] = "random"
    """How the next trial is chosen; `hyperband` decides on the epochs itself."""
    objective: Literal["joint", "top_10", "top_100", "ndcg_10", "mrr", "rmse"] = "joint"
    """What is best on validation, over the whole catalogue with seen films masked; `joint` is
    top-100 accuracy less RMSE in stars, of the tasks that are switched on."""
    seed: Annotated[int, Field(ge=1)] = 42
    """Seed of the choice of trials; all of them train with `train.seed`."""
    space: Space = Space()
    """Values to try, as `space.model.embedding_size = [32, 64]` or `space.train.learning_rate =
    { min = 0.001, max = 0.1, log = true }`; a section that is given replaces the default one."""

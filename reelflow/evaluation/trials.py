"""`trials.json`: the Tuner's search, as typed data with one reader and one writer.

Imports neither KerasTuner nor TensorFlow. docs/architecture.md describes the file.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from reelflow.config import Value

TRIALS_FILE: Final = "trials.json"


@dataclass(frozen=True)
class Trial:
    """One model that was trained, or could not be."""

    number: int
    """From 1, in order of time."""
    hyperparameters: dict[str, Value]
    """Dotted key of the configuration to value."""
    objective: float | None
    """None if the trial failed."""
    metrics: dict[str, float]
    """On validation ratings, by name; ranking metrics under the unseen protocol."""
    seconds: float
    failure: str | None
    """The reason for which it failed, for people."""

    @property
    def value(self) -> float:
        """The objective; not a number if the trial failed."""
        return math.nan if self.objective is None else self.objective


@dataclass(frozen=True)
class Trials:
    """All of `trials.json`."""

    objective: str
    """`tuner.objective`."""
    lower_is_better: bool
    algorithm: str
    best: int
    """Number of the best trial."""
    trials: list[Trial]

    @property
    def best_trial(self) -> Trial:
        """The best trial."""
        return self.trials[self.best - 1]

    @property
    def best_first(self) -> list[Trial]:
        """The trials that did not fail, the best one first."""
        successful = [trial for trial in self.trials if trial.objective is not None]
        return sorted(successful, key=lambda t: t.value, reverse=not self.lower_is_better)

    def write(self, folder: Path) -> None:
        """Write `trials.json` into an artifact's folder."""
        text = json.dumps(asdict(self), indent=2)
        (folder / TRIALS_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Trials | None:
        """Read `trials.json` of an artifact's folder; None if there is no such file.

        Raises:
            pydantic.ValidationError: it does not have the content that it should have.
        """
        file = folder / TRIALS_FILE
        if not file.is_file():
            return None
        return TypeAdapter(cls).validate_python(json.loads(file.read_text(encoding="utf-8")))

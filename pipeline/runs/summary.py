"""`summary.json`: the result of a run, for programs. docs/summary.md documents the keys.

Imports nothing heavy.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reelflow.evaluation.results import Slice, Summary
from reelflow.saved_model.files import Guard, ServingResult


class _Part(BaseModel):
    """Part of the file; unknown keys are ignored, keys that older files lack have defaults."""

    model_config = ConfigDict(frozen=True)


class DataSummary(_Part):
    """The ratings that the run has read."""

    rows: int
    """Valid ratings."""
    rows_read: int = 0
    """All ratings, damaged ones included."""
    users: int
    """Users with a rating."""
    movies: int
    """Movies in the catalogue, unrated ones included."""
    quarantined: dict[str, int] = {}
    """Reason to damaged rows."""
    absent_features: list[str] = []
    """Columns that the configuration names and the data lack."""
    splits: dict[str, int] = {}
    """Split to rows."""
    format: str
    synthetic: bool
    span: str | None = None
    """The newest span, if the data have spans."""
    spans: list[str] = []
    files: list[str] = []


class BestTrial(_Part):
    """The tuner's best trial."""

    number: int
    objective: float
    hyperparameters: dict[str, Any]


class TunerSummary(_Part):
    """The search for hyperparameters."""

    trials: int
    failed: int
    objective: str
    """Path of the metric that was optimised."""
    best: BestTrial


class GateSummary(_Part):
    """TFX's blessing, with the Evaluator's reasons."""

    blessed: bool
    reasons: list[str] = []
    not_gated: list[str] = []
    """Metrics without a bound, and a champion that cannot be compared, in sentences."""
    ungated: list[str] = Field(default=[], exclude=True)
    """Keys of metrics without a bound; not in the file."""


class RegisteredVersion(_Part):
    """The version in the model registry that the run has made."""

    registry: str
    name: str
    alias: str
    version: int
    model_hash: str


class RunSummary(_Part):
    """The content of `summary.json`; None and empty for steps that a failed run did not reach."""

    run_id: str
    finished: str
    """Time of writing, ISO 8601, UTC."""
    error: str | None = None
    """Reason of a failed run."""
    data: DataSummary | None = None
    drift: dict[str, Any] | None = None
    """`drift.json`, if the data have spans."""
    warm_start: dict[str, Any] | None = None
    """`warm_start` of `model.json`."""
    tuner: TunerSummary | None = None
    metrics: Summary | None = None
    baselines: dict[str, Summary] = {}
    """Baseline to its metrics."""
    champion: Summary | None = None
    """Metrics of the model in place before, on the same rows."""
    slices: list[Slice] = []
    guards: list[Guard] = []
    out_of_vocabulary: dict[str, float] | None = None
    """`users` and `movies` to the share of test rows that training did not know."""
    gate: GateSummary | None = None
    serving_check: ServingResult | None = None
    pushed: str | None = None
    """Folder of the pushed version."""
    registered: RegisteredVersion | None = None
    seconds: dict[str, float] = {}
    """Node to seconds."""
    cached: list[str] = []
    """Nodes that came from the cache."""
    versions: dict[str, str | None] = {}
    """Program or library to version; None if it is not installed."""
    config_hash: str = ""
    data_hash: str | None = None

    @property
    def passed(self) -> bool:
        """True if the model passed the gate and the serving check."""
        return bool(
            self.gate and self.gate.blessed and self.serving_check and self.serving_check.blessed
        )

    @property
    def awaits_promotion(self) -> bool:
        """True if the model passed and is registered, for `reelflow models promote` to push it."""
        return self.passed and not self.pushed and self.registered is not None


def write_summary(summary: RunSummary, file: Path) -> None:
    """Write `summary.json` in one step: a reader sees the whole file or none."""
    partial = file.with_name(f".{file.name}")
    text = json.dumps(summary.model_dump(), indent=2, ensure_ascii=False)
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, file)


def read_summary(file: Path) -> RunSummary | None:
    """Read `summary.json`; None if the run has left none."""
    if not file.is_file():
        return None
    return RunSummary.model_validate_json(file.read_bytes())

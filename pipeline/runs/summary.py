"""`summary.json`, the result of a run for programs, and the runs of an output folder.

docs/summary.md documents the keys. Imports nothing heavy.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reelflow.base.errors import BadInput
from reelflow.base.metrics import Scope
from reelflow.config import Repeated
from reelflow.config.layout import Layout, RunFolder
from reelflow.data.ingest.results import RatingScale, SplitChoice
from reelflow.evaluation.results import BoundRecord, Live, Slice, Summary
from reelflow.saved_model.files import Guard, ServingResult

State = Literal["pushed", "waiting", "refused", "failed", "unfinished"]
LATEST = "latest"
REFUSED = 3
"""Exit code of a run whose model was refused."""
_NAMED = 8
"""Runs that a message names at most."""


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
    split: SplitChoice | None = None
    """The split that was made, and why."""
    ratings: RatingScale | None = None
    """The values of the ratings."""
    repeated: int = 0
    """Rows that gave way to another of the same user and movie, or were added to it."""
    repeated_by: Repeated | None = None
    """`data.repeated` of the configuration."""
    filtered: dict[str, int] = {}
    """Rows left out by a filter, by its option."""
    unrated: int = 0
    """Rows left out by `data.unrated`."""
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
    bounds: list[BoundRecord] = Field(default=[], exclude=True)
    """All bounds with the model's results; not in the file."""


class RegisteredVersion(_Part):
    """The version in the model registry that the run has made."""

    registry: str
    name: str
    alias: str
    """`champion`, `challenger`, `canary`, `shadow`, or empty if the version has none any more."""
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
    retrieval: Summary | None = None
    """Metrics of the model's lists in the order of retrieval alone."""
    live: Live | None = None
    """Metrics with live histories, if the split is by time."""
    like_threshold: float | None = None
    """Stars from which on a test rating counts as a like."""
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
    def scope(self) -> Scope:
        """The metrics that mean something for the run's data."""
        ratings = self.data.ratings if self.data else None
        likes = ratings is None or ratings.says_likes
        return Scope(likes=likes, stars=likes)

    @property
    def known_users(self) -> float | None:
        """Share of the test ratings that are of users with ratings in training."""
        return None if self.out_of_vocabulary is None else 1 - self.out_of_vocabulary["users"]

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

    @property
    def exit_code(self) -> int:
        """Exit code of a run that came to its end."""
        return 0 if self.pushed or self.awaits_promotion else REFUSED


def write_summary(summary: RunSummary, file: Path) -> None:
    """Write `summary.json` in one step: a reader sees the whole file or none."""
    partial = file.with_name(f".{file.name}")
    text = json.dumps(summary.model_dump(mode="json"), indent=2, ensure_ascii=False)
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, file)


def read_summary(file: Path) -> RunSummary | None:
    """Read `summary.json`; None if the run has left none."""
    if not file.is_file():
        return None
    return RunSummary.model_validate_json(file.read_bytes())


@dataclass(frozen=True)
class Run:
    """One folder in `OUTPUT/runs/`."""

    folder: RunFolder
    summary: RunSummary | None = None
    """None if the run was interrupted or still goes on."""

    @property
    def run_id(self) -> str:
        """Name of the folder."""
        return self.folder.path.name

    @property
    def state(self) -> State:
        """The result of the run."""
        if self.summary is None:
            return "unfinished"
        if self.summary.error:
            return "failed"
        if self.summary.pushed:
            return "pushed"
        return "waiting" if self.summary.awaits_promotion else "refused"

    @property
    def error(self) -> str | None:
        """The reason of a failed run."""
        return self.summary.error if self.summary else None

    @property
    def finished(self) -> datetime:
        """Local time of the summary, or else of the folder's last change."""
        if self.summary is not None:
            return datetime.fromisoformat(self.summary.finished).astimezone()
        changed = self.folder.path.stat().st_mtime
        return datetime.fromtimestamp(changed, timezone.utc).astimezone()

    @property
    def seconds(self) -> float | None:
        """Time in nodes; None if no node has ended."""
        times = self.summary.seconds if self.summary else {}
        return sum(times.values()) if times else None

    def metric(self, path: str) -> float | None:
        """Return a metric of the run's model, by a path such as `unseen/top_100` or `rmse`.

        None if there is none, or it means nothing for the run's data.
        """
        summary = self.summary
        if summary is None or summary.metrics is None or not summary.scope.of([path]):
            return None
        return summary.metrics.value(path)


def list_runs(layout: Layout) -> list[Run]:
    """Return all runs, the newest first."""
    if not layout.runs.is_dir():
        return []
    folders = [layout.run(path.name) for path in layout.runs.iterdir() if path.is_dir()]
    runs = [Run(folder, read_summary(folder.summary)) for folder in folders]
    return sorted(runs, key=lambda run: (run.finished, run.run_id), reverse=True)


def find_run(layout: Layout, name: str = LATEST) -> Run:
    """Return the run that a user names.

    Args:
        layout: the output folder.
        name: the run's name or its beginning, or `latest`.

    Raises:
        BadInput: there is none, or the beginning fits several.
    """
    runs = list_runs(layout)
    if not runs:
        raise BadInput(f"There are no runs in {layout.output}.", "Run `reelflow run` first.")
    if name == LATEST:
        target = layout.latest.resolve().name
        return next((run for run in runs if run.run_id == target), runs[0])
    exact = [run for run in runs if run.run_id == name]
    matches = exact or [run for run in runs if run.run_id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(run.run_id for run in (matches or runs)[:_NAMED])
    if matches:
        raise BadInput(f"Several runs begin with {name}: {names}.", "Give more of the name.")
    raise BadInput(
        f"{layout.output} has no run {name}; there are {names}.", "`reelflow runs` lists them all."
    )

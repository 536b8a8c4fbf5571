"""`metrics.json`: what the Evaluator found, as typed data with one reader and one writer.

Imports no TensorFlow, so that the report, the registry and the command line can use it.
docs/architecture.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from reelflow.base.metrics import GATE_METRICS, value_at
from reelflow.saved_model.files import Guard

METRICS_FILE: Final = "metrics.json"

Interval = tuple[float, float]
Intervals = dict[str, Interval]
"""A metric's path, `unseen/top_100` or `rmse`, to the ends of its 95 % interval."""
Likes = dict[str, float | None]
"""`accuracy`, `precision`, `recall`, `auc` and `threshold`; none where nothing could be counted."""


class _Figures:
    """Figures that are looked up by path."""

    def value(self, path: str) -> float | None:
        """The figure at `unseen/top_100`, `rmse` or `like/auc`; none if it is missing."""
        return value_at(vars(self), path)


@dataclass(frozen=True)
class Summary(_Figures):
    """One model's metrics over some rows."""

    raw: dict[str, float]
    unseen: dict[str, float]
    rmse: float
    """In stars."""
    mae: float
    """In stars."""
    like: Likes | None = None
    """Metrics of a classifier of likes; over all rows only."""


@dataclass(frozen=True)
class Slice(_Figures):
    """The model's metrics over the rows of one slice."""

    slice: dict[str, str]
    """The slice key to its value, one item: `{"user_activity": "20-49"}`."""
    rows: int
    raw: dict[str, float]
    unseen: dict[str, float]
    rmse: float
    mae: float
    intervals: Intervals = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The slice key, `user_activity`."""
        return next(iter(self.slice))

    @property
    def label(self) -> str:
        """The slice key's value, `20-49`."""
        return next(iter(self.slice.values()))


@dataclass(frozen=True)
class BoundRecord:
    """One bound on one metric over all test rows; either `lower` or `upper` is set."""

    name: str
    """Unique; `GateMetric` names them (reelflow/base/metrics.py)."""
    metric: str
    """Key of the metric in `GATE_METRICS`."""
    lower: float | None
    upper: float | None
    reason: str
    """The bound's origin, for people."""


@dataclass(frozen=True)
class Verdict:
    """The gate's decision."""

    blessed: bool
    reasons: list[str]
    """The reasons of a refusal, for people; empty if the model is blessed."""
    broken: list[str] = field(default_factory=list)
    """Names of the bounds and guards that the reasons are about, in the same order."""
    protocol: str = "unseen"
    """Protocol of the ranking metrics that the gate looks at."""
    bounds: list[BoundRecord] = field(default_factory=list)
    not_gated: list[str] = field(default_factory=list)
    """Metrics and models that the gate leaves out, for people."""

    @property
    def only_worse_than_champion(self) -> bool:
        """True if the model is refused, and breaks only bounds that come from the champion."""
        return bool(self.broken) and set(self.broken) <= {
            g.champion_bound for g in GATE_METRICS.values()
        }

    @property
    def gated(self) -> set[str]:
        """Keys of the metrics that have a bound."""
        return {bound.metric for bound in self.bounds}


@dataclass(frozen=True)
class AllIntervals:
    """Intervals of all that were measured on the same rows."""

    model: Intervals | None = None
    champion: Intervals | None = None
    baselines: dict[str, Intervals] = field(default_factory=dict)


@dataclass(frozen=True)
class Bin:
    """Test rows whose predictions are near each other."""

    rows: int
    predicted: float
    """Mean of the predictions, in stars."""
    actual: float
    """Mean of the ratings given, in stars."""
    error: float
    """Standard error of `actual`, in stars; 0 for a single row."""


@dataclass(frozen=True)
class Results:
    """All of `metrics.json`."""

    rows: int
    """Test rows that were measured."""
    all_rows: int
    """Test rows before the sample of `gate.max_test_rows` was drawn."""
    metrics: Summary
    champion: Summary | None
    """None if there is no champion, or it cannot be compared."""
    baselines: dict[str, Summary]
    slices: list[Slice]
    gate: Verdict
    out_of_vocabulary: dict[str, float]
    """`users` and `movies` to the share of test rows that train does not know."""
    intervals: AllIntervals = field(default_factory=AllIntervals)
    calibration: list[Bin] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write `metrics.json` into an artifact's folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=2)
        (folder / METRICS_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read `metrics.json` of an artifact's folder.

        Raises:
            OSError: there is no such file.
            pydantic.ValidationError: it does not have the content that it should have.
        """
        return cls.of(json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Results:
        """The content of a file, which may be older and lack keys that have been added since.

        Raises:
            pydantic.ValidationError: it does not have the content that it should have.
        """
        return TypeAdapter(cls).validate_python({"all_rows": content.get("rows"), **content})

"""`metrics.json`: what the Evaluator found, as typed data with one reader and one writer.

Imports no TensorFlow, so that the report, the registry and the command line can use it.
docs/architecture.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from reelflow.base.metrics import GATE_METRICS, value_at
from reelflow.saved_model.files import Guard

METRICS_FILE: Final = "metrics.json"
OVERALL: Final = "overall"
"""Name of the slice that has all test rows."""

Interval = tuple[float, float]
Intervals = dict[str, Interval]
"""A metric's path, `unseen/top_100` or `rmse`, to the ends of its 95 % interval."""
Likes = dict[str, float | None]
"""`accuracy`, `precision`, `recall`, `auc` and `threshold`; none where nothing could be counted."""
Settings = dict[str, int | float]
"""A baseline's settings by name."""
Origin = Literal["configuration", "champion", "baseline"]
"""The origin of a bound."""


class _Figures:
    """Figures that are looked up by path."""

    def value(self, path: str) -> float | None:
        """The figure at `unseen/top_100`, `rmse` or `like/auc`; none if it is missing."""
        return value_at(vars(self), path)


@dataclass(frozen=True)
class Summary(_Figures):
    """One model's metrics over some rows: means over the rows."""

    raw: dict[str, float]
    unseen: dict[str, float]
    rmse: float
    """In stars."""
    mae: float
    """In stars."""
    like: Likes | None = None
    """Metrics of a classifier of likes; over all rows only."""
    liked: dict[str, float] = field(default_factory=dict)
    """Over the rows whose stars count as a like; empty if there are none."""
    liked_rows: int = 0
    """Rows whose stars count as a like."""
    stars_of_hits_10: float | None = None
    """Mean of the stars given in the rows that are among the first ten of unseen movies; none if
    there are none."""
    over_users: dict[str, float] = field(default_factory=dict)
    """A metric's path to its mean over the users, each with the mean over their own rows; of RMSE
    the root of the mean over the users. A path without rows is missing."""


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
    liked: dict[str, float] = field(default_factory=dict)
    liked_rows: int = 0
    stars_of_hits_10: float | None = None
    over_users: dict[str, float] = field(default_factory=dict)

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
    """One bound on one metric, and the model's result; either `lower` or `upper` is set.

    A bound from the configuration is on the value itself, and so is that from mean plus damped
    biases. One from the champion or from a baseline is on the end of an interval: of the difference
    to their value on the same rows, paired by user.
    """

    name: str
    """Unique; `GateMetric` names them (reelflow/base/metrics.py)."""
    metric: str
    """Key of the metric in `GATE_METRICS`."""
    lower: float | None
    """Least value that passes; of a bound on an interval, with the width that it has."""
    upper: float | None
    """The same where lower is better: greatest value."""
    reason: str
    """The bound's origin, for people."""
    origin: Origin = "configuration"
    baseline: str | None = None
    """The baseline's name, if the bound comes from one."""
    value: float | None = None
    """The model's."""
    reference: float | None = None
    """The champion's or the baseline's value on the same rows."""
    threshold: float | None = None
    """The bound on the interval: its lower end must not be below it, or its upper end not above it
    if lower is better. Against a baseline an end that is equal does not do either. From biases: the
    bound on the difference."""
    difference: float | None = None
    """`value` less `reference`."""
    interval: Interval | None = None
    """Of the difference."""
    level: float | None = None
    """Of the interval, 0 to 1: 0.95, or more where several baselines are compared (Holm)."""
    slice: str = OVERALL
    """The rows that it is on: all of them, or those of the champion's users."""
    kept: bool | None = None
    """None in files of older versions."""

    @property
    def over_all(self) -> bool:
        """True if it is on all rows."""
        return self.slice == OVERALL


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
        names = {g.champion_bound for g in GATE_METRICS.values()}
        names |= {g.champions_users_bound for g in GATE_METRICS.values()}
        return bool(self.broken) and set(self.broken) <= names

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
    retrieval: Intervals | None = None
    """Of `Results.retrieval`."""


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
class Chosen:
    """The settings of a baseline, and what they were chosen by."""

    settings: Settings
    """Empty if it has none."""
    tried: int
    """The budget: settings that were tried on validation; 1 if there was nothing to choose."""
    rows: int = 0
    """Validation rows that they were chosen on; 0 if there was nothing to choose."""
    metric: str = "unseen/ndcg_10"
    """Path of the metric that they were chosen by."""
    value: float | None = None
    """Its value, after fitting on train alone; none if there was nothing to choose."""


@dataclass(frozen=True)
class Live:
    """The model with live histories: each row with what its user did in test strictly before.

    The main figures are *nightly*: the model knows each user as of the cut.
    """

    rows: int
    """Test rows that were measured."""
    metrics: Summary
    intervals: Intervals
    nightly: Summary
    """With nightly histories, on the same rows."""


@dataclass(frozen=True)
class FirstMovies:
    """Accuracy for users of whom so many movies are known."""

    named: int | None
    """Movies named in the request, the first that the users have rated; none: the user's own id,
    with all that is known of the user."""
    metrics: dict[str, float]
    """Paths to means over the test rows: `unseen/top_10` and `unseen/ndcg_10`."""
    intervals: Intervals


@dataclass(frozen=True)
class Newcomers:
    """The model for users of the test split as if they were new, by the first movies they name."""

    users: int
    """Users that were asked for."""
    rows: int
    """Their test rows."""
    curve: list[FirstMovies]
    """From none named, which is what is popular of late, to the user's own id."""


@dataclass(frozen=True)
class Lists:
    """Coverage, novelty and stars of lists of ten, whether found in the test split or not."""

    order: str
    """As of the request: `blend` or `retrieval`."""
    users: int
    """Users of the test split that were asked for."""
    coverage: float
    """Share of the catalogue that is in one of the lists."""
    novelty: float
    """Mean of -log2 of the share of users who rated a listed movie, in bits."""
    stars: float | None
    """Mean of the predicted stars; none if the model predicts none."""


@dataclass(frozen=True)
class Results:
    """All of `metrics.json`."""

    rows: int
    """Test rows that were measured."""
    all_rows: int
    """Test rows before the sample of `gate.max_test_rows` was drawn."""
    metrics: Summary
    """As served: in the final order, with nightly histories."""
    champion: Summary | None
    """None if there is no champion, or it cannot be compared."""
    baselines: dict[str, Summary]
    slices: list[Slice]
    """Among them `knowledge`: known users, new users and new movies, as training knows them."""
    gate: Verdict
    out_of_vocabulary: dict[str, float]
    """`users` and `movies` to the share of test rows without any rating in training."""
    intervals: AllIntervals = field(default_factory=AllIntervals)
    calibration: list[Bin] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    retrieval: Summary | None = None
    """The model's lists in the order of retrieval alone; none if the final order is no other."""
    live: Live | None = None
    """None unless the split is by time: no test row is earlier than a row of its user that
    training knows."""
    newcomers: Newcomers | None = None
    """None if no test user has enough ratings in training to name; and in older files."""
    lists: list[Lists] = field(default_factory=list)
    """In the final order, and in that of retrieval alone if it is another; none in older files."""
    like_threshold: float | None = None
    """Stars from which on a row counts as a like; none in files of older versions."""
    movies: int | None = None
    """Size of the catalogue; none in files of older versions."""
    omitted: list[int] = field(default_factory=list)
    """The k of top-k accuracy that say nothing and are not gated, as the catalogue has no more than
    k movies."""
    chosen: dict[str, Chosen] = field(default_factory=dict)
    """Baseline to its settings."""

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

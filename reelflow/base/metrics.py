"""The table of metrics and the table of those that the gate looks at.

A metric's *path* names one figure of a model: `rmse`, or, for ranking metrics, which are taken
under three protocols, `unseen/top_100`, `raw/top_100` and `liked/top_100`. `metrics.json`,
`summary.json` and the model registry use the same paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reelflow.base.columns import RATING_TASK, RETRIEVAL_TASK

RAW: Final = "raw"
UNSEEN: Final = "unseen"
LIKED: Final = "liked"
PROTOCOLS: Final = (RAW, UNSEEN, LIKED)
"""Ranks among all movies; ranks without the movies that the user has rated before; the same over
those test rows alone whose stars count as a like."""

LIVE: Final = "live"
OVER_USERS: Final = "over_users"
"""Before a path, `live/unseen/top_100` or `over_users/rmse`: with live histories; as a mean over
users."""

CUTOFFS: Final = (1, 5, 10, 50, 100)
"""The k of top-k accuracy."""
HITS: Final = 10
"""The k of `stars_of_hits_10`."""

Unit = Literal["share", "stars", "score"]
"""A share of the test rows (0 to 1), stars of the rating scale, or a number without a unit."""


@dataclass(frozen=True)
class Metric:
    """One metric of a model over test rows: the mean of a value for each row, or its root.

    Rows whose value is not a number do not count.
    """

    key: str
    """The last part of its paths: `top_100`, `rmse`."""
    label: str
    """At the beginning of a line or sentence: `Top-100 accuracy`."""
    short: str
    """The same for narrow tables: `Top-100`."""
    task: str
    """The task that a model must have been trained on."""
    higher_is_better: bool
    unit: Unit
    ranked: bool
    """True if it is taken under each protocol: its paths begin with the protocol."""
    column: str
    """The value for each row that it is the mean of."""
    root: bool = False
    """True if it is the square root of that mean."""
    tolerance: float = 1e-6
    """The smallest difference that TFMA, which counts in float32, can be trusted to see."""
    cutoff: int | None = None
    """The k of top-k accuracy, which says nothing where the catalogue has no more than k movies."""

    def named(self, protocol: str, in_sentence: bool = False) -> str:
        """Return `Top-100 accuracy (unseen)`, or `RMSE`."""
        label = inline(self.label) if in_sentence else self.label
        return f"{label} ({protocol})" if self.ranked else label

    def better(self, a: float, b: float) -> bool:
        """Return True if the value `a` is strictly better than the value `b`."""
        return a > b if self.higher_is_better else a < b

    def path(self, protocol: str) -> str:
        """Return `unseen/top_100`; a metric that is not ranked has one path for all protocols."""
        return f"{protocol}/{self.key}" if self.ranked else self.key


def _top(k: int) -> Metric:
    label, short = f"Top-{k} accuracy", f"Top-{k}"
    key = f"top_{k}"
    return Metric(key, label, short, RETRIEVAL_TASK, True, "share", True, key, cutoff=k)


METRICS: Final[dict[str, Metric]] = {
    metric.key: metric
    for metric in (
        *(_top(k) for k in CUTOFFS),
        Metric("ndcg_10", "NDCG@10", "NDCG@10", RETRIEVAL_TASK, True, "score", True, "ndcg_10"),
        Metric("mrr", "Mean reciprocal rank", "MRR", RETRIEVAL_TASK, True, "score", True, "mrr"),
        Metric(
            "stars_of_hits_10",
            "Mean stars of the hits in the top 10",
            "Stars of hits@10",
            RETRIEVAL_TASK,
            True,
            "stars",
            False,
            "stars_of_hits_10",
        ),
        Metric("rmse", "RMSE", "RMSE", RATING_TASK, False, "stars", False, "squared_error", True),
        Metric("mae", "MAE", "MAE", RATING_TASK, False, "stars", False, "absolute_error"),
    )
}
"""Every metric that `metrics.json` has, by key, in the order in which tables show them."""


@dataclass(frozen=True)
class GateMetric:
    """A metric with bounds, and the fields of `GateConfig` that set them."""

    metric: Metric
    name: str
    """Name of the configuration's bound; the names of the others begin with it."""
    limit: str
    """Field with the least value that passes, or the greatest if lower is better; None there means
    no such bound."""
    champion_margin: str
    """Field that says by how much a model may be worse than the champion."""
    baseline_margin: str | None = None
    """Field that says by how much a model must be better than each baseline in `gate.baselines`;
    None if it is not compared with them."""
    biases_margin: str | None = None
    """Field that says by how much a model may be worse than mean plus damped biases, where `limit`
    is None in the configuration; None if it is not compared with them."""
    relative: bool = False
    """True if the margins are shares of the reference, so that no scale is assumed."""

    @property
    def champion_bound(self) -> str:
        """Name of the bound that comes from the champion."""
        return f"{self.name}_against_champion"

    @property
    def champions_users_bound(self) -> str:
        """Name of the bound that comes from the champion on the rows of its own users."""
        return f"{self.champion_bound}_for_its_users"

    def baseline_bound(self, baseline: str) -> str:
        """Name of the bound that comes from a baseline."""
        return f"{self.name}_against_{baseline}"


BIASES: Final = "biases"
"""Name of mean plus damped biases among the baselines that bounds come from."""

GATE_METRICS: Final[dict[str, GateMetric]] = {
    gated.metric.key: gated
    for gated in (
        GateMetric(
            METRICS["top_100"],
            "top_100_accuracy",
            limit="top_100_accuracy_min",
            champion_margin="top_100_accuracy_margin",
            baseline_margin="baseline_margin",
        ),
        GateMetric(
            METRICS["rmse"],
            "rmse",
            limit="rmse_max",
            champion_margin="rmse_margin",
            biases_margin="rmse_biases_margin",
            relative=True,
        ),
    )
}
"""The metrics that the gate looks at, by the metric's key. A new one needs a row here and its
fields in `GateConfig` (reelflow/config/operations.py), and nothing else."""


def metric_at(path: str) -> Metric:
    """Return `METRICS["top_100"]` for `unseen/top_100`; KeyError if there is no such metric."""
    return METRICS[path.rpartition("/")[2]]


def label_at(path: str, short: bool = False) -> str:
    """Return `Top-100 accuracy, unseen` for `unseen/top_100`, or `Top-100, unseen` if `short`.

    `live/unseen/top_100` is `Top-100 accuracy, unseen, live`.
    """
    metric, more = metric_at(path), path.split("/")[-2::-1]
    label = metric.short if short else metric.label
    return ", ".join([label, *(part.replace("_", " ") for part in more)])


def all_paths() -> tuple[str, ...]:
    """Return the paths of all metrics: ranking metrics protocol by protocol, then the others."""
    ranked = [m.path(p) for p in (UNSEEN, LIKED, RAW) for m in METRICS.values() if m.ranked]
    return (*ranked, *(metric.key for metric in METRICS.values() if not metric.ranked))


@dataclass(frozen=True)
class Scope:
    """The metrics that mean something, by what the ratings say and what the model has learned."""

    likes: bool = True
    """True if the ratings say how much users liked a movie; False of events and counts."""
    stars: bool = True
    """True if the model was trained to predict ratings."""

    @property
    def protocols(self) -> list[str]:
        """The protocols of ranking metrics, in the order in which they are shown."""
        return [protocol for protocol in (UNSEEN, LIKED, RAW) if self.likes or protocol != LIKED]

    def of(self, paths: Iterable[str]) -> list[str]:
        """Return those of the metrics' paths that mean something."""
        return [path for path in paths if self._holds(path)]

    def _holds(self, path: str) -> bool:
        metric = metric_at(path)
        if metric.task == RATING_TASK:
            return self.stars
        return self.likes or not (path.startswith(f"{LIKED}/") or metric.unit == "stars")


def value_at(figures: Mapping[str, Any] | None, path: str) -> float | None:
    """Return the figure at a path of nested mappings, as in `metrics.json`; None if missing."""
    value: Any = figures
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def inline(label: str) -> str:
    """Return a label as within a sentence: first letter small, unless it begins an acronym."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label

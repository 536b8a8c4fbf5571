"""The bounds that a model must keep, and the words for one that it breaks.

The bounds follow from the table of gate metrics (reelflow/base/metrics.py) and the configuration.
They are data; `reason`, `refusal` and `not_gated` put them into words.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from reelflow.base.columns import TASKS
from reelflow.base.metrics import GATE_METRICS, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation.results import BoundRecord, Summary

OVERALL: Final = "overall"
"""Name of the slice that has all test rows, the only one with bounds."""
EQUAL: Final = 1e-12
"""Difference up to which two figures are equal; a single row of 10^11 makes a larger one."""


@dataclass(frozen=True)
class Bound:
    """One bound on one metric over all test rows."""

    gated: GateMetric
    protocol: str
    """The protocol of its ranks, if it is a ranking metric."""
    origin: Literal["configuration", "champion", "baseline"]
    limit: float
    """The least value that passes, or the greatest if lower is better. Against a baseline the value
    must be better than this."""
    reference: float | None = None
    """The champion's or the baseline's own value."""
    baseline: str | None = None
    """The baseline's name, if it comes from one."""

    @property
    def name(self) -> str:
        """Unique among a model's bounds."""
        if self.baseline is not None:
            return self.gated.baseline_bound(self.baseline)
        return self.gated.champion_bound if self.origin == "champion" else self.gated.name

    @property
    def path(self) -> str:
        """Path of the metric, `unseen/top_100`."""
        return self.gated.metric.path(self.protocol)

    @property
    def nearest(self) -> float:
        """The value nearest to the limit that passes, as far as TFMA's float32 can tell."""
        metric = self.gated.metric
        step = 2 * metric.tolerance if self.origin == "baseline" else 0.0
        return self.limit + step if metric.higher_is_better else self.limit - step

    def kept_by(self, value: float) -> bool:
        """True if the bound is kept; never by a value that is not a number."""
        # 0.35 - 0.01 is a last digit off 0.34: what differs by such noise alone is equal.
        if math.isclose(value, self.limit, rel_tol=EQUAL, abs_tol=EQUAL):
            return self.origin != "baseline"
        return self.gated.metric.better(value, self.limit)

    def record(self) -> BoundRecord:
        """The bound as `metrics.json` has it."""
        higher = self.gated.metric.higher_is_better
        return BoundRecord(
            name=self.name,
            metric=self.gated.metric.key,
            lower=self.nearest if higher else None,
            upper=None if higher else self.nearest,
            reason=reason(self),
        )


@dataclass(frozen=True)
class GateResult:
    """A model's value beside one bound."""

    bound: Bound
    value: float
    slice: str = OVERALL

    @property
    def kept(self) -> bool:
        """True if the value keeps the bound."""
        return self.bound.kept_by(self.value)


def bounds(
    gate: GateConfig,
    champion: Summary | None,
    baselines: Mapping[str, Summary],
    tasks: Collection[str] = TASKS,
    champion_tasks: Collection[str] = TASKS,
) -> list[Bound]:
    """All bounds that a model must keep (docs/adr/0013).

    Args:
        gate: the configuration.
        champion: metrics of the last blessed model on the same rows, if there is one.
        baselines: metrics of the baselines on the same rows.
        tasks: tasks that the model was trained on; only their metrics have bounds, but for
            `gate.untrained_tasks` and the champion's tasks.
        champion_tasks: tasks that the champion was trained on: a model that takes its place must be
            no worse at them.
    """
    everything = TASKS if gate.untrained_tasks else ()
    own = [g for g in GATE_METRICS.values() if g.metric.task in {*tasks, *everything}]
    shared = [
        g for g in GATE_METRICS.values() if g.metric.task in {*tasks, *champion_tasks, *everything}
    ]
    all_bounds = [Bound(g, gate.protocol, "configuration", getattr(gate, g.limit)) for g in own]
    for name, summary in baselines.items():
        all_bounds += [
            _against_baseline(g, gate, name, summary) for g in own if g.baseline_margin is not None
        ]
    if champion is not None:
        all_bounds += [_against_champion(g, gate, champion) for g in shared]
    return all_bounds


def results(bounds: Iterable[Bound], summary: Summary) -> list[GateResult]:
    """A model's value beside each bound, in the order of the bounds."""
    return [GateResult(bound, _value(summary, bound.path)) for bound in bounds]


def _against_baseline(gated: GateMetric, gate: GateConfig, name: str, summary: Summary) -> Bound:
    assert gated.baseline_margin is not None
    value = _value(summary, gated.metric.path(gate.protocol))
    margin = getattr(gate, gated.baseline_margin)
    limit = value + margin if gated.metric.higher_is_better else value - margin
    return Bound(gated, gate.protocol, "baseline", limit, value, name)


def _against_champion(gated: GateMetric, gate: GateConfig, champion: Summary) -> Bound:
    value = _value(champion, gated.metric.path(gate.protocol))
    margin = getattr(gate, gated.champion_margin)
    # No metric can be below zero: a bound there would read as a mistake.
    limit = max(value - margin, 0.0) if gated.metric.higher_is_better else value + margin
    return Bound(gated, gate.protocol, "champion", limit, value)


def _value(summary: Summary, path: str) -> float:
    value = summary.value(path)
    return math.nan if value is None else value


# Words, made here and nowhere else.


def reason(bound: Bound) -> str:
    """The origin of a bound: `gate.rmse_max`, `the champion's 0.9000 plus gate.rmse_margin`."""
    gated, higher = bound.gated, bound.gated.metric.higher_is_better
    if bound.origin == "configuration":
        return f"gate.{gated.limit}"
    if bound.origin == "champion":
        side = "less" if higher else "plus"
        return f"the champion's {bound.reference:.4f} {side} gate.{gated.champion_margin}"
    side = "plus" if higher else "less"
    return (
        f"better than the {bound.baseline} baseline's {bound.reference:.4f} {side} "
        f"gate.{gated.baseline_margin}"
    )


def refusal(result: GateResult) -> str:
    """A sentence for a broken bound: metric, value, bound, distance, slice and origin."""
    bound, value = result.bound, result.value
    metric = bound.gated.metric.named(bound.protocol, in_sentence=True)
    if not math.isfinite(value):
        return f"{metric} is not a number on slice {result.slice!r}: training has diverged."
    side = "below" if bound.gated.metric.higher_is_better else "above"
    return (
        f"{metric} is {value:.4f}, {side} the bound of {bound.nearest:.4f} by "
        f"{abs(value - bound.nearest):.4f} on slice {result.slice!r} ({reason(bound)})."
    )


def not_gated(gate: GateConfig, bounds: Collection[Bound]) -> list[str]:
    """A sentence for each gate metric without a bound."""
    gated = {bound.gated.metric.key for bound in bounds}
    return [
        f"{g.metric.named(gate.protocol)} is not gated: no {g.metric.task} task."
        for g in GATE_METRICS.values()
        if g.metric.key not in gated
    ]

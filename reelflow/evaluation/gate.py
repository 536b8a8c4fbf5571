"""The bounds that a model must keep, and the words for one that it breaks.

The bounds follow from the table of gate metrics (reelflow/base/metrics.py) and the configuration. A
number of the configuration bounds the value itself. Against the champion and against floors (the
baselines) a pass is a statement with an interval: the end of the paired bootstrap (by user) of the
difference decides (docs/adr/0022). All of that is data; `reason`, `refusal` and `not_gated` put it
into words.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from reelflow.base.columns import TASKS
from reelflow.base.metrics import BIASES, GATE_METRICS, LIKED, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation.bootstrap import CONFIDENCE, Measured, interval
from reelflow.evaluation.metrics import Floats
from reelflow.evaluation.results import OVERALL, BoundRecord, Interval, Origin
from reelflow.evaluation.slices import CHAMPIONS_USERS

EQUAL: Final = 1e-12
"""Difference up to which two figures are equal; a single row of 10^11 makes a larger one."""

Ungated = Literal["task", "catalogue", "likes"]
"""The reason for which a metric has no bound: the model was not trained on its task, the catalogue
has no more movies than its cutoff, or no test row counts as a like."""


@dataclass(frozen=True)
class Against:
    """The difference of a model to another one on the same test rows."""

    reference: float
    """The other's value."""
    threshold: float
    """The bound on the interval's end: in the metric's unit, `value` less `reference`."""
    difference: float
    draws: Floats = field(repr=False, compare=False)
    """The difference with other users, [resamples]; empty if a value is not a number."""
    level: float = CONFIDENCE
    """Of the interval."""
    interval: Interval | None = None
    """None if a value is not a number."""

    def at(self, level: float) -> Against:
        """The same with the interval of a level."""
        ends = interval(self.draws, level) if len(self.draws) else None
        return replace(self, level=level, interval=ends)


@dataclass(frozen=True)
class GateResult:
    """A model's value beside one bound."""

    gated: GateMetric
    protocol: str
    """The protocol of its ranks, if it is a ranking metric."""
    origin: Origin
    value: float
    limit: float | None = None
    """The least value that passes, or the greatest, if the configuration sets it."""
    against: Against | None = None
    """The difference to champion or baseline, of bounds that come from one."""
    baseline: str | None = None
    """The baseline's name, if it comes from one."""
    slice: str = OVERALL

    @property
    def name(self) -> str:
        """Unique among a model's bounds."""
        if self.baseline is not None:
            return self.gated.baseline_bound(self.baseline)
        if self.slice != OVERALL:
            return self.gated.champions_users_bound
        return self.gated.champion_bound if self.origin == "champion" else self.gated.name

    @property
    def path(self) -> str:
        """Path of the metric, `unseen/top_100`."""
        return self.gated.metric.path(self.protocol)

    @property
    def margin(self) -> str:
        """The configuration's field that sets the bound."""
        gated = self.gated
        if self.origin == "configuration":
            return gated.limit
        if self.origin == "champion":
            return gated.champion_margin
        return (gated.biases_margin if self.baseline == BIASES else gated.baseline_margin) or ""

    @property
    def end(self) -> float:
        """The end of the interval that decides, or the difference, or the value itself."""
        if self.against is None:
            return self.value
        if self.against.interval is None:
            return math.nan
        if not self.by_interval:
            return self.against.difference
        return self.against.interval[0 if self.gated.metric.higher_is_better else 1]

    @property
    def target(self) -> float:
        """The bound that `end` is held against."""
        if self.against is not None:
            return self.against.threshold
        return math.nan if self.limit is None else self.limit

    @property
    def strict(self) -> bool:
        """True if the margin is a lead that the model must have, so that equal does not do."""
        return self.origin == "baseline" and self.baseline != BIASES

    @property
    def by_interval(self) -> bool:
        """True if the end of an interval decides.

        Biases stand in for a number of the configuration, where no scale is assumed: a bound that
        only catches what is broken, on the value.
        """
        return self.against is not None and self.baseline != BIASES

    @property
    def kept(self) -> bool:
        """True if the bound is kept; never by a value that is not a number."""
        if not math.isfinite(self.value):
            return False
        if self.against is not None and not math.isfinite(self.against.reference):
            return True  # whatever is a number is better than what has diverged
        # 0.35 - 0.01 is a last digit off 0.34: what differs by such noise alone is equal.
        if math.isclose(self.end, self.target, rel_tol=EQUAL, abs_tol=EQUAL):
            return not self.strict
        return self.gated.metric.better(self.end, self.target)

    @property
    def needed(self) -> float:
        """The value from which on the bound is kept, if the interval is as wide as it is.

        Thus a bound on an interval is one on a value as well, which TFMA and tables can show; as
        far as TFMA's float32 can tell.
        """
        metric = self.gated.metric
        step = 2 * metric.tolerance if self.strict else 0.0
        room = 0.0 if math.isnan(self.end) else self.value - self.end
        if self.against is None:
            needed = self.target
        elif self.against.interval is None:
            needed = self.against.reference + self.target
        else:
            needed = room + self.target
        return needed + step if metric.higher_is_better else needed - step

    def record(self) -> BoundRecord:
        """The result as `metrics.json` has it."""
        higher, against = self.gated.metric.higher_is_better, self.against
        return BoundRecord(
            name=self.name,
            metric=self.gated.metric.key,
            lower=self.needed if higher else None,
            upper=None if higher else self.needed,
            reason=reason(self),
            origin=self.origin,
            baseline=self.baseline,
            value=self.value,
            reference=None if against is None else against.reference,
            threshold=None if against is None else against.threshold,
            difference=None if against is None else against.difference,
            interval=None if against is None else against.interval,
            level=None if against is None else against.level,
            slice=self.slice,
            kept=self.kept,
        )


@dataclass(frozen=True)
class Decision:
    """All bounds with their results, and the metrics without one."""

    results: list[GateResult]
    ungated: dict[str, Ungated]
    """Metric's key to the reason for which it has no bound."""


def decide(
    gate: GateConfig,
    model: Measured,
    champion: Measured | None,
    floors: Mapping[str, Measured],
    biases: Measured | None = None,
    tasks: Collection[str] = TASKS,
    champion_tasks: Collection[str] = TASKS,
    movies: int | None = None,
    on_its_users: tuple[Measured, Measured] | None = None,
) -> Decision:
    """Hold a model to all its bounds (docs/adr/0013, docs/adr/0022).

    Args:
        gate: the configuration.
        model: the candidate on the test rows.
        champion: the last blessed model on the same rows, if there is one.
        floors: the baselines on the same rows.
        biases: mean plus damped biases on the same rows, for errors without a fixed bound; that
            bound is on the value as well.
        tasks: tasks that the model was trained on; only their metrics have bounds, but for
            `gate.untrained_tasks` and the champion's tasks.
        champion_tasks: tasks that the champion was trained on: a model that takes its place must be
            no worse at them.
        movies: size of the catalogue: a cutoff that is not smaller bounds nothing.
        on_its_users: model and champion on the rows of users that the champion was trained on, if
            these are not all; the champion's bounds hold there, too.
    """
    everything = TASKS if gate.untrained_tasks else ()
    against_champion = () if champion is None else champion_tasks
    ungated: dict[str, Ungated] = {}
    fixed: list[GateResult] = []
    from_champion: list[GateResult] = []
    from_floors: list[GateResult] = []
    for gated in GATE_METRICS.values():
        metric, path = gated.metric, gated.metric.path(gate.protocol)
        if metric.task not in {*tasks, *everything, *against_champion}:
            ungated[metric.key] = "task"
        elif movies is not None and metric.cutoff is not None and metric.cutoff >= movies:
            ungated[metric.key] = "catalogue"
        elif path not in model.values and metric.ranked and gate.protocol == LIKED:
            ungated[metric.key] = "likes"
        else:
            result = GateResult(
                gated, gate.protocol, "configuration", model.values.get(path, math.nan)
            )
            if metric.task in {*tasks, *everything}:
                limit = getattr(gate, gated.limit)
                if limit is not None:
                    fixed.append(replace(result, limit=limit))
                elif gated.biases_margin is not None and biases is not None:
                    beside = replace(result, origin="baseline", baseline=BIASES)
                    fixed.append(_against(gate, beside, model, biases))
                from_floors += [
                    _against(gate, replace(result, origin="baseline", baseline=name), model, other)
                    for name, other in floors.items()
                    if gated.baseline_margin is not None
                ]
            if champion is not None:
                beside = replace(result, origin="champion")
                from_champion.append(_against(gate, beside, model, champion))
                if on_its_users is not None and path in on_its_users[0].values:
                    value = on_its_users[0].values[path]
                    beside = replace(beside, value=value, slice=CHAMPIONS_USERS)
                    from_champion.append(_against(gate, beside, *on_its_users))
    return Decision([*fixed, *holm(from_floors), *from_champion], ungated)


def _against(gate: GateConfig, result: GateResult, model: Measured, other: Measured) -> GateResult:
    """Add the difference to another model, with its interval at the usual level."""
    gated, path, value = result.gated, result.path, result.value
    reference = other.values.get(path, math.nan)
    margin = getattr(gate, result.margin) * (abs(reference) if gated.relative else 1.0)
    # A champion may be missed by the margin, a baseline must be passed by it; biases may be missed.
    lead = margin if result.strict else -margin
    draws = np.empty(0)
    if math.isfinite(value) and math.isfinite(reference):
        draws = model.resamples[path] - other.resamples[path]
    threshold = lead if gated.metric.higher_is_better else -lead
    against = Against(reference, threshold, value - reference, draws)
    return replace(result, against=against.at(CONFIDENCE))


def holm(results: Sequence[GateResult]) -> list[GateResult]:
    """Correct the intervals for how many there are.

    Holm 1979, "A simple sequentially rejective multiple test procedure".

    The clearest result has to hold at 1 - (1 - CONFIDENCE) / n, the next one at n - 1 instead of n,
    and so on; after the first that does not hold, levels stay.

    Args:
        results: bounds from baselines, with the draws of their differences.

    Returns:
        The same in the same order, each with the interval of its own level.
    """
    clearest_first = sorted(
        (i for i, result in enumerate(results) if _draws(result) is not None),
        key=lambda i: _clearness(results[i]),
    )
    corrected, left, holds = list(results), len(clearest_first), True
    for place, i in enumerate(clearest_first):
        if holds:
            left = len(clearest_first) - place
        against = results[i].against
        assert against is not None
        corrected[i] = replace(results[i], against=against.at(1.0 - (1.0 - CONFIDENCE) / left))
        holds = holds and corrected[i].kept
    return corrected


def _draws(result: GateResult) -> Floats | None:
    against = result.against
    return None if against is None or not len(against.draws) else against.draws


def _clearness(result: GateResult) -> tuple[float, float]:
    """Share of the draws that do not keep the bound, then how far the others are from it."""
    draws, sign = _draws(result), 1.0 if result.gated.metric.higher_is_better else -1.0
    assert draws is not None
    lead = sign * (draws - result.target)
    spread = max(float(lead.std()), EQUAL)
    return float((lead <= 0).mean()), -float(lead.mean()) / spread


# Words, made here and nowhere else.


def reason(result: GateResult) -> str:
    """The origin of a bound: `gate.rmse_max`, `the champion's 0.3000 less gate. ...`."""
    field, against = f"gate.{result.margin}", result.against
    if against is None:
        return field
    higher, ahead = result.gated.metric.higher_is_better, result.strict
    side, end = "plus" if ahead == higher else "less", "lower" if higher else "upper"
    words = f"{_whose(result)} {against.reference:.4f} {side} {field}"
    if not result.by_interval:
        return words
    return f"{words}, by the {end} end of the {_percent(against.level)} interval of the difference"


def refusal(result: GateResult) -> str:
    """A sentence for a broken bound: metric, value, bound, difference, interval, slice, origin."""
    value, against, higher = result.value, result.against, result.gated.metric.higher_is_better
    metric = result.gated.metric.named(result.protocol, in_sentence=True)
    if not math.isfinite(value):
        return f"{metric} is not a number on slice {result.slice!r}: training has diverged."
    if against is None or against.interval is None:
        side = "below" if higher else "above"
        return (
            f"{metric} is {value:.4f}, {side} the bound of {result.target:.4f} by "
            f"{abs(value - result.target):.4f} on slice {result.slice!r} ({reason(result)})."
        )
    low, high = against.interval
    its = f"Its {'lower' if higher else 'upper'} end" if result.by_interval else "The difference"
    if result.strict:
        must = "above" if higher else "below"
    else:
        must = "at least" if higher else "at most"
    return (
        f"{metric} is {value:.4f} on slice {result.slice!r}, {_whose(result)} "
        f"{against.reference:.4f}: a difference of {against.difference:+.4f}, "
        f"{_percent(against.level)} interval {low:+.4f} to {high:+.4f}. {its} must be "
        f"{must} {against.threshold:+.4f} (gate.{result.margin})."
    )


def not_gated(gate: GateConfig, decision: Decision, movies: int | None = None) -> list[str]:
    """A sentence for each gate metric without a bound."""
    sentences = []
    for key, why in decision.ungated.items():
        metric = GATE_METRICS[key].metric
        words = {
            "task": f"no {metric.task} task",
            "catalogue": f"the catalogue has {movies or 0:,} movies, so that any of them is there",
            "likes": "no test rating counts as a like",
        }
        sentences.append(f"{metric.named(gate.protocol)} is not gated: {words[why]}.")
    return sentences


def _whose(result: GateResult) -> str:
    if result.origin == "champion":
        return "the champion's"
    if result.baseline == BIASES:
        return "that of mean plus damped biases"
    return f"the {result.baseline} baseline's"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def broken(results: Iterable[GateResult]) -> list[GateResult]:
    """The bounds that are not kept, in their order."""
    return [result for result in results if not result.kept]

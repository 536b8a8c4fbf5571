"""The bounds that a model must keep, and what to say when it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reelflow.base.columns import RATING_TASK, RETRIEVAL_TASK, TASKS
from reelflow.config import GateConfig
from reelflow.evaluation.metrics import Summary

OVERALL: Final = "overall"
ROUNDING: Final = 1e-6
"""By how much TFMA lets each bound give way, because it counts in float32: who is exactly as good
as the champion passes, even with no margin."""
STRICTLY: Final = 2 * ROUNDING
"""What "better than" adds to "at least"; about one row in a million after `ROUNDING`."""
_TASK: Final = {"top_100": RETRIEVAL_TASK, "rmse": RATING_TASK}


@dataclass(frozen=True)
class Bound:
    """One bound on one metric, over all test rows."""

    name: str
    """Unique: the metric, and whom it is held against."""
    metric: Literal["top_100", "rmse"]
    lower: float | None
    upper: float | None
    reason: str
    """Where the bound comes from, in words."""


def bounds(
    gate: GateConfig,
    champion: Summary | None,
    baselines: Mapping[str, Summary],
    tasks: Collection[str] = TASKS,
    champion_tasks: Collection[str] = TASKS,
) -> list[Bound]:
    """All bounds that the model is held to (docs/adr/0013).

    Args:
        gate: the configuration.
        champion: metrics of the last blessed model on the same rows, if there is one.
        baselines: metrics of the plain recommenders on the same rows.
        tasks: that the model was trained on; it is held to nothing else, but for what follows.
        champion_tasks: that the champion was trained on: who takes its place must do them as well.
    """
    found = [
        bound
        for bound in _absolute(gate, baselines)
        if gate.untrained_tasks or _TASK[bound.metric] in tasks
    ]
    held = {*tasks, *champion_tasks, *(TASKS if gate.untrained_tasks else ())}
    return found + [b for b in _relative(gate, champion) if _TASK[b.metric] in held]


def not_gated(gate: GateConfig, found: Collection[Bound]) -> list[str]:
    """What no bound looks at, in words."""
    metrics = {bound.metric for bound in found}
    names = {"top_100": f"Top-100 accuracy ({gate.protocol})", "rmse": "RMSE"}
    return [
        f"{name} is not gated: no {_TASK[metric]} task."
        for metric, name in names.items()
        if metric not in metrics
    ]


def _absolute(gate: GateConfig, baselines: Mapping[str, Summary]) -> list[Bound]:
    found = [
        Bound(
            "top_100_accuracy",
            "top_100",
            gate.top_100_accuracy_min,
            None,
            "gate.top_100_accuracy_min",
        ),
        Bound("rmse", "rmse", None, gate.rmse_max, "gate.rmse_max"),
    ]
    for name, summary in baselines.items():
        accuracy = accuracy_of(summary, gate)
        found.append(
            Bound(
                f"top_100_accuracy_against_{name}",
                "top_100",
                accuracy + gate.baseline_margin + STRICTLY,
                None,
                f"better than the {name} baseline's {accuracy:.4f} plus gate.baseline_margin",
            )
        )
    return found


def _relative(gate: GateConfig, champion: Summary | None) -> list[Bound]:
    if champion is None:
        return []
    accuracy = accuracy_of(champion, gate)
    return [
        Bound(
            "top_100_accuracy_against_champion",
            "top_100",
            max(accuracy - gate.top_100_accuracy_margin, 0.0),
            None,
            f"the champion's {accuracy:.4f} less gate.top_100_accuracy_margin",
        ),
        Bound(
            "rmse_against_champion",
            "rmse",
            None,
            champion.rmse + gate.rmse_margin,
            f"the champion's {champion.rmse:.4f} plus gate.rmse_margin",
        ),
    ]


def accuracy_of(summary: Summary, gate: GateConfig) -> float:
    """Top-100 accuracy under the protocol that the gate looks at."""
    return {"raw": summary.raw, "unseen": summary.unseen}[gate.protocol]["top_100"]


def refusal(bound: Bound, value: float, protocol: str, slice_name: str = OVERALL) -> str:
    """Metric, value, bound, by how much, slice and origin of the bound, in one sentence."""
    metric = f"top-100 accuracy ({protocol})" if bound.metric == "top_100" else "RMSE"
    if not np.isfinite(value):
        return f"{metric} is not a number on slice {slice_name!r}: training has diverged."
    limit, side = (bound.lower, "below") if bound.lower is not None else (bound.upper, "above")
    assert limit is not None
    return (
        f"{metric} is {value:.4f}, {side} the bound of {limit:.4f} by {abs(value - limit):.4f} "
        f"on slice {slice_name!r} ({bound.reason})."
    )

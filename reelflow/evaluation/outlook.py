"""The outlook of a run on data that it has not been given yet: tasks, likes, and bounds."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from reelflow.base.columns import RATING_TASK, RETRIEVAL_TASK
from reelflow.base.metrics import GATE_METRICS, GateMetric
from reelflow.config import Config
from reelflow.data.ingest.results import IngestSummary
from reelflow.evaluation.gate import Decision, Ungated, not_gated
from reelflow.model.stars import like_threshold


class Outlook(BaseModel):
    """The plan of a run, in words where it has no numbers yet."""

    model_config = ConfigDict(frozen=True)

    tasks: list[str]
    """Tasks that the model would be trained on."""
    like_threshold: float | None
    """Stars from which on a movie would count as liked; None if the ratings say no likes. Exact
    if train has the lowest and the highest rating."""
    bounds: list[str]
    """A sentence for each metric that the gate would look at."""
    not_gated: list[str]
    """A sentence for each metric without a bound."""


def outlook(config: Config, summary: IngestSummary) -> Outlook:
    """Return what a run would do with data of which `summary` tells."""
    scale = summary.ratings
    tasks = [RETRIEVAL_TASK] if config.model.retrieval_weight else []
    threshold = None
    if scale.says_likes:
        tasks += [RATING_TASK] if config.model.rating_weight else []
        ends = np.array([scale.lowest, scale.highest], np.float32)
        threshold = round(like_threshold(ends, config.model), 4)
    ungated: dict[str, Ungated] = {}
    bounds = []
    for key, gated in GATE_METRICS.items():
        cutoff = gated.metric.cutoff
        if gated.metric.task not in tasks and not config.gate.untrained_tasks:
            ungated[key] = "task"
        elif cutoff is not None and cutoff >= summary.movies:
            ungated[key] = "catalogue"
        else:
            bounds.append(_bound(config, gated))
    return Outlook(
        tasks=tasks,
        like_threshold=threshold,
        bounds=bounds,
        not_gated=not_gated(config.gate, Decision([], ungated), summary.movies),
    )


def _bound(config: Config, gated: GateMetric) -> str:
    """Return the bounds of a metric in words, as far as they are known before the run."""
    gate, parts = config.gate, []
    limit = getattr(gate, gated.limit)
    if limit is not None:
        least = "at least" if gated.metric.higher_is_better else "at most"
        parts.append(f"{least} {limit:g}")
    elif gated.biases_margin is not None:
        margin = getattr(gate, gated.biases_margin)
        parts.append(f"at most {margin:.0%} above that of mean plus damped biases")
    if gated.baseline_margin is not None and gate.baselines:
        margin = getattr(gate, gated.baseline_margin)
        lead = f"by more than {margin:g} " if margin else ""
        parts.append(f"{lead}better than {', '.join(gate.baselines)}")
    margin = getattr(gate, gated.champion_margin)
    unit = f"{margin:.0%}" if gated.relative else f"{margin:g}"
    parts.append(f"at most {unit} worse than the champion, if there is one")
    return f"{gated.metric.named(gate.protocol)}: {'; '.join(parts)}."

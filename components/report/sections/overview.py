"""The first thing to see: what came of it, and the figures that decide."""

from __future__ import annotations

from components.report.blocks import Fact, Facts, Section
from components.report.inputs import Inputs
from components.report.words import between, contestants, figure, look_up

MAIN = (
    ("unseen/top_100", "Top-100 accuracy, unseen"),
    ("unseen/top_10", "Top-10 accuracy, unseen"),
    ("raw/top_100", "Top-100 accuracy, raw"),
    ("rmse", "RMSE"),
)


def section(inputs: Inputs) -> Section:
    """Tiles of the main metrics against champion and baselines."""
    facts = [_metric(inputs, metric, label) for metric, label in MAIN]
    if latency := inputs.serving_check.get("latency_ms"):
        note = f"{latency['p95']:.1f} ms at the 95th percentile"
        facts.append(Fact("One request", f"{latency['median']:.1f} ms", note))
    return Section("overview", "At a glance", "", [Facts(facts)])


def _metric(inputs: Inputs, metric: str, label: str) -> Fact:
    """The model's figure, and how the others do; good only if it beats all of them."""
    (_, (own, intervals)), *others = contestants(inputs.evaluation).items()
    value = look_up(own, metric)
    rivals = {name: look_up(metrics, metric) for name, (metrics, _) in others}
    sign = -1 if metric in ("rmse", "mae") else 1
    better = value is not None and all(
        sign * value > sign * rival for rival in rivals.values() if rival is not None
    )
    notes = [f"{name} {figure(metric, rival)}" for name, rival in rivals.items()]
    if intervals and metric in intervals:
        notes.insert(0, f"95 %: {between(metric, intervals[metric])}")
    return Fact(label, figure(metric, value), "\n".join(notes), "good" if better else "plain")

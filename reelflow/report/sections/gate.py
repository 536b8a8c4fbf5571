"""The gate: the metrics that count at a glance, the verdict, and every bound."""

from __future__ import annotations

from reelflow.base.metrics import METRICS, RAW, UNSEEN, label_at, metric_at
from reelflow.evaluation.results import BoundRecord, Results
from reelflow.report.blocks import Block, Bullets, Fact, Facts, Section, Table, Text, Tone
from reelflow.report.inputs import Outcome
from reelflow.report.words import contestants, format_interval, format_metric
from reelflow.saved_model.files import ServingResult

MAIN = (
    METRICS["top_100"].path(UNSEEN),
    METRICS["top_10"].path(UNSEEN),
    METRICS["top_100"].path(RAW),
    METRICS["rmse"].key,
)
"""Paths of the metrics that have tiles."""


def overview_section(results: Results, serving_check: ServingResult) -> Section:
    """Show tiles of the main metrics against champion and baselines."""
    facts = [_metric(results, path) for path in MAIN]
    if latency := serving_check.latency_ms:
        note = f"{latency['p95']:.1f} ms at the 95th percentile"
        facts.append(Fact("One request", f"{latency['median']:.1f} ms", note))
    return Section("overview", "At a glance", "", [Facts(facts)])


def _metric(results: Results, path: str) -> Fact:
    """Show the model's and the others' values; the tone is good if the model is the best."""
    model, *others = contestants(results)
    value = model.metrics.value(path)
    values = {other.label: other.metrics.value(path) for other in others}
    best = value is not None and all(
        metric_at(path).better(value, other) for other in values.values() if other is not None
    )
    notes = [f"{label} {format_metric(path, other)}" for label, other in values.items()]
    if path in model.intervals:
        notes.insert(0, f"95 %: {format_interval(path, model.intervals[path])}")
    tone: Tone = "good" if best else "plain"
    return Fact(label_at(path), format_metric(path, value), "\n".join(notes), tone)


def gate_section(results: Results, serving_check: ServingResult, outcome: Outcome) -> Section:
    """Show the verdict with its reasons, every bound, and ServingCheck's result."""
    blocks: list[Block] = [
        Text("Every bound was kept.", "good")
        if outcome.blessed
        else Text(verdict(outcome, serving_check), "bad")
    ]
    if results.gate.reasons:
        blocks.append(Bullets(results.gate.reasons, "bad"))
    if serving_check.reasons:
        blocks.append(Bullets(serving_check.reasons, "bad"))
    if rows := [_bound(bound, results) for bound in results.gate.bounds]:
        header = ("What", "Model", "Bound", "Kept by", "Where the bound comes from")
        blocks.append(Table("The bounds", header, rows))
    if latency := serving_check.latency_ms:
        blocks.append(
            Text(
                "The exported model was loaded in a fresh process and gave the training process's "
                f"own answers to {serving_check.golden} golden requests. One request "
                f"takes {latency['median']:.1f} ms in the median, {latency['p95']:.1f} ms at the "
                "95th percentile."
            )
        )
    lead = (
        "A model goes to production only if it keeps every bound on all test ratings and answers "
        "as it should in a process of its own. Otherwise the model in place stays."
    )
    return Section("gate", "The gate", lead, blocks)


def verdict(outcome: Outcome, serving_check: ServingResult) -> str:
    """Return in one sentence whether the model was pushed, and what refused it otherwise."""
    if outcome.pushed:
        version = f" as version {outcome.version}" if outcome.version else ""
        return f"The model passed the gate and was pushed{version}."
    if not outcome.blessed:
        return "The model was refused by the gate. Whatever was in production stays."
    if not serving_check.blessed:
        return "The metrics were good enough, but ServingCheck refused the exported model."
    return "The model passed the gate and waits to be promoted. What was in production stays."


def _bound(bound: BoundRecord, results: Results) -> list[str]:
    path = METRICS[bound.metric].path(results.gate.protocol)
    value = results.metrics.value(path)
    sign, limit = ("≤", bound.upper) if bound.lower is None else ("≥", bound.lower)
    room = None
    if value is not None and limit is not None:
        room = limit - value if bound.lower is None else value - limit
    return [
        label_at(path),
        format_metric(path, value),
        f"{sign} {format_metric(path, limit)}",
        format_metric(path, room),
        bound.reason,
    ]

"""The first thing to see: what came of it, and the figures that decide."""

from __future__ import annotations

from reelflow.report.blocks import Block, Bullets, Fact, Facts, Section, Table, Text
from reelflow.report.inputs import Inputs, Json
from reelflow.report.words import between, contestants, figure, look_up

MAIN = (
    ("unseen/top_100", "Top-100 accuracy, unseen"),
    ("unseen/top_10", "Top-10 accuracy, unseen"),
    ("raw/top_100", "Top-100 accuracy, raw"),
    ("rmse", "RMSE"),
)


def overview_section(inputs: Inputs) -> Section:
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


# Why the model was pushed or not, bound by bound.


def gate_section(inputs: Inputs) -> Section:
    """The verdict, every bound, and ServingCheck's word."""
    gate = inputs.evaluation.get("gate") or {}
    check = inputs.serving_check
    kept = "Every bound was kept." if inputs.blessed else verdict(inputs)
    blocks: list[Block] = [Text(kept, "good" if inputs.blessed else "bad")]
    if gate.get("reasons"):
        blocks.append(Bullets(gate["reasons"], "bad"))
    if check and not check.get("blessed"):
        blocks.append(Bullets(check.get("reasons") or ["ServingCheck gave no reason."], "bad"))
    if rows := [_bound(bound, inputs.evaluation) for bound in gate.get("bounds") or []]:
        header = ("What", "Model", "Bound", "Kept by", "Where the bound comes from")
        blocks.append(Table("The bounds", header, rows))
    if latency := (check or {}).get("latency_ms"):
        blocks.append(
            Text(
                "The exported model was loaded in a fresh process and gave the training process's "
                f"own answers to {check.get('golden', 0)} golden requests. One request takes "
                f"{latency['median']:.1f} ms in the median, {latency['p95']:.1f} ms at the 95th "
                "percentile."
            )
        )
    lead = (
        "A model goes to production only if it keeps every bound on all test ratings and answers "
        "as it should in a process of its own. Otherwise the model in place stays."
    )
    return Section("gate", "The gate", lead, blocks)


def passed(inputs: Inputs) -> bool:
    """Whether gate and ServingCheck let the model pass."""
    return inputs.pushed or (inputs.blessed and bool(inputs.serving_check.get("blessed")))


def verdict(inputs: Inputs) -> str:
    """Pushed or not, and who said so, in one sentence."""
    if inputs.pushed:
        version = f" as version {inputs.version}" if inputs.version else ""
        return f"The model passed the gate and was pushed{version}."
    if not inputs.blessed:
        return "The model was refused by the gate. Whatever was in production stays."
    if inputs.serving_check and not inputs.serving_check.get("blessed"):
        return "The metrics were good enough, but ServingCheck refused the exported model."
    return "The model passed the gate and waits to be promoted. What was in production stays."


def _bound(bound: Json, evaluation: Json) -> list[str]:
    metric = bound["metric"]
    protocol = evaluation["gate"].get("protocol", "unseen")
    path = metric if metric == "rmse" else f"{protocol}/{metric}"
    value = look_up(evaluation["metrics"], path)
    at_least = bound["lower"] is not None
    limit = bound["lower"] if at_least else bound["upper"]
    name = "RMSE" if metric == "rmse" else f"Top-100 accuracy, {protocol}"
    room = None if value is None else (value - limit if at_least else limit - value)
    kept = "–" if room is None else figure(path, room)
    return [
        name,
        figure(path, value),
        f"{'≥' if at_least else '≤'} {figure(path, limit)}",
        kept,
        bound["reason"],
    ]

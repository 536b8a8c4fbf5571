"""The gate: the metrics that count at a glance, the verdict, and every bound."""

from __future__ import annotations

from reelflow.base.metrics import (
    BIASES,
    GATE_METRICS,
    LIKED,
    METRICS,
    RAW,
    UNSEEN,
    Scope,
    label_at,
    metric_at,
)
from reelflow.base.nouns import MOVIE, Noun
from reelflow.data.ingest.results import SplitChoice
from reelflow.data.words import split_sentence
from reelflow.evaluation.results import BoundRecord, Results
from reelflow.report.blocks import Block, Bullets, Fact, Facts, Section, Table, Text, Tone
from reelflow.report.inputs import Outcome
from reelflow.report.words import (
    ALL,
    BASELINES,
    RETRIEVAL_ALONE,
    contestants,
    counted,
    format_difference,
    format_interval,
    format_metric,
)
from reelflow.saved_model.files import ServingResult

MAIN = (
    METRICS["top_10"].path(UNSEEN),
    METRICS["top_10"].path(LIKED),
    METRICS["top_100"].path(UNSEEN),
    METRICS["top_100"].path(LIKED),
    METRICS["top_100"].path(RAW),
    METRICS["rmse"].key,
)
"""Paths of the metrics that have tiles."""
_AS_SERVED = (
    "All figures are of the exported model itself, asked as a server asks it, with the test "
    "ratings hidden. What is pushed knows the test ratings too, so that it recommends no {} "
    "that a user has rated."
)


def overview_section(
    results: Results,
    serving_check: ServingResult,
    split: SplitChoice,
    scope: Scope = ALL,
    noun: Noun = MOVIE,
) -> Section:
    """Show tiles of the main metrics against champion and baselines, and what is judged."""
    paths = [path for path in scope.of(MAIN) if results.metrics.value(path) is not None]
    facts = [_metric(results, path) for path in paths]
    if latency := serving_check.latency_ms:
        note = f"{latency['p95']:.1f} ms at the 95th percentile\nTen {noun.many}, without HTTP"
        facts.append(Fact("One call of the model", f"{latency['median']:.1f} ms", note))
    blocks: list[Block] = [
        Facts(facts),
        Text(f"Split {split_sentence(split)} {_AS_SERVED.format(noun.one)}"),
    ]
    return Section("overview", "At a glance", "", blocks)


def _metric(results: Results, path: str) -> Fact:
    """Show the model's and the others' values; the tone is good if the model is the best."""
    model, *others = contestants(results)
    value = model.value(path)
    values = {other.label: v for other in others if (v := other.value(path)) is not None}
    best = value is not None and all(
        metric_at(path).better(value, other)
        for label, other in values.items()
        if label != RETRIEVAL_ALONE
    )
    notes = [f"{label} {format_metric(path, other)}" for label, other in values.items()]
    live = None if results.live is None else results.live.metrics.value(path)
    if live is not None and metric_at(path).ranked:
        notes.insert(0, f"Live histories {format_metric(path, live)}")
    if (over_users := model.over_users(path)) is not None:
        notes.insert(0, f"Over users {format_metric(path, over_users)}")
    if path in model.intervals:
        notes.insert(0, f"95 %: {format_interval(path, model.intervals[path])}")
    tone: Tone = "good" if best else "plain"
    return Fact(label_at(path), format_metric(path, value), "\n".join(notes), tone)


def gate_section(
    results: Results, serving_check: ServingResult, outcome: Outcome, noun: Noun = MOVIE
) -> Section:
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
        header = (
            "Bound", "Kept", "Model", "Against", "Difference", "Interval", "Must be", "Set by"
        )  # fmt: skip
        blocks.append(Table("The bounds", header, rows))
    if results.guards:
        checks = [
            (guard.name.replace("_", " "), "yes" if guard.passed else "no", guard.detail)
            for guard in results.guards
        ]
        caption = "Guards against figures that deceive"
        blocks.append(Table(caption, ("Guard", "Passed", "Found"), checks, folded=True))
    if results.gate.not_gated:
        blocks.append(Bullets(results.gate.not_gated))
    if latency := serving_check.latency_ms:
        blocks.append(
            Text(
                "The exported model was loaded in a fresh process and gave the training process's "
                f"own answers to {serving_check.golden} golden requests. One call for ten "
                f"{noun.many} takes {latency['median']:.1f} ms in the median, "
                f"{latency['p95']:.1f} ms at the 95th percentile. A client of the server waits for "
                "HTTP and JSON besides."
            )
        )
    lead = (
        "A model goes to production only if it keeps every bound on the test ratings and answers "
        "as it should in a process of its own. Otherwise the model in place stays. Against the "
        "champion and the baselines the interval of the difference decides, by a bootstrap over "
        "users on the same ratings, wider where several baselines are compared (Holm). "
        f"Measured on {_rows(results)}."
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


def _rows(results: Results) -> str:
    protocol = results.gate.protocol
    if protocol == LIKED and results.metrics.liked_rows:
        return f"{counted(results.metrics.liked_rows, 'test rating')} that count as a like"
    return f"{counted(results.rows, 'test rating')}, protocol {protocol}, nightly histories"


def _bound(bound: BoundRecord, results: Results) -> list[str]:
    """Return a bound's row; of the interval the end that decides is held against the last number.

    A bound without an interval is on the value itself.
    """
    path = METRICS[bound.metric].path(results.gate.protocol)
    value = results.metrics.value(path) if bound.value is None else bound.value
    sign, limit = ("≤", bound.upper) if bound.lower is None else ("≥", bound.lower)
    kept = "–" if bound.kept is None else "yes" if bound.kept else "no"
    label = label_at(path, short=True)
    if not bound.over_all:
        label = f"{label}, {bound.slice}"
    row = [label, kept, format_metric(path, value)]
    if bound.origin == "configuration" or bound.threshold is None:
        return [*row, "–", "–", "–", f"{sign} {format_metric(path, limit)}", _field(bound)]
    name = bound.baseline or "champion"
    whose = {"champion": "Champion", BIASES: "Mean plus biases"}.get(name, BASELINES.get(name))
    higher, by_value = METRICS[bound.metric].higher_is_better, bound.baseline == BIASES
    # A baseline has to be beaten; biases, which bound the value, and the champion may be equalled.
    equal = by_value or bound.origin != "baseline"
    sign = ("≥" if higher else "≤") if equal else (">" if higher else "<")
    interval = "–"
    if bound.interval is not None and bound.level is not None:
        level = f"{100 * bound.level:.4g} %"
        interval = f"{format_interval(path, bound.interval, difference=True)} ({level})"
    what = "difference" if by_value else "lower end" if higher else "upper end"
    return [
        *row,
        f"{whose or name} {format_metric(path, bound.reference)}",
        format_difference(path, bound.difference),
        interval,
        f"{what} {sign} {format_difference(path, bound.threshold)}",
        _field(bound),
    ]


def _field(bound: BoundRecord) -> str:
    """Return the key of the configuration that sets a bound."""
    gated = GATE_METRICS[bound.metric]
    margins = {
        "configuration": gated.limit,
        "champion": gated.champion_margin,
        "baseline": gated.biases_margin if bound.baseline == BIASES else gated.baseline_margin,
    }
    return f"gate.{margins[bound.origin]}"

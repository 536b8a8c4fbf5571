"""The end of `reelflow run`: metrics, examples, verdict, and the places of all results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import LOOKUPS
from pipeline.cli.output import labelled, new_table, number
from pipeline.runs.summary import RunSummary
from reelflow.base.metrics import GATE_METRICS, GateMetric, inline, label_at
from reelflow.config.layout import Layout
from reelflow.evaluation.results import Summary

if TYPE_CHECKING:
    from reelflow.config import Config, GateConfig
    from reelflow.saved_model.client import Recommendations

_LIKES: Final = "like/auc"
_FURTHER: Final = ("unseen/top_10", "unseen/ndcg_10", "raw/top_100")
"""Paths of metrics that are shown below those of the gate."""


def print_outcome(
    console: Console,
    summary: RunSummary,
    config: Config,
    examples: Sequence[tuple[str, Recommendations]],
    layout: Layout,
) -> None:
    """Print the result of a run that came to its end.

    Args:
        console: of the terminal.
        summary: of the run.
        config: the effective configuration.
        examples: user id and recommendations.
        layout: the output folder.
    """
    console.print()
    for line in (
        *_cached(summary),
        *_data(summary),
        *_drift(summary),
        *_known(summary),
    ):
        console.print(line, soft_wrap=True)
    if summary.metrics:
        console.print(_metrics_table(summary, config.gate))
    _print_examples(console, examples, refused=not (summary.pushed or summary.awaits_promotion))
    for line in (*_gate(summary, config.gate), *_model(summary)):
        console.print(line, soft_wrap=True)
    if (layout.latest / "report.html").is_file():
        console.print(labelled("Report", str(layout.latest / "report.html")), soft_wrap=True)
    console.print(labelled("Summary", str(layout.latest / "summary.json")), soft_wrap=True)


def _cached(summary: RunSummary) -> Iterator[Text]:
    cached = summary.cached
    ran = set(summary.seconds) - set(cached) - LOOKUPS
    if cached and not ran:
        yield labelled("Cached", "everything: data and configuration are as before")
    elif cached:
        yield labelled("Cached", f"{len(cached)} of {len(cached) + len(ran)} steps")


def _data(summary: RunSummary) -> Iterator[Text]:
    data = summary.data
    if data is None:
        return
    parts = [f"{data.rows:,} ratings, {data.users:,} users, {data.movies:,} movies"]
    if spans := data.spans:
        parts.append(f"span {spans[0]}" if len(spans) == 1 else f"spans {spans[0]} to {spans[-1]}")
    if data.quarantined:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in data.quarantined.items())
        refused = sum(data.quarantined.values())
        rows = "row" if refused == 1 else "rows"
        parts.append(f"{refused:,} {rows} in quarantine ({reasons})")
    if data.absent_features:
        parts.append(f"asked for but not in the data: {', '.join(data.absent_features)}")
    if data.synthetic:
        parts.append("synthetic: the figures say nothing about real movies")
    yield labelled("Data", "; ".join(parts))


def _drift(summary: RunSummary) -> Iterator[Text]:
    """Yield the changes of the newest span."""
    for i, warning in enumerate((summary.drift or {}).get("warnings", [])):
        yield labelled("" if i else "Drift", Text(warning, style="yellow"))


def _known(summary: RunSummary) -> Iterator[Text]:
    """Yield the shares of the test split that training knew."""
    if unknown := summary.out_of_vocabulary:
        users, movies = (1 - unknown[key] for key in ("users", "movies"))
        text = f"to training: {users:.1%} of test ratings by user, {movies:.1%} by movie"
        yield labelled("Known", text)


def _metrics_table(summary: RunSummary, gate: GateConfig) -> Table:
    """Return the model's metrics beside their bounds, the baselines and the champion."""
    table = new_table()
    table.add_column("Metric")
    table.add_column("Model", justify="right", style="bold")
    table.add_column("Bound", justify="right")
    for name in summary.baselines:
        table.add_column(name, justify="right")
    table.add_column("Champion", justify="right")
    figures = (summary.metrics, *summary.baselines.values(), summary.champion)
    gated = {gated.metric.path(gate.protocol): gated for gated in GATE_METRICS.values()}
    ungated = summary.gate.ungated if summary.gate else []
    paths = dict.fromkeys((*gated, "mae", _LIKES, *_FURTHER))
    for path in paths:
        bound = ""
        if path in gated and gated[path].metric.key not in ungated:
            sign = "≥" if gated[path].metric.higher_is_better else "≤"
            bound = f"{sign} {getattr(gate, gated[path].limit):.4f}"
        label = "likes, AUC" if path == _LIKES else inline(label_at(path))
        model, *others = (_figure(source, path) for source in figures)
        table.add_row(label, model, bound, *others)
    return table


def _print_examples(
    console: Console, examples: Sequence[tuple[str, Recommendations]], refused: bool
) -> None:
    by = ", by the refused model" if refused else ""
    for user, recommendations in examples:
        console.print(Text(f"For user {user}{by}", style="bold"))
        for place, item in enumerate(recommendations.items, start=1):
            console.print(Text(f"  {place:>2}  {item.title or item.movie_id}"), soft_wrap=True)
    if examples:
        console.print()


def _gate(summary: RunSummary, gate: GateConfig) -> Iterator[Text]:
    """Yield the verdicts of the gate and of the serving check, with their reasons."""
    verdict, check = summary.gate, summary.serving_check
    if verdict is None:
        reasons = ["The Evaluator gave no word."]
    elif verdict.blessed and not verdict.reasons:
        reasons = [_bounds_kept(summary, gate, m) for m in _gated(summary)]
    else:
        reasons = verdict.reasons
    passed = verdict is not None and verdict.blessed
    yield labelled("Gate", _verdict(passed))
    yield from (labelled("", reason) for reason in reasons)
    for sentence in verdict.not_gated if verdict else []:
        yield labelled("", Text(sentence, style="dim"))
    if check and not check.blessed:
        yield labelled("Serving", _verdict(False))
        yield from (labelled("", reason) for reason in check.reasons)


def _verdict(passed: bool) -> Text:
    return Text("passed", style="bold green") if passed else Text("refused", style="bold red")


def _gated(summary: RunSummary) -> list[GateMetric]:
    ungated = summary.gate.ungated if summary.gate else []
    return [gated for gated in GATE_METRICS.values() if gated.metric.key not in ungated]


def _bounds_kept(summary: RunSummary, gate: GateConfig, gated: GateMetric) -> str:
    """Return the bounds that a metric of a passed model has kept, in one sentence."""
    metric = gated.metric
    path = metric.path(gate.protocol)
    side, direction = ("least", "above") if metric.higher_is_better else ("most", "below")
    bounds = [f"at {side} {getattr(gate, gated.limit):.4f}"]
    if gated.baseline_margin is not None:
        bounds += [
            f"{direction} the {name} baseline's {_figure(baseline, path)}"
            for name, baseline in summary.baselines.items()
            if name in gate.baselines
        ]
    if summary.champion:
        margin = getattr(gate, gated.champion_margin)
        champion = _figure(summary.champion, path)
        bounds.append(f"within {margin:g} of the champion's {champion}")
    label = f"{metric.label} ({gate.protocol})" if metric.ranked else metric.label
    return f"{label} is {_figure(summary.metrics, path)}: {', '.join(bounds)}."


def _figure(metrics: Summary | None, path: str) -> str:
    return number(metrics.value(path) if metrics else None)


def _model(summary: RunSummary) -> Iterator[Text]:
    """Yield the places of the model: serving folder and registry."""
    registered = summary.registered
    if summary.pushed:
        yield labelled("Model", str(Path(summary.pushed)))
    elif registered and summary.awaits_promotion:
        promote = f"`reelflow models promote {registered.version}`"
        yield labelled("Model", f"passed and not pushed: {promote} lets it serve")
    else:
        yield labelled("Model", "not pushed; the champion, if any, stays")
    if registered:
        text = f"version {registered.version} of {registered.name}, {registered.alias}"
        yield labelled("Registry", f"{text}, in {registered.registry}")

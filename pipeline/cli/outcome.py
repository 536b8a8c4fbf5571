"""The end of `reelflow run`: what the model is worth, where it is, and why the gate said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.runs.history import waits
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary
    from reelflow.config import Config
    from reelflow.saved_model.client import Recommendations

_FURTHER = (("unseen", "top_10"), ("unseen", "ndcg_10"), ("raw", "top_100"))
_NAMES = {"top_10": "top-10 accuracy", "top_100": "top-100 accuracy", "ndcg_10": "NDCG@10"}


def show(
    console: Console,
    summary: Summary,
    config: Config,
    examples: Sequence[tuple[str, Recommendations]],
    layout: Layout,
) -> None:
    """Print everything that a person wants to know after a run."""
    _show_cached(console, summary)
    _show_data(console, summary)
    _show_drift(console, summary)
    _show_known(console, summary)
    if summary["metrics"]:
        console.print(_metrics(summary, config))
    _show_examples(console, examples, refused=not (summary["pushed"] or waits(summary)))
    _show_gate(console, summary, config)
    if (layout.latest / "report.html").is_file():
        console.print(_line("Report", str(layout.latest / "report.html")), soft_wrap=True)
    console.print(_line("Summary", str(layout.latest / "summary.json")), soft_wrap=True)


def _show_cached(console: Console, summary: Summary) -> None:
    cached, ran = summary["cached"], set(summary["seconds"]) - set(summary["cached"])
    console.print()
    if not cached:
        return
    # Resolvers look things up and never come from the cache: they are no news.
    ran = {node for node in ran if not node.endswith("Resolver")}
    if not ran:
        text = "everything: data and configuration are as before"
    else:
        text = f"{len(cached)} of {len(cached) + len(ran)} steps"
    console.print(_line("Cached", text), soft_wrap=True)


def _show_data(console: Console, summary: Summary) -> None:
    data = summary["data"]
    if not data:
        return
    parts = [f"{data['rows']:,} ratings, {data['users']:,} users, {data['movies']:,} movies"]
    if spans := data.get("spans"):
        parts.append(f"span {spans[0]}" if len(spans) == 1 else f"spans {spans[0]} to {spans[-1]}")
    if quarantined := data["quarantined"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in quarantined.items())
        refused = sum(quarantined.values())
        rows = "row" if refused == 1 else "rows"
        parts.append(f"{refused:,} {rows} in quarantine ({reasons})")
    if absent := data.get("absent_features"):
        parts.append(f"asked for but not in the data: {', '.join(absent)}")
    if data["synthetic"]:
        parts.append("synthetic: the figures say nothing about real movies")
    console.print(_line("Data", "; ".join(parts)), soft_wrap=True)


def _show_drift(console: Console, summary: Summary) -> None:
    """What changed with the newest span; nothing if nothing did."""
    for number, warning in enumerate((summary.get("drift") or {}).get("warnings", [])):
        label = "" if number else "Drift"
        console.print(_line(label, Text(warning, style="yellow")), soft_wrap=True)


def _show_known(console: Console, summary: Summary) -> None:
    """How much of the test split training knew."""
    unknown = summary["out_of_vocabulary"]
    if unknown:
        users, movies = (1 - unknown[key] for key in ("users", "movies"))
        text = f"to training: {users:.1%} of test ratings by user, {movies:.1%} by movie"
        console.print(_line("Known", text), soft_wrap=True)


def _metrics(summary: Summary, config: Config) -> Table:
    """Metrics of the model beside its bounds, the baselines and the champion."""
    gate, unheld = config.gate, (summary["gate"] or {}).get("not_gated", [])
    baselines: Mapping[str, Any] = summary["baselines"]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Metric")
    table.add_column("Model", justify="right", style="bold")
    table.add_column("Bound", justify="right")
    for name in baselines:
        table.add_column(name, justify="right")
    table.add_column("Champion", justify="right")

    def add(label: str, path: tuple[str, ...], bound: str = "") -> None:
        others = [*baselines.values(), summary["champion"]]
        cells = (_figure(source, path) for source in (summary["metrics"], *others))
        model, *rest = cells
        held = not any(words.lower().startswith(label.split(",")[0].lower()) for words in unheld)
        table.add_row(label, model, bound if held else "", *rest)

    add(
        f"top-100 accuracy, {gate.protocol}",
        (gate.protocol, "top_100"),
        f"≥ {gate.top_100_accuracy_min:.4f}",
    )
    add("RMSE", ("rmse",), f"≤ {gate.rmse_max:.4f}")
    add("MAE", ("mae",))
    add("likes, AUC", ("like", "auc"))
    for protocol, key in _FURTHER:
        if (protocol, key) != (gate.protocol, "top_100"):
            add(f"{_NAMES[key]}, {protocol}", (protocol, key))
    return table


def _figure(source: Mapping[str, Any] | None, path: tuple[str, ...]) -> str:
    value: Any = source
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return "–" if value is None else f"{value:.4f}"


def _show_examples(
    console: Console, examples: Sequence[tuple[str, Recommendations]], refused: bool
) -> None:
    whose = ", by the refused model" if refused else ""
    for user, recommendations in examples:
        titles = [item.title or item.movie_id for item in recommendations.items]
        console.print(Text(f"For user {user}{whose}", style="bold"))
        for number, title in enumerate(titles, start=1):
            console.print(Text(f"  {number:>2}  {title}"), soft_wrap=True)
    if examples:
        console.print()


def _show_gate(console: Console, summary: Summary, config: Config) -> None:
    gate, check = summary["gate"], summary["serving_check"]
    passed = bool(gate and gate["blessed"])
    reasons = gate["reasons"] if gate else ["The Evaluator gave no word."]
    if passed and not reasons:
        reasons = _why_passed(summary, config)
    verdict = Text("passed" if passed else "refused", style="bold green" if passed else "bold red")
    console.print(_line("Gate", verdict), soft_wrap=True)
    for reason in reasons:
        console.print(Text(f"            {reason}"), soft_wrap=True)
    for words in gate.get("not_gated", []) if gate else []:
        console.print(Text(f"            {words}", style="dim"), soft_wrap=True)
    if check and not check["blessed"]:
        console.print(_line("Serving", Text("refused", style="bold red")), soft_wrap=True)
        for reason in check["reasons"]:
            console.print(Text(f"            {reason}"), soft_wrap=True)
    if summary["pushed"]:
        console.print(_line("Model", str(Path(summary["pushed"]))), soft_wrap=True)
    elif waits(summary):
        version = summary["registered"]["version"]
        text = f"passed and not pushed: `reelflow models promote {version}` lets it serve"
        console.print(_line("Model", text), soft_wrap=True)
    else:
        console.print(_line("Model", "not pushed; the champion, if any, stays"), soft_wrap=True)
    if registered := summary.get("registered"):
        name, number, alias = (registered[key] for key in ("name", "version", "alias"))
        text = f"version {number} of {name}, {alias}, in {registered['registry']}"
        console.print(_line("Registry", text), soft_wrap=True)


def _why_passed(summary: Summary, config: Config) -> list[str]:
    """What the model was held against, in words; the verdict itself is the Evaluator's."""
    gate, path = config.gate, (config.gate.protocol, "top_100")
    champion = summary["champion"]
    accuracy = [f"at least {gate.top_100_accuracy_min:.4f}"]
    accuracy += [
        f"above the {name} baseline's {_figure(baseline, path)}"
        for name, baseline in summary["baselines"].items()
        if name in gate.baselines
    ]
    rmse = [f"at most {gate.rmse_max:.4f}"]
    if champion:
        margins = gate.top_100_accuracy_margin, gate.rmse_margin
        accuracy.append(f"within {margins[0]:g} of the champion's {_figure(champion, path)}")
        rmse.append(f"within {margins[1]:g} of the champion's {_figure(champion, ('rmse',))}")
    model = summary["metrics"]
    said = [
        f"Top-100 accuracy ({gate.protocol}) is {_figure(model, path)}: {', '.join(accuracy)}.",
        f"RMSE is {_figure(model, ('rmse',))}: {', '.join(rmse)}.",
    ]
    # The gate's own words begin with the same metric.
    unheld = tuple(words.partition(" is ")[0] for words in summary["gate"].get("not_gated", []))
    return [sentence for sentence in said if not sentence.startswith(unheld or ("\0",))]


def _line(label: str, value: str | Text) -> Text:
    """A label in bold, then the value, in line with its neighbours."""
    return Text.assemble((f"{label:<12}", "bold"), value)

"""`reelflow run`: ratings in, a gated and pushed recommender out; and what it prints."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import LOOKUPS, PUSHER, fixed_costs
from pipeline.cli import options
from pipeline.cli.output import (
    PrintableConsole,
    Progress,
    console,
    errors,
    labelled,
    new_table,
    number,
    print_error,
    print_labelled,
    progress_on,
    show_events,
)
from pipeline.runs import process, supervisor
from pipeline.runs.failures import exit_code, name_of
from pipeline.runs.summary import RunSummary
from reelflow.base.common import format_duration
from reelflow.base.errors import ReelflowError
from reelflow.base.metrics import BIASES, GATE_METRICS, GateMetric, inline, label_at, metric_at
from reelflow.base.nouns import Noun
from reelflow.config.layout import Layout
from reelflow.data.words import filter_sentences, scale_sentences, split_sentence
from reelflow.evaluation.results import BoundRecord, Summary
from reelflow.registry.store import VARIANTS

if TYPE_CHECKING:
    from reelflow.config import Config, GateConfig
    from reelflow.saved_model.client import Recommendations

Examples = Sequence[tuple[str, "Recommendations"]]
"""User id and recommendations."""

_ATTEMPTS: Final = 3
"""Times that a model is judged, if the champion changes meanwhile."""
_LIKES: Final = "like/auc"
_SHOWN: Final = (
    *("unseen/top_10", "unseen/top_100", "liked/top_10", "liked/top_100", "raw/top_100"),
    *("rmse", "mae"),
)
"""Paths of metrics that are shown beside those of the gate."""
_PASSED, _REFUSED = Text("passed", style="bold green"), Text("refused", style="bold red")

_LOG = logging.getLogger(__name__)


def run(
    config: options.ConfigFile = None,
    preset: options.Preset = None,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    span: options.Span = None,
    tune: Annotated[
        int | None,
        typer.Option(help="Search for better hyperparameters: --set tuner.trials=N.", metavar="N"),
    ] = None,
    overrides: options.Overrides = None,
    output: options.Output = options.DEFAULT_OUTPUT,
) -> None:
    """Train a recommender, hold it to the gate, and push it if it passes.

    Without data, the built-in synthetic sample is used. --set has precedence over --config, and
    --config over --preset.

    Exit code: 0 pushed (or waiting to be promoted, with registry.promote = false), 3 refused by the
    gate, 2 wrong use or bad input, 1 a fault.
    """
    from reelflow.data.inputs import effective_config

    began = time.monotonic()
    layout = Layout.of(output)
    spans = [] if span is None else [f"data.span={json.dumps(span)}"]
    trials = [] if tune is None else [f"tuner.trials={tune}"]
    changes = [*(overrides or ()), *spans, *trials]
    effective = effective_config(layout, config, data, dataset, changes, preset)
    run_id = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    folder = layout.run(run_id)
    failure: ReelflowError | KeyboardInterrupt | None = None
    with process.locked_output(layout):
        process.check_artifacts(layout)
        synthetic = effective.data.path == str(layout.sample)
        source = "the built-in sample (synthetic)" if synthetic else str(effective.data.path)
        headline = f"[bold]Reelflow[/bold]  {source}  [dim]→[/dim]  {layout.output}"
        console.print(headline, soft_wrap=True)
        supervisor.announce(folder.path)
        with process.captured(folder.log) as terminal:
            out = PrintableConsole(file=terminal, width=None)
            try:
                with process.Interrupts() as interrupts, progress_on(out) as progress:
                    summary, examples = _run(effective, layout, run_id, progress, interrupts)
            except (ReelflowError, KeyboardInterrupt) as error:
                failure = error
    if isinstance(failure, KeyboardInterrupt):
        words = f"{name_of(failure)}. Finished steps come from the cache next time."
        errors.print(words, soft_wrap=True)
        code = exit_code(failure)
    elif failure is not None:
        print_error(failure)
        code = failure.exit_code
    else:
        print_outcome(console, summary, effective, examples, layout)
        code = summary.exit_code
    spent = format_duration(time.monotonic() - began)
    console.print(Text(f"{spent} in all; log: {folder.log}", style="dim"), soft_wrap=True)
    raise typer.Exit(code)


def _run(
    config: Config, layout: Layout, run_id: str, progress: Progress, interrupts: process.Interrupts
) -> tuple[RunSummary, Examples]:
    """Run the pipeline inside the capture; everything heavy is imported here.

    Raises:
        ReelflowError: for every failure; one that is not ours is in the log with its traceback.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    progress.starting("Starting TensorFlow and TFX")
    step = "The start"
    try:
        fixed_costs.import_lightly(config.beam)
        from pipeline.definition import create_pipeline
        from pipeline.runs import launcher, promotion
        from pipeline.runs.finish import finish_run, recommend_to_examples

        fixed_costs.settle()
        process.log_at_info()
        launched, judged = run_id, config
        for attempt in range(1, _ATTEMPTS + 1):
            judged, pinned = promotion.as_pinned(config, layout)
            if pinned is not None:
                progress.noted(f"version {pinned} is pinned: what passes waits for promotion")
            graph = create_pipeline(judged, str(layout.output))
            ir = launcher.compile_pipeline(graph, launched)
            launcher.close_abandoned(ir)
            launcher.rerun_missing_pushes(ir, judged, layout)
            progress.nodes(launcher.node_ids(ir))
            try:
                with ExitStack() as held:
                    before = {PUSHER: _before_push(judged, layout, launched, held)}
                    show_events(progress, launcher.run(ir, before=before))
            except promotion.ChampionMoved:
                if attempt == _ATTEMPTS:
                    raise ReelflowError(
                        f"The champion changed {attempt} times while its challenger was judged.",
                        "Nothing was pushed. Run again: all but the verdict comes from the cache.",
                    ) from None
                progress.noted("the champion is another one by now: judging anew")
                launched = f"{run_id}-{attempt + 1}"
            else:
                break
        step = "The summary"
        progress.starting("Asking the model for examples")
        summary = finish_run(layout, judged, launched, as_run=run_id)
        examples = recommend_to_examples(layout, launched)
        _clean(layout, config, progress)
        return summary, examples
    except KeyboardInterrupt as interrupt:
        _leave_summary(layout, config, run_id, f"{name_of(interrupt)}.")
        raise
    except Exception as failure:
        if interrupts.seen is not None:
            _leave_summary(layout, config, run_id, f"{name_of(interrupts.seen)}.")
            raise interrupts.seen from failure
        error = process.as_reelflow_error(failure, step)
        _LOG.exception("%s", error.message)
        lost = _leave_summary(layout, config, run_id, error.message)
        if lost is not None:
            remedy = f"{error.remedy} The run has no summary: {lost}"
            error = process.with_remedy(error, remedy.strip())
        raise error from failure


def _clean(layout: Layout, config: Config, progress: Progress) -> None:
    """Remove what older runs have left; what prevents it is no fault of this run."""
    from pipeline.runs import retention

    try:
        removals = retention.plan(layout, config)
        retention.carry_out(removals, layout, config)
    except (ReelflowError, OSError) as error:
        logging.exception("What older runs have left cannot be removed.")
        progress.noted(f"what older runs have left was not removed: {error}")


def _before_push(
    config: Config, layout: Layout, run_id: str, held: ExitStack
) -> Callable[[], None]:
    """Return what comes before a push: the lock, held until `held` ends, and one more look."""
    from pipeline.runs import promotion

    def before() -> None:
        held.enter_context(promotion.push_lock(layout))
        promotion.check_champion(config, layout, run_id)

    return before


def _leave_summary(layout: Layout, config: Config, run_id: str, message: str) -> str | None:
    """Write the summary of a run that failed; return why none could be written."""
    try:
        from pipeline.runs.finish import finish_run

        finish_run(layout, config, run_id, message)
    except Exception as trouble:  # often of the same cause: MLMD, or the disk
        logging.exception("The summary cannot be written from MLMD.")
        try:
            supervisor.leave_summary(layout.run(run_id).path, message)
        except (OSError, ReelflowError):
            return process.as_reelflow_error(trouble, "It").message
    return None


def print_outcome(
    console: Console, summary: RunSummary, config: Config, examples: Examples, layout: Layout
) -> None:
    """Print the result of a run that came to its end: data, metrics, examples, verdict, places."""
    console.print()
    for line in _origin(summary, config.data.noun):
        print_labelled(console, line)
    if summary.metrics:
        console.print(_metrics_table(summary, config.gate))
    by = "" if summary.pushed or summary.awaits_promotion else ", by the refused model"
    for user, recommendations in examples:
        console.print(Text(f"For user {user}{by}", style="bold"))
        for place, item in enumerate(recommendations.items, start=1):
            console.print(Text(f"  {place:>2}  {item.title or item.movie_id}"), soft_wrap=True)
    if examples:
        console.print()
    for line in (*_gate(summary, config.gate), *_model(summary)):
        print_labelled(console, line)
    if (layout.latest / "report.html").is_file():
        console.print(labelled("Report", str(layout.latest / "report.html")), soft_wrap=True)
    console.print(labelled("Summary", str(layout.latest / "summary.json")), soft_wrap=True)


def _origin(summary: RunSummary, noun: Noun) -> Iterator[Text]:
    """Yield cache, data, ratings, split, drift, and the shares that training knew of the test.

    A run without one of them has no line for it.
    """
    cached, ran = summary.cached, set(summary.seconds) - set(summary.cached) - LOOKUPS
    if cached and not ran:
        yield labelled("Cached", "everything: data and configuration are as before")
    elif cached:
        yield labelled("Cached", f"{len(cached)} of {len(cached) + len(ran)} steps")
    if (data := summary.data) is not None:
        parts = [f"{data.rows:,} ratings, {data.users:,} users, {noun.counted(data.movies)}"]
        if data.spans:
            first, last = data.spans[0], data.spans[-1]
            parts.append(f"span {first}" if len(data.spans) == 1 else f"spans {first} to {last}")
        if data.quarantined:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in data.quarantined.items())
            refused = sum(data.quarantined.values())
            rows = "row" if refused == 1 else "rows"
            parts.append(f"{refused:,} {rows} in quarantine ({reasons})")
        if data.absent_features:
            parts.append(f"asked for but not in the data: {', '.join(data.absent_features)}")
        if data.synthetic:
            parts.append(f"synthetic: the figures say nothing about real {noun.many}")
        yield labelled("Data", "; ".join(parts))
        if data.ratings is not None:
            sentences = scale_sentences(
                data.ratings, data.repeated, data.unrated, noun, data.repeated_by
            )
            sentences += filter_sentences(data.filtered, noun)
            yield labelled("Ratings", " ".join(sentences))
        if data.split is not None:
            yield labelled("Split", split_sentence(data.split))
    for i, warning in enumerate((summary.drift or {}).get("warnings", [])):
        yield labelled("" if i else "Drift", Text(warning, style="yellow"))
    if unknown := summary.out_of_vocabulary:
        users, movies = (1 - unknown[key] for key in ("users", "movies"))
        text = f"to training: {users:.1%} of test ratings by user, {movies:.1%} by {noun.one}"
        yield labelled("Known", text)


def _metrics_table(summary: RunSummary, gate: GateConfig) -> Table:
    """Return the model's metrics beside their bounds, live histories, baselines and champion."""
    live = {"Live": summary.live.metrics} if summary.live else {}
    others = {**summary.baselines, **({"Champion": summary.champion} if summary.champion else {})}
    table = new_table()
    table.add_column("Metric")
    table.add_column("Model", justify="right", style="bold")
    for name in ("Bound", *live, *others):
        table.add_column(name, justify="right")
    gated = {gated.metric.path(gate.protocol): gated for gated in GATE_METRICS.values()}
    bounds = {path: _nearest(_bounds(summary, row)) for path, row in gated.items()}
    likes = [_LIKES] if summary.scope.stars else []
    for path in [*summary.scope.of(dict.fromkeys((*_SHOWN, *gated))), *likes]:
        label = "likes, AUC" if path == _LIKES else inline(label_at(path))
        model, *figures = (_figure(one, path) for one in (summary.metrics, *others.values()))
        # Stars and likes are predicted without live histories.
        ranked = path != _LIKES and metric_at(path).ranked
        with_live = [_figure(one, path) if ranked else "" for one in live.values()]
        table.add_row(label, model, bounds.get(path, ""), *with_live, *figures)
    return table


def _gate(summary: RunSummary, gate: GateConfig) -> Iterator[Text]:
    """Yield the verdicts of the gate and of the serving check, with their reasons."""
    verdict, check = summary.gate, summary.serving_check
    if verdict is None:
        reasons = ["The Evaluator gave no word."]
    elif verdict.blessed and not verdict.reasons:
        reasons = [
            _bounds_kept(summary, gate, gated)
            for gated in GATE_METRICS.values()
            if _bounds(summary, gated)
        ]
    else:
        reasons = verdict.reasons
    yield labelled("Gate", _PASSED if verdict is not None and verdict.blessed else _REFUSED)
    yield from (labelled("", reason) for reason in reasons)
    for sentence in verdict.not_gated if verdict else []:
        yield labelled("", Text(sentence, style="dim"))
    if check and not check.blessed:
        yield labelled("Serving", _REFUSED)
        yield from (labelled("", reason) for reason in check.reasons)


def _bounds(summary: RunSummary, gated: GateMetric) -> list[BoundRecord]:
    bounds = summary.gate.bounds if summary.gate else []
    return [bound for bound in bounds if bound.metric == gated.metric.key and bound.over_all]


def _nearest(bounds: Sequence[BoundRecord]) -> str:
    """Return the bound that is hardest to keep; empty if there is none."""
    lower = [bound.lower for bound in bounds if bound.lower is not None]
    upper = [bound.upper for bound in bounds if bound.upper is not None]
    return f"≥ {max(lower):.4f}" if lower else f"≤ {min(upper):.4f}" if upper else ""


def _bounds_kept(summary: RunSummary, gate: GateConfig, gated: GateMetric) -> str:
    """Return the bounds that a metric of a passed model has kept, in one sentence."""
    metric = gated.metric
    words = [_bound_kept(bound, metric.higher_is_better) for bound in _bounds(summary, gated)]
    value = _figure(summary.metrics, metric.path(gate.protocol))
    return f"{metric.named(gate.protocol)} is {value}: {', '.join(words)}."


def _bound_kept(bound: BoundRecord, higher_is_better: bool) -> str:
    if bound.origin == "configuration" or bound.interval is None:
        limit = bound.lower if higher_is_better else bound.upper
        return f"at {'least' if higher_is_better else 'most'} {number(limit)}"
    if bound.baseline == BIASES:  # bounds the value
        limit = bound.lower if higher_is_better else bound.upper
        side = "least" if higher_is_better else "most"
        return (
            f"at {side} {number(limit)}, by mean plus damped biases with {number(bound.reference)}"
        )
    whose = "the champion's" if bound.origin == "champion" else f"the {bound.baseline} baseline's"
    low, high = (f"{end:+.4f}" for end in bound.interval)
    return f"{low} to {high} from {whose} {number(bound.reference)}"


def _figure(metrics: Summary | None, path: str) -> str:
    return number(metrics.value(path) if metrics else None)


def _model(summary: RunSummary) -> Iterator[Text]:
    """Yield the places of the model: serving folder and registry."""
    registered = summary.registered
    if summary.pushed:
        from reelflow.saved_model.manifest import whole_versions

        pushed = Path(summary.pushed)
        yield labelled("Model", str(pushed))
        newest = whole_versions(pushed.parent)[:1]
        if newest and newest[0] != pushed:
            yield labelled("", f"{newest[0]} was pushed after it, and is served")
    elif registered and summary.awaits_promotion:
        promote = f"`reelflow models promote {registered.version}`"
        words = "and is on trial" if registered.alias in VARIANTS else "and not pushed"
        yield labelled("Model", f"passed {words}: {promote} lets it serve")
    else:
        yield labelled("Model", "not pushed; the champion, if any, stays")
    if registered:
        alias = registered.alias or "without an alias by now"
        text = f"version {registered.version} of {registered.name}, {alias}"
        yield labelled("Registry", f"{text}, in {registered.registry}")

"""`reelflow run`: ratings in, a gated and pushed recommender out."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from pipeline.cli.app import DEFAULT_OUTPUT, INTERRUPTED, Output, console, errors, show_error
from pipeline.cli.config import ConfigFile, DataFolder, Dataset, Overrides, Preset, Span
from pipeline.cli.outcome import show
from pipeline.cli.progress import Progress, progress_on
from pipeline.cli.session import Interrupts, alone_in, as_ours, captured, let_log_speak
from pipeline.runs.history import waits
from reelflow.base.common import format_duration
from reelflow.base.errors import ReelflowError
from reelflow.base.notices import notices_to
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary
    from reelflow.config import Config
    from reelflow.saved_model.client import Recommendations

REFUSED = 3
"""Exit code of a run whose model was refused."""

_LOG = logging.getLogger(__name__)


@dataclass
class _Outcome:
    """What there is to tell after a run."""

    summary: Summary
    examples: list[tuple[str, Recommendations]]


def run(
    config: ConfigFile = None,
    preset: Preset = None,
    data: DataFolder = None,
    dataset: Dataset = None,
    span: Span = None,
    tune: Annotated[
        int | None,
        typer.Option(
            "--tune", help="Search for better hyperparameters: --set tuner.trials=N.", metavar="N"
        ),
    ] = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
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
    with alone_in(layout):
        _headline(effective, layout)
        with captured(folder.log) as terminal:
            out = Console(file=terminal, highlight=False, width=None)
            try:
                with Interrupts() as interrupts, progress_on(out) as progress:
                    outcome = _run(effective, layout, run_id, progress, interrupts)
            except (ReelflowError, KeyboardInterrupt) as failure:
                ended: _Outcome | ReelflowError | KeyboardInterrupt = failure
            else:
                ended = outcome
    if isinstance(ended, KeyboardInterrupt):
        errors.print("Interrupted. Finished steps come from the cache next time.", soft_wrap=True)
        code = INTERRUPTED
    elif isinstance(ended, ReelflowError):
        show_error(ended)
        code = ended.exit_code
    else:
        show(console, ended.summary, effective, ended.examples, layout)
        code = 0 if ended.summary["pushed"] or waits(ended.summary) else REFUSED
    spent = format_duration(time.monotonic() - began)
    console.print(Text(f"{spent} in all; log: {folder.log}", style="dim"), soft_wrap=True)
    raise typer.Exit(code)


def _headline(config: Config, layout: Layout) -> None:
    synthetic = config.data.path == str(layout.sample)
    source = "the built-in sample (synthetic)" if synthetic else str(config.data.path)
    console.print(f"[bold]Reelflow[/bold]  {source}  [dim]→[/dim]  {layout.output}", soft_wrap=True)


def _run(
    config: Config, layout: Layout, run_id: str, progress: Progress, interrupts: Interrupts
) -> _Outcome:
    """Run the pipeline inside the capture; everything heavy is imported here.

    Raises:
        ReelflowError: for every failure; what is not ours is in the log with its traceback.
    """
    progress.starting("Starting TensorFlow and TFX")
    node = "The start"
    try:
        from pipeline.definition import create_pipeline
        from pipeline.runs import launcher
        from pipeline.runs.launcher import forget_removed

        let_log_speak()
        pipeline = create_pipeline(config, str(layout.output))
        ir = launcher.compile_pipeline(pipeline, run_id)
        forget_removed(ir, config, layout)
        progress.nodes(launcher.node_ids(ir))
        with notices_to(progress.noted):
            for event in launcher.run(ir):
                node = event.node
                if isinstance(event, launcher.NodeStarted):
                    progress.started(node)
                else:
                    progress.finished(event)

        from pipeline.runs.summary import recommend_to_examples, write_summary

        node = "The summary"
        progress.starting("Asking the model for examples")
        summary = write_summary(layout, config, run_id)
        return _Outcome(summary, recommend_to_examples(layout, run_id))
    except Exception as failure:
        if interrupts.seen:
            raise KeyboardInterrupt from failure
        _LOG.exception("%s failed.", node)
        error = as_ours(failure, node)
        _write_failed(config, layout, run_id, error)
        raise error from failure


def _write_failed(config: Config, layout: Layout, run_id: str, error: ReelflowError) -> None:
    try:
        from pipeline.runs.summary import write_summary
    except ImportError:  # the failure itself: this installation cannot import MLMD
        return
    write_summary(layout, config, run_id, error.message)

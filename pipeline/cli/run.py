"""`reelflow run`: ratings in, a gated and pushed recommender out."""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from pipeline.cli import options
from pipeline.cli.app import INTERRUPTED
from pipeline.cli.outcome import print_outcome
from pipeline.cli.output import console, errors, print_error
from pipeline.cli.progress import Progress, progress_on, show_events
from pipeline.runs.process import (
    Interrupts,
    as_reelflow_error,
    captured,
    locked_output,
    log_at_info,
)
from pipeline.runs.summary import RunSummary
from reelflow.base.common import format_duration
from reelflow.base.errors import ReelflowError
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from reelflow.config import Config
    from reelflow.saved_model.client import Recommendations

REFUSED = 3
"""Exit code of a run whose model was refused."""

_LOG = logging.getLogger(__name__)


Examples = list[tuple[str, "Recommendations"]]
"""User id and recommendations."""


def run(
    config: options.ConfigFile = None,
    preset: options.Preset = None,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    span: options.Span = None,
    tune: Annotated[
        int | None,
        typer.Option(
            "--tune", help="Search for better hyperparameters: --set tuner.trials=N.", metavar="N"
        ),
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
    with locked_output(layout):
        _print_headline(effective, layout)
        with captured(folder.log) as terminal:
            out = Console(file=terminal, highlight=False, width=None)
            try:
                with Interrupts() as interrupts, progress_on(out) as progress:
                    summary, examples = _run(effective, layout, run_id, progress, interrupts)
            except (ReelflowError, KeyboardInterrupt) as error:
                failure = error
    if isinstance(failure, KeyboardInterrupt):
        errors.print("Interrupted. Finished steps come from the cache next time.", soft_wrap=True)
        code = INTERRUPTED
    elif failure is not None:
        print_error(failure)
        code = failure.exit_code
    else:
        print_outcome(console, summary, effective, examples, layout)
        code = 0 if summary.pushed or summary.awaits_promotion else REFUSED
    spent = format_duration(time.monotonic() - began)
    console.print(Text(f"{spent} in all; log: {folder.log}", style="dim"), soft_wrap=True)
    raise typer.Exit(code)


def _print_headline(config: Config, layout: Layout) -> None:
    synthetic = config.data.path == str(layout.sample)
    source = "the built-in sample (synthetic)" if synthetic else str(config.data.path)
    console.print(f"[bold]Reelflow[/bold]  {source}  [dim]→[/dim]  {layout.output}", soft_wrap=True)


def _run(
    config: Config, layout: Layout, run_id: str, progress: Progress, interrupts: Interrupts
) -> tuple[RunSummary, Examples]:
    """Run the pipeline inside the capture; everything heavy is imported here.

    Raises:
        ReelflowError: for every failure; one that is not ours is in the log with its traceback.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    progress.starting("Starting TensorFlow and TFX")
    step = "The start"
    try:
        from pipeline.definition import create_pipeline
        from pipeline.runs import launcher

        log_at_info()
        ir = launcher.compile_pipeline(create_pipeline(config, str(layout.output)), run_id)
        launcher.rerun_missing_pushes(ir, config, layout)
        progress.nodes(launcher.node_ids(ir))
        show_events(progress, launcher.run(ir))

        from pipeline.runs.finish import finish_run, recommend_to_examples

        step = "The summary"
        progress.starting("Asking the model for examples")
        return finish_run(layout, config, run_id), recommend_to_examples(layout, run_id)
    except Exception as failure:
        if interrupts.seen:
            raise KeyboardInterrupt from failure
        error = as_reelflow_error(failure, step)
        _LOG.exception("%s", error.message)
        _finish_failed(config, layout, run_id, error)
        raise error from failure


def _finish_failed(config: Config, layout: Layout, run_id: str, error: ReelflowError) -> None:
    try:
        from pipeline.runs.finish import finish_run
    except ImportError:  # the failure itself: this installation cannot import MLMD
        return
    finish_run(layout, config, run_id, error.message)

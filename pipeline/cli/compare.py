"""`reelflow compare` and `reelflow sweep`: configurations on one split, in one table."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipeline import fixed_costs
from pipeline.cli import options
from pipeline.cli.output import (
    PrintableConsole,
    console,
    errors,
    is_watched,
    labelled,
    progress_on,
    show_events,
)
from pipeline.runs.process import as_reelflow_error, captured, locked_output, log_at_info
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.config.loading import DEFAULT_PRESET, preset_list

if TYPE_CHECKING:
    from reelflow.config import Config

SWEEP_PRESET = "joint-basic"
"""The preset to sweep by default: its tasks share embeddings, so that there is a trade-off."""
_FILE_WIDTH = 240
"""Columns of the table where stdout is no terminal."""

_LOG = logging.getLogger(__name__)


def compare(
    configs: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            help="TOML file, or the name of a bundled one; may be repeated.",
            metavar="FILE",
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset", help=f"May be repeated; there are {preset_list()}.", metavar="NAME"
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(help="Names with commas between; all by default; none.", metavar="NAMES"),
    ] = None,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train each configuration with so many seeds.")
    ] = 1,
    overrides: options.Overrides = None,
    output: options.Output = options.DEFAULT_OUTPUT,
) -> None:
    """Train configurations, presets and baselines on one split and print one table.

    Data and split are those of the first --config. Without --config and --preset the default model
    is compared; with --baselines alone, only baselines are. What was trained before comes from the
    cache.

    Failures are named below the table, with the reason, and the exit code is not 0.

    Nothing is pushed. The table is kept in OUTPUT/compare as Markdown and JSON.
    """
    layout = Layout.of(output)
    names = baseline_names(baselines)
    compared = compared_configs(
        layout, configs or [], presets or [], data, dataset, overrides or []
    )
    base = next(iter(compared.values()))
    if not configs and not presets and baselines is not None and names:
        compared = {}
    _compare(layout, base, with_seeds(compared, seeds), names, "")


def sweep(
    weights: Annotated[
        str, typer.Option(help="Of retrieval, with commas between.", metavar="LIST")
    ] = "0,0.25,0.5,0.75,1",
    source: options.ConfigFile = None,
    preset: Annotated[
        str, typer.Option("--preset", help=f"There are {preset_list()}.", metavar="NAME")
    ] = SWEEP_PRESET,
    data: options.DataFolder = None,
    dataset: options.Dataset = None,
    overrides: options.Overrides = None,
    output: options.Output = options.DEFAULT_OUTPUT,
) -> None:
    """Train one model with several weights of its two tasks and print one table.

    Weight w means retrieval_weight = w and rating_weight = 1 - w. At 0 recommendations rank by the
    rating model, at 1 stars come from biases. Where the tasks share no weights, as in the default
    model, only those two ends differ. What was trained before comes from the cache, so an
    interrupted sweep goes on where it was.

    Nothing is pushed. The table is kept in OUTPUT/compare as Markdown and JSON.
    """
    from reelflow.data.inputs import effective_config

    layout = Layout.of(output)
    shares = weights_of(weights)
    base = effective_config(layout, source, data, dataset, overrides or (), preset)
    _compare(layout, base, with_seeds(weighed(base, shares), 1), [], "sweep-")


def baseline_names(text: str | None) -> list[str]:
    """Return the names of baselines behind `--baselines`.

    Raises:
        BadInput: there is none of that name; the message has the nearest one.
    """
    from reelflow.config import BASELINES, unknown_baseline

    if text is None:
        return list(BASELINES)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return []
    for name in names:
        if name not in BASELINES:
            raise BadInput(f"--baselines: {unknown_baseline(name)}.")
    return list(dict.fromkeys(names))


def compared_configs(
    layout: Layout,
    sources: Sequence[str],
    presets: Sequence[str],
    data: Path | None,
    dataset: str | None,
    overrides: Sequence[str],
) -> dict[str, Config]:
    """Return name to configuration: files, then presets, all with data and split of the first.

    Raises:
        BadInput: two would have the same name, or something is wrong with one of them.
    """
    from reelflow.config.loading import load
    from reelflow.data.inputs import effective_config

    named: list[tuple[str, str | None, str | None]] = [
        *((Path(source).stem, source, None) for source in sources),
        *((preset, None, preset) for preset in dict.fromkeys(presets)),
    ]
    named = named or [(DEFAULT_PRESET, None, None)]
    names = [name for name, _, _ in named]
    if len(set(names)) < len(names):
        raise BadInput(
            f"--config: two are called {max(names, key=names.count)}.", "Rename one of the files."
        )
    _, source, preset = named[0]
    first = effective_config(layout, source, data, dataset, overrides, preset)
    configs = [first, *(load(s, overrides, p) for _, s, p in named[1:])]
    # All read the same rows and all columns that one of them uses.
    features = dict.fromkeys(name for config in configs for name in config.data.movie_features)
    columns = {
        "use_users": any(config.data.use_users for config in configs),
        "movie_features": tuple(features),
    }
    data_section = first.data.model_copy(update=columns)
    shared = {"data": data_section, "split": first.split, "beam": first.beam}
    configs = [config.model_copy(update=shared) for config in configs]
    return dict(zip(names, configs, strict=True))


def with_seeds(configs: Mapping[str, Config], count: int) -> dict[str, dict[str, Config]]:
    """Return each configuration's name to itself and `count - 1` copies with the next seeds."""
    groups = {}
    for name, config in configs.items():
        groups[name] = {name: config}
        for seed in range(config.train.seed + 1, config.train.seed + count):
            train = config.train.model_copy(update={"seed": seed})
            groups[name][f"{name}-seed{seed}"] = config.model_copy(update={"train": train})
    return groups


def weights_of(text: str) -> list[float]:
    """Return the weights of a list with commas, ascending, each once.

    Raises:
        BadInput: the list is empty, or has something else than numbers from 0 to 1.
    """
    try:
        shares = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        raise BadInput(f"--weights: {text!r} is no list of numbers.", "As 0,0.5,1.") from None
    if not shares or not all(0.0 <= share <= 1.0 for share in shares):
        raise BadInput("--weights: give numbers from 0 to 1.", "As 0,0.5,1.")
    return shares


def weighed(base: Config, shares: list[float]) -> dict[str, Config]:
    """Return name to configuration, one for each weight of retrieval."""
    configs = {}
    for share in shares:
        weights = {"retrieval_weight": share, "rating_weight": 1.0 - share}
        model = base.model.model_copy(update=weights)
        configs[f"retrieval-{share:g}"] = base.model_copy(update={"model": model})
    return configs


def _compare(
    layout: Layout,
    base: Config,
    groups: Mapping[str, Mapping[str, Config]],
    baselines: Sequence[str],
    prefix: str,
) -> None:
    """Measure all, print the table and save it.

    Args:
        layout: the output folder.
        base: data and split for all.
        groups: configuration to its seeds' names and configurations.
        baselines: their names.
        prefix: of the saved table's name, before the time.

    Raises:
        ReelflowError: the data steps failed, or nothing could be measured.
        Exit: something could not be measured.
    """
    began = time.monotonic()
    started = prefix + datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    page = layout.comparison(started)
    log = page.with_suffix(".log")
    with locked_output(layout), captured(log) as terminal:
        with progress_on(PrintableConsole(file=terminal, width=None)) as progress:
            progress.starting("Starting TensorFlow and TFX")
            try:
                fixed_costs.import_lightly(base.beam)
                from pipeline.runs.comparison import LEGEND
                from pipeline.runs.contest import Contest

                fixed_costs.settle()
                log_at_info()
                contest = Contest(base, groups, baselines, layout, f"compare-{started}")
                progress.nodes(contest.steps)
                show_events(progress, contest.run())
            except Exception as failure:
                error = as_reelflow_error(failure, "The start")
                _LOG.exception("%s", error.message)  # the traceback of a fault
                raise error from failure
        failures = [as_reelflow_error(error, name) for name, error in contest.failures.items()]
        if failures and not contest.entries:
            raise failures[0]
        comparison = contest.comparison()
        comparison.save(page)
    # A file has no width: the figures of every entry stay on one line.
    wide = console if is_watched(console) else PrintableConsole(width=_FILE_WIDTH)
    wide.print()
    wide.print(comparison.as_table())
    wide.print(Text(LEGEND, style="dim"), soft_wrap=not is_watched(console))
    for sentence in comparison.settings:
        console.print(labelled("Chosen", sentence, width=8), soft_wrap=True)
    for sentence in comparison.seeds:
        console.print(labelled("Seeds", sentence, width=8), soft_wrap=True)
    console.print(labelled("Table", str(page), width=8), soft_wrap=True)
    spent = format_duration(time.monotonic() - began)
    console.print(Text(f"{spent} in all; log: {log}", style="dim"), soft_wrap=True)
    for name, reason in comparison.failures.items():
        errors.print(Text(f"{name} failed: {reason}", style="red"), soft_wrap=True)
    if failures:
        raise typer.Exit(max(error.exit_code for error in failures))

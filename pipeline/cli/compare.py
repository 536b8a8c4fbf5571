"""`reelflow compare`: configurations and baselines on one split, in one table."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipeline.cli.app import DEFAULT_OUTPUT, Output, console, errors
from pipeline.cli.config import ConfigFile, DataFolder, Dataset, Overrides
from pipeline.cli.progress import Progress, progress_on
from pipeline.cli.session import alone_in, as_ours, captured, let_log_speak
from pipeline.runs.comparison import in_words, stability, with_seeds
from reelflow.base.common import format_duration
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.base.notices import notices_to
from reelflow.config.layout import Layout
from reelflow.config.loading import DEFAULT, listed

if TYPE_CHECKING:
    from pipeline.runs.comparison import Contest
    from reelflow.config import Config


NONE = "none"
WIDE = 240
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
        typer.Option("--preset", help=f"May be repeated; there are {listed()}.", metavar="NAME"),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines", help="Names with commas between; all by default; none.", metavar="NAMES"
        ),
    ] = None,
    data: DataFolder = None,
    dataset: Dataset = None,
    seeds: Annotated[
        int,
        typer.Option("--seeds", min=1, help="Train each configuration with so many seeds."),
    ] = 1,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Train configurations, presets and baselines on one split and print one table.

    Data and split are those of the first --config. Without --config and --preset the default model
    is compared; with --baselines alone, only baselines are. What was trained before comes from the
    cache.

    Who fails is named below the table, with the reason, and the exit code is not 0.

    Nothing is pushed. The table is kept in OUTPUT/compare as Markdown and JSON.
    """
    layout = Layout.of(output)
    names = baseline_names(baselines)
    compared = contestants(layout, configs or [], presets or [], data, dataset, overrides or [])
    base = next(iter(compared.values()))
    if not configs and not presets and baselines is not None and names:
        compared = {}
    groups = with_seeds(compared, seeds)
    hold(layout, base, groups, names, "")


def hold(
    layout: Layout,
    base: Config,
    groups: dict[str, dict[str, Config]],
    baselines: Sequence[str],
    prefix: str,
) -> None:
    """Run a contest, prints its table and keeps it.

    Args:
        layout: the output folder.
        base: whose data and split are everybody's.
        groups: name to the same configuration with one or more seeds, by name.
        baselines: names of baselines.
        prefix: of the name under which the table is kept, before the time.

    Raises:
        ReelflowError: nobody could be measured.
        Exit: somebody could not.
    """
    began = time.monotonic()
    compared = {name: config for group in groups.values() for name, config in group.items()}
    started = prefix + datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    saved = layout.comparison(started)
    log = saved.with_suffix(".log")
    with alone_in(layout), captured(log) as terminal:
        with progress_on(Console(file=terminal, highlight=False, width=None)) as progress:
            contest = _run(base, compared, baselines, layout, f"compare-{started}", progress)
        failures = {name: as_ours(error, name) for name, error in contest.failures.items()}
        if not contest.entries and failures:
            raise next(iter(failures.values()))
        about = about_contest(contest, base)
        about["failures"] = {
            name: error.message.removeprefix(f"{name} failed: ") for name, error in failures.items()
        }
        found = stability(contest.entries, {name: list(group) for name, group in groups.items()})
        about["seeds"] = list(in_words(found))
        _save(contest, about, saved)
    from pipeline.runs.comparison import LEGEND, on_screen

    # A file has no width: every contestant's figures stay on one line.
    wide = console if console.is_terminal else Console(highlight=False, width=WIDE)
    wide.print()
    wide.print(on_screen(contest.entries))
    wide.print(Text(LEGEND, style="dim"), soft_wrap=not console.is_terminal)
    for words in about["seeds"]:
        console.print(Text("Seeds   ", style="bold").append(words, style=""), soft_wrap=True)
    console.print(Text("Table   ", style="bold").append(str(saved), style=""), soft_wrap=True)
    spent = format_duration(time.monotonic() - began)
    console.print(Text(f"{spent} in all; log: {log}", style="dim"), soft_wrap=True)
    for name, reason in about["failures"].items():
        errors.print(Text(f"{name} failed: {reason}", style="red"), soft_wrap=True)
    if failures:
        raise typer.Exit(max(error.exit_code for error in failures.values()))


def baseline_names(text: str | None) -> list[str]:
    """The baselines behind `--baselines`.

    Raises:
        BadInput: there is none of that name; the message has the nearest one.
    """
    from reelflow.config import BASELINES, no_baseline

    if text is None:
        return list(BASELINES)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == [NONE]:
        return []
    for name in names:
        if name not in BASELINES:
            raise BadInput(f"--baselines: {no_baseline(name)}.")
    return list(dict.fromkeys(names))


def contestants(
    layout: Layout,
    sources: Sequence[str],
    presets: Sequence[str],
    data: Path | None,
    dataset: str | None,
    overrides: Sequence[str],
) -> dict[str, Config]:
    """Name to configuration: files, then presets, all with the data and the split of the first.

    Raises:
        BadInput: two would have the same name, or something is wrong with one of them.
    """
    from reelflow.config.loading import load
    from reelflow.data.inputs import effective_config

    wanted: list[tuple[str, str | None, str | None]] = [
        *((Path(source).stem, source, None) for source in sources),
        *((preset, None, preset) for preset in dict.fromkeys(presets)),
    ]
    wanted = wanted or [(DEFAULT, None, None)]
    names = [name for name, _, _ in wanted]
    if len(set(names)) < len(names):
        raise BadInput(
            f"--config: two are called {max(names, key=names.count)}.", "Rename one of the files."
        )
    _, source, preset = wanted[0]
    first = effective_config(layout, source, data, dataset, overrides, preset)
    everybody = [first, *(load(s, overrides, p) for _, s, p in wanted[1:])]
    # All read the same rows; who asks for further columns gets them, and the others may.
    columns = {
        "use_users": any(config.data.use_users for config in everybody),
        "movie_features": tuple(
            dict.fromkeys(name for config in everybody for name in config.data.movie_features)
        ),
    }
    shared = {
        "data": first.data.model_copy(update=columns),
        "split": first.split,
        "beam": first.beam,
    }
    everybody = [config.model_copy(update=shared) for config in everybody]
    return dict(zip(names, everybody, strict=True))


def _run(
    base: Config,
    configs: dict[str, Config],
    baselines: Sequence[str],
    layout: Layout,
    run_id: str,
    progress: Progress,
) -> Contest:
    """Run the contest inside the capture; everything heavy is imported here.

    Raises:
        ReelflowError: for every failure; what is not ours is in the log with its traceback.
    """
    progress.starting("Starting TensorFlow and TFX")
    node = "The start"
    try:
        from pipeline.runs.comparison import Contest
        from pipeline.runs.launcher import NodeStarted

        let_log_speak()
        contest = Contest(base, configs, baselines, layout, run_id)
        progress.nodes(contest.steps)
        with notices_to(progress.noted):
            for event in contest.run():
                node = event.node
                if isinstance(event, NodeStarted):
                    progress.started(node)
                else:
                    progress.finished(event)
    except Exception as failure:
        _LOG.exception("%s failed.", node)
        ours: ReelflowError = as_ours(failure, node)
        raise ours from failure
    return contest


def _save(contest: Contest, about: Mapping[str, Any], page: Path) -> None:
    """Write the page, and beside it the same as JSON."""
    from pipeline.runs.comparison import as_json, as_markdown

    text = json.dumps(as_json(contest.entries, about), indent=2)
    page.with_suffix(".json").write_text(text, encoding="utf-8")
    page.write_text(as_markdown(contest.entries, about), encoding="utf-8")


def about_contest(contest: Contest, base: Config) -> dict[str, Any]:
    """What was compared on what."""
    return {
        "split": base.split.model_dump(mode="json"),
        "rows": len(contest.rows),
        "users_tested": len(set(contest.rows.user_id.tolist())),
        "train_rows": len(contest.data.train),
        "users": contest.data.sizes.users,
        "movies": len(contest.data.catalogue),
    }


# `reelflow sweep`: the same model with retrieval and rating weighed against each other.


PRESET = "joint-basic"
"""The preset to sweep by default: its tasks share embeddings, so that there is a trade-off."""


def sweep(
    weights: Annotated[
        str, typer.Option("--weights", help="Of retrieval, with commas between.", metavar="LIST")
    ] = "0,0.25,0.5,0.75,1",
    source: ConfigFile = None,
    preset: Annotated[
        str, typer.Option("--preset", help=f"There are {listed()}.", metavar="NAME")
    ] = PRESET,
    data: DataFolder = None,
    dataset: Dataset = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
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
    hold(layout, base, with_seeds(weighed(base, shares), 1), [], "sweep-")


def weights_of(text: str) -> list[float]:
    """Weights from their list, ascending, each once.

    Raises:
        BadInput: one is no number from 0 to 1, or there is none.
    """
    try:
        shares = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        raise BadInput(f"--weights: {text!r} is no list of numbers.", "As 0,0.5,1.") from None
    if not shares or not all(0.0 <= share <= 1.0 for share in shares):
        raise BadInput("--weights: give numbers from 0 to 1.", "As 0,0.5,1.")
    return shares


def weighed(base: Config, shares: list[float]) -> dict[str, Config]:
    """Name to configuration, one for each weight of retrieval."""
    found = {}
    for share in shares:
        weights = {"retrieval_weight": share, "rating_weight": 1.0 - share}
        model = base.model.model_copy(update=weights)
        found[f"retrieval-{share:g}"] = base.model_copy(update={"model": model})
    return found

"""Training and tuning: losses by epoch, learned feature crosses, and the tuner's trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reelflow.base.common import format_duration
from reelflow.base.nouns import Noun
from reelflow.evaluation.trials import Trial, Trials
from reelflow.report.blocks import Block, Fact, Facts, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.charts.parallel import Axis, Parallel
from reelflow.report.words import count, counted
from reelflow.saved_model.files import CrossWeights, ModelInfo, WarmStart

LOSSES = {"retrieval_loss": "Retrieval loss", "rating_loss": "Rating loss (squared error)"}
VALIDATION = "val_"
MOST_CROSSES = 15
LOG_SPAN = 30.0
"""Ratio of the largest to the smallest value from which on an axis is logarithmic."""
MOST_ROWS = 100


def training_section(info: ModelInfo) -> Section:
    """Show the loss curve of each task, and the crosses that the model learned.

    Args:
        info: `model.json`; an older one without a history gives no curves.
    """
    history = info.history or {}
    facts = [
        None if info.epochs is None else Fact("Epochs", count(info.epochs)),
        None if info.fit_seconds is None else Fact("Training", format_duration(info.fit_seconds)),
        None if info.parameters is None else Fact("Parameters", count(info.parameters)),
    ]
    blocks: list[Block] = [Facts([fact for fact in facts if fact is not None])]
    if info.warm_start is not None:
        blocks.append(Text(_warm_start(info.warm_start, info.noun)))
    blocks += [
        _curve(title, history[name], history.get(VALIDATION + name, ()))
        for name, title in LOSSES.items()
        if name in history
    ]
    if info.cross_weights is not None:
        blocks.append(_crosses(info.cross_weights))
    lead = (
        "Loss of each task after each epoch. A task ends when its loss on the validation split has "
        "not improved for a while, and keeps the weights of its best epoch."
    )
    if (info.train or {}).get("refit"):
        lead += (
            " The model was then trained once more on train and validation together; the curves "
            "are of the first training."
        )
    return Section("training", "Training", lead, blocks)


def _warm_start(start: WarmStart, movies: Noun) -> str:
    """Return in words how training began."""
    if not start.warm:
        return f"Cold start: {start.reason}."
    kept = [
        f"{count(rows.kept)} of {noun.counted(rows.kept + rows.new)}"
        for rows, noun in ((start.users, Noun("user", "users")), (start.movies, movies))
        if rows is not None
    ]
    tasks = (start.cold_tasks or {}).items()
    cold = "".join(f" {task} starts cold: {reason}." for task, reason in tasks)
    return f"Warm start: {' and '.join(kept)} keep what the champion knew of them.{cold}"


def _curve(title: str, train: Sequence[float], validation: Sequence[float]) -> Figure:
    lines = [Line("train", range(1, len(train) + 1), train)]
    marks = []
    alt = f"Train loss from {train[0]:.4g} to {train[-1]:.4g}" if train else "No epoch"
    finite = [value if math.isfinite(value) else math.inf for value in validation]
    if finite and min(finite) < math.inf:
        best = finite.index(min(finite))
        lines.append(Line("validation", range(1, len(finite) + 1), validation))
        marks.append((best + 1, f"best: {finite[best]:.4g}"))
        alt += (
            f"; validation loss is lowest, {finite[best]:.4g}, after {counted(best + 1, 'epoch')}"
        )
    return Figure(title, Lines(lines, "epoch", "loss", marks=marks), alt + ".")


def _crosses(crosses: CrossWeights) -> Figure:
    """Draw the cross network's strongest pairs of features (Wang et al. 2021, "DCN V2")."""
    pairs = [
        (f"{a} × {b}", norm)
        for a, norms in zip(crosses.features, crosses.norms, strict=True)
        for b, norm in zip(crosses.features, norms, strict=True)
    ]
    pairs = sorted(pairs, key=lambda pair: -pair[1])[:MOST_CROSSES]
    return Figure(
        "Strongest feature crosses",
        Bars([name for name, _ in pairs], [norm for _, norm in pairs]),
        f"Norms of the cross layer's weight blocks; the largest is {pairs[0][0]}.",
    )


def tuning_section(trials: Trials) -> Section:
    """Draw all trials as parallel coordinates, and list the best ones."""
    ordered = trials.best_first
    failed = len(trials.trials) - len(ordered)
    lead = (
        f"{counted(len(trials.trials), 'trial')} by {trials.algorithm}, judged by "
        f"{trials.objective} on the validation split"
        + (f"; {failed} failed" if failed else "")
        + ". The line that stands out is the best trial; its settings trained the model."
    )
    blocks: list[Block] = (
        [_trials_figure(trials.objective, ordered), _trials_table(trials.objective, ordered)]
        if ordered
        else [Text("No trial succeeded.", "bad")]
    )
    return Section("tuning", "Tuning", lead, blocks)


def _trials_figure(objective: str, ordered: Sequence[Trial]) -> Figure:
    axes, columns = [], []
    for name in ordered[0].hyperparameters:
        axis, column = _axis(name, [trial.hyperparameters[name] for trial in ordered])
        axes.append(axis)
        columns.append(column)
    values = [trial.value for trial in ordered]
    rows = list(zip(*columns, values, strict=True))
    chart = Parallel([*axes, Axis(objective)], rows, best=0)
    best = ", ".join(f"{k} {_setting(v)}" for k, v in ordered[0].hyperparameters.items())
    alt = f"The best trial reaches {values[0]:.4g} with {best}."
    return Figure("All trials", chart, alt, wide=True)


def _axis(key: str, values: Sequence[Any]) -> tuple[Axis, list[float]]:
    """Return the axis of a configuration key, and the places on it of the trials' values."""
    name = key.rpartition(".")[2].replace("_", " ")
    if any(isinstance(value, (str, bool)) for value in values):
        words = sorted({str(value) for value in values})
        return Axis(name, words), [float(words.index(str(value))) for value in values]
    numbers = [float(value) for value in values]
    low, high = min(numbers), max(numbers)
    return Axis(name, log=low > 0 and high / low > LOG_SPAN), numbers


def _trials_table(objective: str, ordered: Sequence[Trial]) -> Table:
    names = list(ordered[0].hyperparameters)
    rows = [
        [
            str(trial.number),
            *(_setting(trial.hyperparameters[name]) for name in names),
            f"{trial.value:.4f}",
            format_duration(trial.seconds),
        ]
        for trial in ordered[:MOST_ROWS]
    ]
    header = ["Trial", *names, objective, "Time"]
    return Table("Trials, the best first", header, rows, folded=True)


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

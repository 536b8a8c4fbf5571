"""The tuner's trials: which settings were tried, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.report.blocks import Block, Figure, Section, Table, Text
from components.report.charts.parallel import Axis, Parallel
from components.report.inputs import Json
from components.report.words import counted, seconds

LOG_SPAN = 30.0
"""Ratio of the largest to the smallest value from which on an axis is logarithmic."""
MOST_ROWS = 100


def section(trials: Json) -> Section:
    """All trials as lines, and the best ones in a table.

    Args:
        trials: the Tuner's `trials.json`.
    """
    done = [trial for trial in trials["trials"] if trial["objective"] is not None]
    failed = len(trials["trials"]) - len(done)
    lead = (
        f"{counted(len(trials['trials']), 'trial')} by {trials['algorithm']}, judged by "
        f"{trials['objective']} on the validation split"
        + (f"; {failed} failed" if failed else "")
        + ". The line that stands out is the best trial; its settings trained the model."
    )
    ordered = sorted(done, key=lambda t: t["objective"], reverse=not trials["lower_is_better"])
    blocks: list[Block] = [_figure(trials, ordered), _table(trials, ordered)] if ordered else []
    return Section("tuning", "Tuning", lead, blocks or [Text("No trial succeeded.", "bad")])


def _figure(trials: Json, ordered: Sequence[Json]) -> Figure:
    names = list(ordered[0]["hyperparameters"])
    columns = [[trial["hyperparameters"][name] for trial in ordered] for name in names]
    axes, values = [], []
    for name, column in zip(names, columns, strict=True):
        axis, numbers = _axis(name.rpartition(".")[2].replace("_", " "), column)
        axes.append(axis)
        values.append(numbers)
    objective = [float(trial["objective"]) for trial in ordered]
    chart = Parallel(
        [*axes, Axis(trials["objective"])], list(zip(*values, objective, strict=True)), 0
    )
    best = ", ".join(f"{k} {_setting(v)}" for k, v in ordered[0]["hyperparameters"].items())
    alt = f"The best trial reaches {objective[0]:.4g} with {best}."
    return Figure("All trials", chart, alt, wide=True)


def _axis(name: str, column: Sequence[Any]) -> tuple[Axis, list[float]]:
    if any(isinstance(value, (str, bool)) for value in column):
        words = sorted({str(value) for value in column})
        return Axis(name, words), [float(words.index(str(value))) for value in column]
    numbers = [float(value) for value in column]
    low, high = min(numbers), max(numbers)
    return Axis(name, log=low > 0 and high / low > LOG_SPAN), numbers


def _table(trials: Json, ordered: Sequence[Json]) -> Table:
    names = list(ordered[0]["hyperparameters"])
    rows = [
        [
            str(trial["number"]),
            *(_setting(trial["hyperparameters"][name]) for name in names),
            f"{trial['objective']:.4f}",
            seconds(trial["seconds"]),
        ]
        for trial in ordered[:MOST_ROWS]
    ]
    header = ["Trial", *names, trials["objective"], "Time"]
    return Table("Trials, the best first", header, rows, folded=True)


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

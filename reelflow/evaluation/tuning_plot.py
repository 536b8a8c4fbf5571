"""Trials as parallel coordinates: one line a trial, one axis a hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from reelflow.config import Range, Value, Values
from reelflow.evaluation.tuning import Trial

TICKS = 5


def parallel_coordinates(
    trials: Sequence[Trial], space: dict[str, Values], objective: str, lower_is_better: bool
) -> str:
    """A page of its own that works offline.

    Args:
        trials: the search; those that failed are left out.
        space: dotted key to what was tried, for the scale of its axis.
        objective: what the last axis is called.
        lower_is_better: turns the colours around.
    """
    done = [trial for trial in trials if trial.objective is not None]
    worth = [trial.objective for trial in done]
    names = sorted({key for trial in done for key in trial.hyperparameters})
    axes = [
        _axis(name, [trial.hyperparameters[name] for trial in done], space.get(name))
        for name in names
    ]
    figure = go.Figure(
        go.Parcoords(
            dimensions=[*axes, {"label": objective, "values": worth}],
            line={
                "color": worth,
                "colorscale": "Viridis",
                "reversescale": lower_is_better,
                "showscale": True,
            },
        )
    )
    figure.update_layout(title=f"{len(done)} trials by {objective} on validation")
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page


def _axis(name: str, values: Sequence[Value], tried: Values | None) -> dict[str, Any]:
    """Numbers as they are or by their logarithm; anything else by its place in the list."""
    label = name.replace("_", " ")
    if isinstance(tried, Range) and tried.log:
        ticks = np.geomspace(tried.min, tried.max, TICKS)
        return {
            "label": label,
            "values": np.log10(np.array(values, float)).tolist(),
            "tickvals": np.log10(ticks).tolist(),
            "ticktext": [f"{tick:.2g}" for tick in ticks],
        }
    if isinstance(tried, Range):
        return {"label": label, "values": list(values), "range": [tried.min, tried.max]}
    choices = sorted(set(values) if tried is None else {*tried, *values}, key=_by_kind)
    return {
        "label": label,
        "values": [choices.index(value) for value in values],
        "tickvals": list(range(len(choices))),
        "ticktext": [str(choice) for choice in choices],
    }


def _by_kind(value: Value) -> tuple[bool, float, str]:
    if isinstance(value, str):
        return True, 0.0, value
    return False, float(value), ""

"""Parallel coordinates: many settings of each trial, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelflow.report.charts.svg import Scale, drawing, shown, tag, text

_HEIGHT = 300.0
_TOP = 34.0
_BOTTOM = 30.0
_WIDTH = 1100.0
_STEP = 130.0
"""Units between two axes, at least."""
_SIDE = 64.0


@dataclass(frozen=True)
class Axis:
    """One setting or outcome: a number, or one of some words."""

    name: str
    words: Sequence[str] = ()
    """What there is to choose from, in order; none for numbers."""
    log: bool = False


@dataclass(frozen=True)
class Parallel:
    """One line a trial."""

    axes: Sequence[Axis]
    rows: Sequence[Sequence[float]]
    """Values in the order of the axes; the place in `words` where there are words."""
    best: int
    """The row that stands out."""


def draw(chart: Parallel, alt: str) -> Markup:
    """The picture."""
    gaps = max(len(chart.axes) - 1, 1)
    step = max(_STEP, (_WIDTH - 2 * _SIDE) / gaps)
    scales = [_scale(axis, [row[i] for row in chart.rows]) for i, axis in enumerate(chart.axes)]
    xs = [_SIDE + i * step for i in range(len(chart.axes))]
    parts = []
    for axis, scale, x in zip(chart.axes, scales, xs, strict=True):
        parts.append(tag("line", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="axis"))
        parts.append(text(x, 14, axis.name, "middle", "strong"))
        if axis.words:
            parts += [text(x + 6, scale(i) + 4, w, class_="soft") for i, w in enumerate(axis.words)]
        else:
            parts.append(text(x, _TOP - 6, shown(scale.high), "middle", "soft"))
            parts.append(text(x, _HEIGHT - 12, shown(scale.low), "middle", "soft"))
    order = sorted(range(len(chart.rows)), key=lambda i: i == chart.best)  # the best on top
    for i in order:
        values = chart.rows[i]
        path = " ".join(
            f"{x:.2f},{scale(value):.2f}"
            for x, scale, value in zip(xs, scales, values, strict=True)
        )
        says = ", ".join(
            f"{axis.name} {axis.words[int(value)] if axis.words else shown(value)}"
            for axis, value in zip(chart.axes, values, strict=True)
        )
        kind = "line line0" if i == chart.best else "line faint"
        parts.append(tag("polyline", tag("title", says), points=path, class_=kind))
    return drawing(_HEIGHT, parts, alt, 2 * _SIDE + step * gaps)


def _scale(axis: Axis, values: Sequence[float]) -> Scale:
    if axis.words:
        return Scale(0, len(axis.words) - 1, _HEIGHT - _BOTTOM, _TOP)
    low, high = min(values, default=0.0), max(values, default=1.0)
    return Scale(low, high, _HEIGHT - _BOTTOM, _TOP, axis.log and low > 0)

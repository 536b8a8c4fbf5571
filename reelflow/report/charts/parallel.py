"""Parallel coordinates: one line a row, one axis a column (Inselberg 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelflow.report.charts.svg import Scale, drawing, label, polyline, tag, text

_HEIGHT = 300.0
_TOP = 34.0
_BOTTOM = _HEIGHT - 30.0
_WIDTH = 1100.0
_STEP = 130.0
"""Units between two axes, at least."""
_SIDE = 64.0


@dataclass(frozen=True)
class Axis:
    """A column of numbers, or of words from a list."""

    name: str
    words: Sequence[str] | None = None
    """The words to choose from, from bottom to top; None for numbers."""
    log: bool = False
    """True for a logarithmic axis, if all numbers are positive."""


@dataclass(frozen=True)
class Parallel:
    """Rows over parallel axes."""

    axes: Sequence[Axis]
    rows: Sequence[Sequence[float]]
    """Values in the order of the axes; a word is its place in `Axis.words`."""
    best: int
    """The row that is drawn on top in a colour of its own."""

    def draw(self, alt: str) -> Markup:
        """Return the chart as SVG; it is wider with more than eight axes."""
        gaps = max(len(self.axes) - 1, 1)
        step = max(_STEP, (_WIDTH - 2 * _SIDE) / gaps)
        scales = [_scale(axis, [row[i] for row in self.rows]) for i, axis in enumerate(self.axes)]
        xs = [_SIDE + i * step for i in range(len(self.axes))]
        parts = []
        for axis, scale, x in zip(self.axes, scales, xs, strict=True):
            parts += _axis(axis, scale, x)
        for i in sorted(range(len(self.rows)), key=lambda i: i == self.best):
            values = self.rows[i]
            points = [(x, scale(value)) for x, scale, value in zip(xs, scales, values, strict=True)]
            title = ", ".join(
                f"{axis.name} {axis.words[int(value)] if axis.words else label(value)}"
                for axis, value in zip(self.axes, values, strict=True)
            )
            parts.append(polyline(points, "line line0" if i == self.best else "line faint", title))
        return drawing(_HEIGHT, parts, alt, 2 * _SIDE + step * gaps)


def _axis(axis: Axis, scale: Scale, x: float) -> list[Markup]:
    parts = [
        tag("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="axis"),
        text(x, 14, axis.name, "middle", "strong"),
    ]
    if axis.words is not None:
        parts += [
            text(x + 6, scale(i) + 4, word, class_="soft") for i, word in enumerate(axis.words)
        ]
    else:
        parts.append(text(x, _TOP - 6, label(scale.high), "middle", "soft"))
        parts.append(text(x, _HEIGHT - 12, label(scale.low), "middle", "soft"))
    return parts


def _scale(axis: Axis, values: Sequence[float]) -> Scale:
    if axis.words is not None:
        return Scale(0, len(axis.words) - 1, _BOTTOM, _TOP)
    low, high = min(values, default=0.0), max(values, default=1.0)
    return Scale(low, high, _BOTTOM, _TOP, axis.log and low > 0)

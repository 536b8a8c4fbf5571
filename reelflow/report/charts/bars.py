"""Bar charts, and values with their intervals: one bar or row for each label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelflow.report.charts.svg import (
    WIDTH,
    Scale,
    drawing,
    group,
    label,
    padded,
    shortened,
    tag,
    text,
    y_axis,
)

_BAR = 24.0
_BAR_LABELS = 132.0
_HEIGHT = 220.0
_LETTER = 7.5
"""Width of a letter, about."""
_ROW = 26.0
_ROW_LABELS = 138.0


@dataclass(frozen=True)
class Bars:
    """One value for each label."""

    labels: Sequence[str]
    values: Sequence[float]
    unit: str = ""
    """After each value."""
    vertical: bool = False
    """True for labels that have an order, as years or stars."""
    x_title: str = ""
    """Below vertical bars."""

    def draw(self, alt: str) -> Markup:
        """Return the chart as SVG."""
        return self._vertical(alt) if self.vertical else self._horizontal(alt)

    def _horizontal(self, alt: str) -> Markup:
        along = Scale(0.0, max(self.values, default=0.0) or 1.0, _BAR_LABELS, WIDTH - 70)
        parts = []
        for i, (name, value) in enumerate(zip(self.labels, self.values, strict=True)):
            y = i * _BAR
            width = max(along(value) - _BAR_LABELS, 1)
            bar = [
                tag("title", f"{name}: {self._with_unit(value)}"),
                text(_BAR_LABELS - 8, y + 16, shortened(name, 20), "end"),
                tag("rect", x=_BAR_LABELS, y=y + 4, width=width, height=_BAR - 8, rx=3),
                text(along(value) + 6, y + 16, self._with_unit(value), class_="soft"),
            ]
            parts.append(group(bar, "bar"))
        return drawing(max(len(self.labels), 1) * _BAR, parts, alt)

    def _vertical(self, alt: str) -> Markup:
        left, bottom = 52.0, _HEIGHT - (38.0 if self.x_title else 22.0)
        up = Scale(0.0, max(self.values, default=0.0) or 1.0, bottom, 10.0)
        step = (WIDTH - left) / max(len(self.values), 1)
        gap = min(step * 0.12, 4.0)
        parts = y_axis(up, left, WIDTH, 4)
        longest = max((len(name) for name in self.labels), default=0)
        every = max(1, math.ceil((longest + 1) * _LETTER / step))
        for i, (name, value) in enumerate(zip(self.labels, self.values, strict=True)):
            x = left + i * step
            bar = tag(
                "rect",
                tag("title", f"{name}: {self._with_unit(value)}"),
                x=x + gap,
                y=up(value),
                width=max(step - 2 * gap, 0.5),
                height=bottom - up(value),
            )
            parts.append(group([bar], "bar"))
            if i % every == 0:
                parts.append(text(x + step / 2, bottom + 15, name, "middle", "soft"))
        if self.x_title:
            parts.append(text((left + WIDTH) / 2, _HEIGHT - 4, self.x_title, "middle", "soft"))
        return drawing(_HEIGHT, parts, alt)

    def _with_unit(self, value: float) -> str:
        return f"{label(value)} {self.unit}".rstrip()


@dataclass(frozen=True)
class Range:
    """A value with its interval."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """Added to the tooltip, as `1,200 ratings`."""
    strong: bool = False
    """True for the row that the others are compared with."""
    faint: bool = False
    """True for a row that says little, having few ratings."""


@dataclass(frozen=True)
class Ranges:
    """Values with their 95 % intervals, one row each, on a common axis."""

    rows: Sequence[Range]
    unit: str
    reference: float | None = None
    """A vertical line, for instance the value over all rows."""

    def draw(self, alt: str) -> Markup:
        """Return the chart as SVG."""
        values = [v for row in self.rows for v in (row.value, row.low, row.high)]
        values += [] if self.reference is None else [self.reference]
        right = WIDTH - 16
        across = Scale(*padded(values), _ROW_LABELS, right)
        bottom = len(self.rows) * _ROW
        parts = []
        for t in across.ticks(5):
            parts.append(tag("line", x1=across(t), x2=across(t), y1=0, y2=bottom, class_="grid"))
            parts.append(text(across(t), bottom + 16, label(t), "middle", "soft"))
        if self.reference is not None and math.isfinite(self.reference):
            x = across(self.reference)
            parts.append(tag("line", x1=x, x2=x, y1=0, y2=bottom, class_="mark"))
        parts.append(text((_ROW_LABELS + right) / 2, bottom + 33, self.unit, "middle", "soft"))
        parts += [self._row(row, i * _ROW + _ROW / 2, across) for i, row in enumerate(self.rows)]
        return drawing(bottom + 40, parts, alt)

    def _row(self, row: Range, y: float, across: Scale) -> Markup:
        title = (
            f"{row.label}: {label(row.value)} {self.unit}, "
            f"95 % {label(row.low)} to {label(row.high)}"
        )
        name = shortened(row.label, 21)
        parts = [
            tag("title", f"{title}; {row.note}" if row.note else title),
            text(_ROW_LABELS - 10, y + 4, name, "end", "strong" if row.strong else ""),
        ]
        kind = "row few" if row.faint else "row"
        if math.isfinite(row.low) and math.isfinite(row.high):
            ends = {"x1": across(row.low), "x2": across(row.high)}
            parts.append(tag("line", **ends, y1=y, y2=y, class_="whisker"))
        if math.isfinite(row.value):
            colour = "fill0" if row.strong else "fill1"
            parts.append(tag("circle", cx=across(row.value), cy=y, r=5, class_=colour))
        return group(parts, kind)

"""Bars: lying ones for names, standing ones for what has an order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelflow.report.charts.svg import WIDTH, Scale, drawing, shown, spread, tag, text

_ROW = 24.0
_LABELS = 132.0
_HEIGHT = 220.0
_LETTER = 7.5
"""Width of a letter, about."""
_LONGEST = 20


@dataclass(frozen=True)
class Bars:
    """One value for each label."""

    labels: Sequence[str]
    values: Sequence[float]
    unit: str = ""
    """After each value."""
    upright: bool = False
    """Standing bars, for labels that have an order."""
    x_title: str = ""
    """Below standing bars."""


def draw_bars(chart: Bars, alt: str) -> Markup:
    """The picture."""
    return _upright(chart, alt) if chart.upright else _lying(chart, alt)


def _lying(chart: Bars, alt: str) -> Markup:
    largest = max(chart.values, default=0.0)
    along = Scale(0.0, largest or 1.0, _LABELS, WIDTH - 70)
    parts = []
    for i, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        y = i * _ROW
        short = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
        says = f"{label}: {_with_unit(chart, value)}"
        bar = tag(
            "rect", x=_LABELS, y=y + 4, width=max(along(value) - _LABELS, 1), height=_ROW - 8, rx=3
        )
        parts.append(
            tag(
                "g",
                Markup("").join(
                    [
                        tag("title", says),
                        text(_LABELS - 8, y + 16, short, "end"),
                        bar,
                        text(along(value) + 6, y + 16, _with_unit(chart, value), class_="soft"),
                    ]
                ),
                class_="bar",
            )
        )
    return drawing(max(len(chart.labels), 1) * _ROW, parts, alt)


def _upright(chart: Bars, alt: str) -> Markup:
    count = max(len(chart.values), 1)
    left, bottom = 52.0, _HEIGHT - (38.0 if chart.x_title else 22.0)
    up = Scale(0.0, max(chart.values, default=0.0) or 1.0, bottom, 10.0)
    step = (WIDTH - left) / count
    parts = [tag("line", x1=left, x2=WIDTH, y1=up(t), y2=up(t), class_="grid") for t in up.ticks(4)]
    parts += [text(left - 6, up(t) + 4, shown(t), "end", "soft") for t in up.ticks(4)]
    longest = max((len(label) for label in chart.labels), default=0)
    every = max(1, math.ceil((longest + 1) * _LETTER / step))
    for i, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        x, gap = left + i * step, min(step * 0.12, 4.0)
        bar = tag(
            "rect",
            tag("title", f"{label}: {_with_unit(chart, value)}"),
            x=x + gap,
            y=up(value),
            width=max(step - 2 * gap, 0.5),
            height=bottom - up(value),
        )
        parts.append(tag("g", bar, class_="bar"))
        if i % every == 0:
            parts.append(text(x + step / 2, bottom + 15, label, "middle", "soft"))
    if chart.x_title:
        parts.append(text((left + WIDTH) / 2, _HEIGHT - 4, chart.x_title, "middle", "soft"))
    return drawing(_HEIGHT, parts, alt)


def _with_unit(chart: Bars, value: float) -> str:
    return f"{shown(value)} {chart.unit}".rstrip()


# Values with their intervals, one row each, on a common axis.


_RANGE_ROW = 26.0
_RANGE_LABELS = 138.0
_RIGHT = WIDTH - 16
_RANGE_LONGEST = 21


@dataclass(frozen=True)
class Range:
    """One row."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    """What it comes from, as `1,200 ratings`."""
    strong: bool = False
    """Whether it is the one that the others are held against."""


@dataclass(frozen=True)
class Ranges:
    """Rows on a common axis."""

    rows: Sequence[Range]
    unit: str
    reference: float | None = None
    """An upright line, for instance the value over all rows."""


def draw_ranges(chart: Ranges, alt: str) -> Markup:
    """The picture."""
    values = [v for row in chart.rows for v in (row.value, row.low, row.high)]
    values += [] if chart.reference is None else [chart.reference]
    across = Scale(*spread(values), _RANGE_LABELS, _RIGHT)
    bottom = len(chart.rows) * _RANGE_ROW
    parts = []
    for t in across.ticks(5):
        parts.append(tag("line", x1=across(t), x2=across(t), y1=0, y2=bottom, class_="grid"))
        parts.append(text(across(t), bottom + 16, shown(t), "middle", "soft"))
    if chart.reference is not None and math.isfinite(chart.reference):
        x = across(chart.reference)
        parts.append(tag("line", x1=x, x2=x, y1=0, y2=bottom, class_="mark"))
    parts.append(text((_RANGE_LABELS + _RIGHT) / 2, bottom + 33, chart.unit, "middle", "soft"))
    parts += [
        _row(row, i * _RANGE_ROW + _RANGE_ROW / 2, across, chart)
        for i, row in enumerate(chart.rows)
    ]
    return drawing(bottom + 40, parts, alt)


def _row(row: Range, y: float, across: Scale, chart: Ranges) -> Markup:
    short = row.label if len(row.label) <= _RANGE_LONGEST else row.label[: _RANGE_LONGEST - 1] + "…"
    says = (
        f"{row.label}: {shown(row.value)} {chart.unit}, 95 % {shown(row.low)} to {shown(row.high)}"
    )
    parts = [
        tag("title", f"{says}; {row.note}" if row.note else says),
        text(_RANGE_LABELS - 10, y + 4, short, "end", "strong" if row.strong else ""),
    ]
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(
            tag("line", x1=across(row.low), x2=across(row.high), y1=y, y2=y, class_="whisker")
        )
    if math.isfinite(row.value):
        colour = "fill0" if row.strong else "fill1"
        parts.append(tag("circle", cx=across(row.value), cy=y, r=5, class_=colour))
    return tag("g", Markup("").join(parts), class_="row")

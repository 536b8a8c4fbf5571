"""Values with their intervals, one row each, on a common axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.report.charts.svg import WIDTH, Scale, drawing, shown, spread, tag, text

_ROW = 26.0
_LABELS = 138.0
_RIGHT = WIDTH - 16
_LONGEST = 21


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


def draw(chart: Ranges, alt: str) -> Markup:
    """The picture."""
    values = [v for row in chart.rows for v in (row.value, row.low, row.high)]
    values += [] if chart.reference is None else [chart.reference]
    across = Scale(*spread(values), _LABELS, _RIGHT)
    bottom = len(chart.rows) * _ROW
    parts = []
    for t in across.ticks(5):
        parts.append(tag("line", x1=across(t), x2=across(t), y1=0, y2=bottom, class_="grid"))
        parts.append(text(across(t), bottom + 16, shown(t), "middle", "soft"))
    if chart.reference is not None and math.isfinite(chart.reference):
        x = across(chart.reference)
        parts.append(tag("line", x1=x, x2=x, y1=0, y2=bottom, class_="mark"))
    parts.append(text((_LABELS + _RIGHT) / 2, bottom + 33, chart.unit, "middle", "soft"))
    parts += [_row(row, i * _ROW + _ROW / 2, across, chart) for i, row in enumerate(chart.rows)]
    return drawing(bottom + 40, parts, alt)


def _row(row: Range, y: float, across: Scale, chart: Ranges) -> Markup:
    short = row.label if len(row.label) <= _LONGEST else row.label[: _LONGEST - 1] + "…"
    says = (
        f"{row.label}: {shown(row.value)} {chart.unit}, 95 % {shown(row.low)} to {shown(row.high)}"
    )
    parts = [
        tag("title", f"{says}; {row.note}" if row.note else says),
        text(_LABELS - 10, y + 4, short, "end", "strong" if row.strong else ""),
    ]
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(
            tag("line", x1=across(row.low), x2=across(row.high), y1=y, y2=y, class_="whisker")
        )
    if math.isfinite(row.value):
        colour = "fill0" if row.strong else "fill1"
        parts.append(tag("circle", cx=across(row.value), cy=y, r=5, class_=colour))
    return tag("g", Markup("").join(parts), class_="row")

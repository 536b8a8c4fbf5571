"""Lines over a numeric axis, with points to hover at, and error bars where there are any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from reelflow.report.charts.svg import WIDTH, Scale, drawing, shown, spread, tag, text

_HEIGHT = 260.0
_LEFT = 52.0
_MOST_POINTS = 60
"""Lines with more points have none drawn."""


@dataclass(frozen=True)
class Line:
    """One series."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    errors: Sequence[float] = ()
    """Half lengths of the error bars, one a point; none at all by default."""
    dashed: bool = False


@dataclass(frozen=True)
class Lines:
    """Series over the same axes."""

    lines: Sequence[Line]
    x_title: str
    y_title: str
    log: bool = False
    """Both axes logarithmic; values must then be positive."""
    marks: Sequence[tuple[float, str]] = field(default=())
    """Upright lines: where, and what they say."""


def draw_lines(chart: Lines, alt: str) -> Markup:
    """The picture."""
    keys = [line.name for line in chart.lines]
    top = 14.0 + 18.0 * math.ceil(len(keys) / 2)
    bottom = _HEIGHT - 42.0
    xs = [x for line in chart.lines for x in line.x]
    ys = [y for line in chart.lines for y in line.y]
    x_range = (min(xs, default=0.0), max(xs, default=1.0))
    y_range = (1.0, max(max(ys, default=1.0), 10.0)) if chart.log else spread(ys)
    across = Scale(*x_range, _LEFT, WIDTH - 12, chart.log)
    up = Scale(*y_range, bottom, top, chart.log)
    parts = []
    for t in up.ticks(5):
        parts.append(tag("line", x1=_LEFT, x2=WIDTH - 12, y1=up(t), y2=up(t), class_="grid"))
        parts.append(text(_LEFT - 6, up(t) + 4, shown(t), "end", "soft"))
    parts += [text(across(t), bottom + 16, shown(t), "middle", "soft") for t in across.ticks(6)]
    parts.append(text((_LEFT + WIDTH) / 2, _HEIGHT - 6, chart.x_title, "middle", "soft"))
    for i, name in enumerate(keys):
        x, y = _LEFT + (i % 2) * 180.0, 12.0 + (i // 2) * 18.0
        parts.append(tag("rect", x=x, y=y - 8, width=14, height=4, class_=f"fill{i % 8}"))
        parts.append(text(x + 20, y, name))
    for where, words in chart.marks:
        x = across(where)
        parts.append(tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="mark"))
        right = x > WIDTH * 0.7
        parts.append(text(x + (-4 if right else 4), top + 10, words, "end" if right else "start"))
    for i, line in enumerate(chart.lines):
        parts.append(_line(line, i % 8, across, up, chart))
    return drawing(_HEIGHT, parts, alt)


def _line(line: Line, colour: int, across: Scale, up: Scale, chart: Lines) -> Markup:
    points = [
        (x, y, line.errors[i] if line.errors else 0.0)
        for i, (x, y) in enumerate(zip(line.x, line.y, strict=True))
        if math.isfinite(y)
    ]
    path = " ".join(f"{across(x):.2f},{up(y):.2f}" for x, y, _ in points)
    kind = f"line line{colour}" + (" dashed" if line.dashed else "")
    parts = [tag("polyline", points=path, class_=kind)]
    if len(points) <= _MOST_POINTS and not line.dashed:
        for x, y, error in points:
            if error:
                low, high = up(y - error), up(y + error)
                parts.append(
                    tag("line", x1=across(x), x2=across(x), y1=low, y2=high, class_="whisker")
                )
            says = f"{line.name}: {chart.x_title} {shown(x)}, {chart.y_title} {shown(y)}"
            dot = tag("title", says)
            parts.append(tag("circle", dot, cx=across(x), cy=up(y), r=3, class_=f"fill{colour}"))
    return tag("g", Markup("").join(parts))


# A map of many named points: drawn by the page's script, which zooms, finds and names them.


@dataclass(frozen=True)
class Point:
    """One point."""

    x: float
    y: float
    name: str
    group: int
    """Place of its group in `Scatter.groups`."""
    size: float
    """0 to 1."""
    note: str = ""


@dataclass(frozen=True)
class Scatter:
    """Points in groups."""

    points: Sequence[Point]
    groups: Sequence[str]
    """Names, in the order of the page's colours; the last is everything else."""

    def as_json(self) -> dict[str, object]:
        """What the script reads: coordinates with three decimals."""
        return {
            "groups": list(self.groups),
            "points": [
                [round(p.x, 3), round(p.y, 3), p.name, p.group, round(p.size, 2), p.note]
                for p in self.points
            ],
        }

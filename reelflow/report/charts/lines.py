"""Line charts over a numeric axis, and maps of named points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reelflow.report.charts.svg import (
    COLOURS,
    WIDTH,
    Scale,
    drawing,
    group,
    label,
    padded,
    polyline,
    tag,
    text,
    y_axis,
)

_HEIGHT = 260.0
_BOTTOM = _HEIGHT - 42.0
_LEFT = 52.0
_RIGHT = WIDTH - 12
_SHORT = 20
"""Letters of a name that leave room for another one in the legend's line."""
_MOST_POINTS = 60
"""Lines with more points are drawn without dots."""


@dataclass(frozen=True)
class Line:
    """One series."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    """Points whose value is not finite are left out."""
    errors: Sequence[float] | None = None
    """Half lengths of the error bars, one a point."""
    dashed: bool = False


@dataclass(frozen=True)
class Lines:
    """Series over the same axes."""

    lines: Sequence[Line]
    x_title: str
    y_title: str
    log: bool = False
    """True for two logarithmic axes; values must then be positive."""
    marks: Sequence[tuple[float, str]] = ()
    """Vertical lines: place and label."""

    def draw(self, alt: str) -> Markup:
        """Return the chart as SVG."""
        # Long names would run into each other, on a phone above all, whose letters are larger.
        columns = 2 if all(len(line.name) <= _SHORT for line in self.lines) else 1
        top = 14.0 + 18.0 * math.ceil(len(self.lines) / columns)
        more = max(0.0, top - 50.0)
        bottom = _BOTTOM + more
        xs = [x for line in self.lines for x in line.x]
        ys = [y for line in self.lines for y in line.y]
        x_range = (min(xs, default=0.0), max(xs, default=1.0))
        y_range = (1.0, max(max(ys, default=1.0), 10.0)) if self.log else padded(ys)
        across = Scale(*x_range, _LEFT, _RIGHT, self.log)
        up = Scale(*y_range, bottom, top, self.log)
        parts = y_axis(up, _LEFT, _RIGHT, 5)
        parts += [text(across(t), bottom + 16, label(t), "middle", "soft") for t in across.ticks(6)]
        parts.append(text((_LEFT + WIDTH) / 2, _HEIGHT + more - 6, self.x_title, "middle", "soft"))
        for i, line in enumerate(self.lines):
            x, y = _LEFT + (i % columns) * 180.0, 12.0 + (i // columns) * 18.0
            colour = f"fill{i % COLOURS}"
            parts.append(tag("rect", x=x, y=y - 8, width=14, height=4, class_=colour))
            parts.append(text(x + 20, y, line.name))
        for place, words in self.marks:
            x = across(place)
            parts.append(tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="mark"))
            offset, anchor = (-4, "end") if x > WIDTH * 0.7 else (4, "start")
            parts.append(text(x + offset, top + 10, words, anchor))
        parts += [self._line(line, i % COLOURS, across, up) for i, line in enumerate(self.lines)]
        return drawing(_HEIGHT + more, parts, alt)

    def _line(self, line: Line, colour: int, across: Scale, up: Scale) -> Markup:
        errors = line.errors or [0.0] * len(line.x)
        points = [
            point for point in zip(line.x, line.y, errors, strict=True) if math.isfinite(point[1])
        ]
        path = [(across(x), up(y)) for x, y, _ in points]
        parts = [polyline(path, f"line line{colour}" + (" dashed" if line.dashed else ""))]
        if len(points) > _MOST_POINTS or line.dashed:
            return group(parts)
        for x, y, error in points:
            if error:
                ends = {"y1": up(y - error), "y2": up(y + error)}
                parts.append(tag("line", x1=across(x), x2=across(x), **ends, class_="whisker"))
            title = tag(
                "title", f"{line.name}: {self.x_title} {label(x)}, {self.y_title} {label(y)}"
            )
            parts.append(tag("circle", title, cx=across(x), cy=up(y), r=3, class_=f"fill{colour}"))
        return group(parts)


@dataclass(frozen=True)
class Point:
    """A named point of a map."""

    x: float
    y: float
    name: str
    group: int
    """Place of its group in `Scatter.groups`."""
    size: float
    """0 to 1."""
    note: str = ""
    near: tuple[int, ...] = ()
    """Places, in `Scatter.points`, of the points that are most like it."""


@dataclass(frozen=True)
class Place:
    """A name that stands on the map."""

    x: float
    y: float
    name: str


@dataclass(frozen=True)
class Scatter:
    """A map of many named points, drawn by the page's script, which zooms and searches."""

    points: Sequence[Point]
    groups: Sequence[str]
    """Names, in the order of the page's colours; the last is everything else."""
    places: Sequence[Place] = ()

    def as_json(self) -> dict[str, object]:
        """Return the script's data: coordinates with three decimals."""
        return {
            "groups": list(self.groups),
            "points": [
                [round(p.x, 3), round(p.y, 3), p.name, p.group, round(p.size, 2), p.note, p.near]
                for p in self.points
            ],
            "places": [[round(p.x, 3), round(p.y, 3), p.name] for p in self.places],
        }

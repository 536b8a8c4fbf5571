"""SVG elements, scales and axes that every chart is drawn with.

A drawing is 420 units wide by default, so that its letters are as large as the page's on a phone
and on a desktop, where two or three drawings stand in a row. Colours are CSS classes of the page,
which give light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 420.0
COLOURS = 8
"""Classes `fill0` to `fill7` and `line0` to `line7` of the page's style."""


def tag(name: str, content: str = "", /, **attributes: str | float) -> Markup:
    """Return an element; `class_` and `stroke_width` become `class` and `stroke-width`.

    Args:
        name: of the element.
        content: escaped unless it is Markup.
        attributes: numbers are coordinates.
    """
    pairs = Markup("").join(
        Markup(' {}="{}"').format(
            Markup(key.rstrip("_").replace("_", "-")),
            value if isinstance(value, str) else _coordinate(value),
        )
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), pairs, escape(content))


def group(parts: Sequence[Markup], class_: str = "") -> Markup:
    """Return a `g` element around others."""
    extra = {"class_": class_} if class_ else {}
    return tag("g", Markup("").join(parts), **extra)


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "") -> Markup:
    """Return a line of text."""
    extra = {"class_": class_} if class_ else {}
    return tag("text", words, x=x, y=y, text_anchor=anchor, **extra)


def polyline(points: Sequence[tuple[float, float]], class_: str, title: str = "") -> Markup:
    """Return a line through points, with a tooltip if it has a title."""
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return tag("polyline", tag("title", title) if title else "", points=path, class_=class_)


def drawing(height: float, parts: Sequence[Markup], alt: str, width: float = WIDTH) -> Markup:
    """Return the SVG element around all parts, named for screen readers."""
    return tag(
        "svg",
        Markup("").join(parts),
        viewBox=f"0 0 {_coordinate(width)} {_coordinate(height)}",
        role="img",
        aria_label=alt,
    )


def _coordinate(value: float) -> str:
    """Two decimals, which are finer than any screen."""
    digits = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def label(value: float) -> str:
    """Return the text of a tick or a point: 12,000, 0.25, 1.5."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def shortened(words: str, longest: int) -> str:
    """Return a text cut to `longest` letters, with an ellipsis if any are lost."""
    return words if len(words) <= longest else words[: longest - 1] + "…"


def ticks(low: float, high: float, number: int = 5) -> list[float]:
    """Return about `number` round values of a range; steps are 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / number
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """A map from values to coordinates, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate; values outside the range stay outside."""
        low, high = self._linear(self.low), self._linear(self.high)
        share = (self._linear(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, number: int = 5) -> list[float]:
        """Return about `number` round values; powers of ten on a logarithmic scale."""
        if not self.log:
            return ticks(self.low, self.high, number)
        first = math.ceil(self._linear(self.low) - 1e-9)
        last = math.floor(self._linear(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]

    def _linear(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


def y_axis(up: Scale, left: float, right: float, number: int) -> list[Markup]:
    """Return horizontal grid lines from left to right, each with its label."""
    parts = []
    for t in up.ticks(number):
        parts.append(tag("line", x1=left, x2=right, y1=up(t), y2=up(t), class_="grid"))
        parts.append(text(left - 6, up(t) + 4, label(t), "end", "soft"))
    return parts


def padded(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Return the range of the finite values, widened by a margin; (0, 1) if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    air = (high - low) * margin or abs(high) * margin or 1.0
    return low - air, high + air

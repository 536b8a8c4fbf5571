"""Small SVG: numbers without noise, escaped texts, axes with round ticks.

A drawing is some 420 units wide, so that its letters are as large as the page's on a phone and on a
desktop, where two or three stand in a row. Colours are the page's CSS classes: light and dark come
for free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 420.0


def number(value: float) -> str:
    """A coordinate: two decimals are finer than any screen."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tag(name: str, content: str = "", /, **attributes: str | float) -> Markup:
    """An element; `class_` and `stroke_width` become `class` and `stroke-width`.

    Args:
        name: of the element.
        content: escaped unless it is Markup.
        attributes: numbers are coordinates.
    """
    pairs = Markup("").join(
        Markup(' {}="{}"').format(
            Markup(key.rstrip("_").replace("_", "-")),
            value if isinstance(value, str) else number(value),
        )
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), pairs, escape(content))


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "") -> Markup:
    """A line of text."""
    extra = {"class_": class_} if class_ else {}
    return tag("text", words, x=x, y=y, text_anchor=anchor, **extra)


def drawing(height: float, parts: Sequence[Markup], alt: str, width: float = WIDTH) -> Markup:
    """The whole picture, named for screen readers."""
    return tag(
        "svg",
        Markup("").join(parts),
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=alt,
    )


def shown(value: float) -> str:
    """A tick's or a point's figure: 12,000, 0.25, 1.5."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers inside a range, a step of 1, 2 or 5 times a power of ten apart."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """From values to coordinates, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The coordinate; values outside stay outside."""
        low, high = self._of(self.low), self._of(self.high)
        share = (self._of(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values inside; powers of ten on a logarithmic scale."""
        if not self.log:
            return ticks(self.low, self.high, wanted)
        first, last = math.ceil(self._of(self.low) - 1e-9), math.floor(self._of(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


def spread(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """The range of finite values with some air around it; (0, 1) if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    air = (high - low) * margin or abs(high) * margin or 1.0
    return low - air, high + air

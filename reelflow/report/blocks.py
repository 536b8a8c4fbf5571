"""The parts of a page as plain data, without markup: facts, tables, figures, lists.

Sections are tested as data, without a browser; `render` alone makes HTML of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reelflow.report.charts.bars import Bars, Ranges
from reelflow.report.charts.lines import Lines, Scatter
from reelflow.report.charts.parallel import Parallel

Cell = str | int | float | None
"""A cell of a table; numbers are aligned to the right, None is a dash."""
Chart = Bars | Lines | Ranges | Parallel | Scatter
Tone = Literal["good", "bad", "plain"]


@dataclass(frozen=True)
class Fact:
    """A tile with one number."""

    label: str
    value: str
    """With its unit."""
    note: str = ""
    """Values to compare it with, one a line."""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Facts:
    """Tiles side by side."""

    facts: Sequence[Fact]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]
    tone: Tone = "plain"


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column names the row."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    """True to show it on demand only."""
    wide: bool = False
    """True to take the page's whole width even with few columns."""


@dataclass(frozen=True)
class Figure:
    """A chart with its title and a description."""

    title: str
    chart: Chart
    alt: str
    """The chart in words, for screen readers and below the picture."""
    wide: bool = False
    """True to take the page's whole width."""
    tall: bool = False
    """True to take the height of two others."""


@dataclass(frozen=True)
class Pick:
    """A movie in a list, with a note and a mark."""

    title: str
    note: str = ""
    mark: str = ""
    """A short word that stands out, as `rated 4.5`."""


@dataclass(frozen=True)
class Example:
    """One user: history beside recommendations."""

    name: str
    about: str
    history: Sequence[Pick]
    recommendations: Sequence[Pick]


@dataclass(frozen=True)
class Examples:
    """Users one below the other."""

    users: Sequence[Example]


@dataclass(frozen=True)
class Code:
    """Preformatted text, shown on demand."""

    caption: str
    text: str


Block = Facts | Text | Bullets | Table | Figure | Examples | Code


@dataclass(frozen=True)
class Section:
    """A part of the page with its own heading."""

    key: str
    """Its anchor."""
    title: str
    lead: str
    """One or two sentences on what it shows and how to read it; may be empty."""
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A page: header, navigation and sections."""

    title: str
    subtitle: str
    verdict: str
    tone: Tone
    """Colour of the verdict."""
    sections: Sequence[Section]
    links: Sequence[tuple[str, str]] = ()
    """Text and address of files that lie beside the page."""

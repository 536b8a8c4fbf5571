"""What a page is made of: sections of facts, tables, figures and lists, without any markup.

Sections are plain data, so that they are tested without a browser; `render` alone makes HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reelflow.report.charts.bars import Bars, Ranges
from reelflow.report.charts.lines import Lines, Scatter
from reelflow.report.charts.parallel import Parallel

Cell = str | int | float | None
"""A table's cell; numbers stand on the right, none is a dash."""
Chart = Bars | Lines | Ranges | Parallel | Scatter
Tone = Literal["good", "bad", "plain"]


@dataclass(frozen=True)
class Fact:
    """One figure that is worth a tile."""

    label: str
    value: str
    """With its unit."""
    note: str = ""
    """What it is measured against."""
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
    """Shown on demand only."""
    wide: bool = False
    """Takes the page's whole width even with few columns."""


@dataclass(frozen=True)
class Figure:
    """A chart with its title and what it shows in words."""

    title: str
    chart: Chart
    alt: str
    """What there is to see, for those who cannot see it."""
    wide: bool = False
    """Takes the page's whole width."""
    tall: bool = False
    """Takes the height of two others."""


@dataclass(frozen=True)
class Pick:
    """A movie in a list, with what there is to say of it."""

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
    """Text as it is, on demand."""

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
    """One or two sentences: what it shows and how to read it."""
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    subtitle: str
    verdict: str
    tone: Tone
    """Of the verdict."""
    sections: Sequence[Section]
    links: Sequence[tuple[str, str]] = ()
    """Text and address of files that lie beside the page."""

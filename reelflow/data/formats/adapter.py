"""The description of a source format, and of an opened ratings file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from reelflow.config import Format
from reelflow.data.formats.layouts import MOVIES, USERS, TableLayout


@dataclass(frozen=True)
class Adapter:
    """A source format: globs of its files inside the folder, and the way to read each.

    Of several globs with `|` between the first that any file matches counts.
    """

    format: Format
    ratings: str
    movies: str | None
    users: str | None
    """Empty if the format has none; None: files are known by their names (`companions`)."""
    delimiter: str
    """Of the ratings' columns; empty: found out."""
    movies_layout: TableLayout = MOVIES
    users_layout: TableLayout = USERS
    columns: tuple[str | None, ...] | None = None
    """Canonical name of each column of a ratings file (None: ignored), or None: by the header."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Canonical column to header name, where the configuration says so."""
    quoted: bool = False
    """True if the ratings' values may stand in double quotes."""
    scale: tuple[float, float] | None = None
    """Lowest and highest rating of the format's documents; None: any scale."""
    unrated: tuple[float, ...] = ()
    """Values that stand for "not rated" by the format's documents."""
    movies_required: bool = True
    """True if the source is refused without a movies' file."""
    only_table: bool = False
    """True if no name said which file holds the ratings, and only one can."""


class Form(str, Enum):
    """Ways of writing rows; `reelflow/data/forms/` has a reader for each."""

    DELIMITED = "delimited text"
    JSON_LINES = "JSON lines"
    NETFLIX_PRIZE = "Netflix Prize text"
    """`movie:` lines, each followed by `user,rating,date`."""
    PARQUET = "Parquet"


@dataclass(frozen=True)
class Layout:
    """The form of a ratings file, and its columns: what was found out, or declared."""

    delimiter: bytes
    """Empty if the form has none."""
    columns: tuple[str | None, ...]
    """Canonical name of each column, None for one to ignore."""
    quoted: bool
    form: Form = Form.DELIMITED
    names: tuple[str, ...] = ()
    """Name of each column in the file; empty if there is no header."""
    encoding: str = "utf-8"
    line_end: bytes = b"\n"
    """A line feed (with or without a carriage return before it), or a carriage return alone."""
    decimal: str = "."
    times: str = "s"
    """As `data.timestamp_format`: `s`, `ms`, `us`, `ns`, `iso` or a format of `strptime`."""
    declared: frozenset[str] = frozenset()
    """Keys of the section `data` that say one of these; all others were found out."""

    @property
    def unused(self) -> list[str]:
        """Names of the columns that are not read."""
        named = zip(self.names, self.columns, strict=False)
        return [name for name, column in named if column is None]


@dataclass(frozen=True)
class RatingsFile:
    """One ratings file of a source."""

    path: str
    """Of a member of a zip archive `ARCHIVE.zip!MEMBER`."""
    name: str
    """File name inside the data folder, for messages and the quarantine."""
    layout: Layout
    data_start: int
    """Position of the first rating in the content: after byte order mark and header."""
    compression: str = ""
    """As of `containers.compression_of`; empty if it can be read from anywhere."""
    split: str | None = None
    """Split that a `predefined` file belongs to."""

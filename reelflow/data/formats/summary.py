"""The account of a movies' or users' file: what it was taken for, and what became of its rows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class GenreSummary(BaseModel):
    """The genres of a movies' file, and how they were told apart."""

    model_config = ConfigDict(frozen=True)

    separator: str | None
    """Text between genres; None: no list has one, or the file has lists of its own (`listed`)."""
    declared: bool = False
    """True if `data.genre_separator` or the format says so; else it was found out."""
    listed: int = 0
    """Movies whose genres are a list as of JSON, which needs no separator."""
    distinct: int = 0
    """Different genres."""
    movies: int = 0
    """Movies with any."""
    frequent: dict[str, int] = {}
    """The most frequent genres, at most ten, and their movies."""


class TableSummary(BaseModel):
    """One file of movies or users."""

    model_config = ConfigDict(frozen=True)

    file: str
    """Name inside the data folder."""
    what: Literal["movies", "users"]
    form: str
    """`text`, `JSON lines` or `Parquet`."""
    encoding: str
    """Of text: `utf-8`, `latin-1` or `cp1252`; else empty."""
    delimiter: str
    """Of text, else empty."""
    header: bool
    """True if the file names its columns."""
    columns: dict[str, str]
    """Canonical column to the name, or the position from 1, of the file's column."""
    unused: list[str] = []
    """Names of the columns that are not read."""
    rows: int
    """Rows, without the header and blank lines."""
    kept: int
    duplicates: int = 0
    """Rows that were there before with the same content."""
    links: str | None = None
    """Name of the links' file, by which the ids became those of the ratings."""
    unlinked: int = 0
    """Rows without an id in it."""
    credits: str | None = None
    """Name of the file that directors and stars come from."""
    quarantined: dict[str, int] = {}
    """Refused rows by the name of the reason."""
    genres: GenreSummary | None = None
    """Of a movies' file that has them."""

    @property
    def refused(self) -> int:
        """Rows in quarantine."""
        return sum(self.quarantined.values())

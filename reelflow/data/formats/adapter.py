"""The description of a source format, and what its readers take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reelflow.config import Format


class Movie(NamedTuple):
    """One movie as an adapter reads it; `line` is where it begins, from 1."""

    line: int
    movie_id: str
    title: str
    genres: list[str]
    year: int | None
    features: Sequence[str] = ()
    """`name=value` of the columns that the configuration declares as features."""


class User(NamedTuple):
    """One user's attributes as an adapter reads them; None where unknown."""

    line: int
    user_id: str
    gender: str | None
    age: int | None
    occupation: str | None
    zip_code: str | None


@dataclass(frozen=True)
class Text:
    """A decoded file of movies or users, with what is needed to read it and to name it."""

    path: str
    content: str
    delimiter: str
    columns: Mapping[str, str]
    """Canonical column to header name, where the configuration says so."""
    features: tuple[str, ...] = ()
    """Further columns of the movies' file that the configuration declares as features."""


@dataclass(frozen=True)
class Adapter:
    """A source format: which files are what, and how each is read.

    Globs match file names in the folder.
    """

    format: Format
    ratings: str
    """Glob of the ratings files."""
    movies: str
    """Glob of the movies' file."""
    users: str
    """Glob of the users' file; empty if the format has none."""
    delimiter: str
    """Of the ratings files."""
    read_movies: Callable[[Text], Iterator[Movie]]
    """Reads the movies' file."""
    read_users: Callable[[Text], Iterator[User]] | None = None
    """Reads the users' file."""
    columns: tuple[str | None, ...] | None = None
    """Canonical name of each column of a ratings file (None: ignored), or None: by the header."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Canonical column to header name, where the configuration says so."""
    quoted: bool = False
    """True if values may stand in double quotes."""
    rating_min: float = 0.5
    """Lowest valid rating, unless the configuration says otherwise."""
    rating_max: float = 5.0
    """Highest valid rating, unless the configuration says otherwise."""
    encodings: tuple[str, ...] = ("utf-8-sig",)
    """Of the movies' and users' files; the first that fits is taken."""
    movies_required: bool = True
    """True if the source is refused without a movies' file."""
    movie_features: tuple[str, ...] = ()
    """Further columns of the movies' file that the configuration declares as features."""
    table_delimiter: str | None = None
    """Of the movies' and users' files, if another."""


@dataclass(frozen=True)
class Layout:
    """Delimiter and columns of a ratings file."""

    delimiter: bytes
    columns: tuple[str | None, ...]
    """Canonical name of each column, None for one to ignore."""
    quoted: bool


@dataclass(frozen=True)
class RatingsFile:
    """One ratings file of a source."""

    path: str
    name: str
    """File name inside the data folder, for messages and the quarantine."""
    layout: Layout
    data_start: int
    """Position of the first rating in the content: after byte order mark and header."""
    gzipped: bool
    split: str | None = None
    """Split that a `predefined` file belongs to."""

"""What a format tells about its files, and what its readers take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from reelflow.config import Format
from reelflow.data.formats import tables


class Movie(NamedTuple):
    """One film as an adapter reads it; `line` is where it begins, from 1."""

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
    """A decoded file of films or users, with what is needed to read it and to name it."""

    path: str
    content: str
    delimiter: str
    columns: Mapping[str, str]
    """Canonical column to header name, where the configuration says so."""
    features: tuple[str, ...] = ()
    """Further columns of the films' file that the configuration declares as features."""


@dataclass(frozen=True)
class Adapter:
    """A source format: which files are what, and how each is read.

    Globs match file names in the folder.
    """

    format: Format
    ratings: str
    """Glob of the ratings files."""
    movies: str
    """Glob of the films' file."""
    users: str
    """Glob of the users' file; empty if the format has none."""
    delimiter: str
    """Of the ratings files."""
    read_movies: Callable[[Text], Iterator[Movie]]
    """Reads the films' file."""
    read_users: Callable[[Text], Iterator[User]] | None = None
    """Reads the users' file."""
    columns: tuple[str | None, ...] | None = None
    """Canonical name of each column of a ratings file (None: ignored), or None: by the header."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Canonical column to header name, where the configuration says so."""
    quoted: bool = False
    """Whether values may stand in double quotes."""
    rating_min: float = 0.5
    """Lowest valid rating, unless the configuration says otherwise."""
    rating_max: float = 5.0
    """Highest valid rating, unless the configuration says otherwise."""
    encodings: tuple[str, ...] = ("utf-8-sig",)
    """Of the films' and users' files; the first that fits is taken."""
    movies_required: bool = True
    """Whether the source is refused without a films' file."""
    movie_features: tuple[str, ...] = ()
    """Further columns of the films' file that the configuration declares as features."""
    table_delimiter: str | None = None
    """Of the films' and users' files, if another."""


# What a source is once its files are found, and what is read from it.


@dataclass(frozen=True)
class Layout:
    """How the lines of a ratings file are to be read."""

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


@dataclass(frozen=True)
class Source:
    """A recognised data folder. The order of `ratings_files` is the order of their rows."""

    format: Format
    folder: str
    ratings_files: tuple[RatingsFile, ...]
    movies_file: str | None
    users_file: str | None
    rating_min: float
    rating_max: float
    has_timestamps: bool
    synthetic: bool
    adapter: Adapter
    older_movies_files: tuple[str, ...] = ()
    """Films' files of earlier spans, the newest first, for films that later ones lack."""
    older_users_files: tuple[str, ...] = ()
    """The same of users."""

    @property
    def paths(self) -> list[str]:
        """Every file that is read."""
        tables_read = [self.movies_file, *self.older_movies_files, self.users_file]
        named = [*(file.path for file in self.ratings_files), *tables_read]
        return [path for path in (*named, *self.older_users_files) if path is not None]

    def read_movies(self) -> pa.Table | None:
        """The catalogue in the file's order, or None if the source has no films' file.

        Returns:
            A table of `ratings.schema.MOVIES`: movie_id string, title string, genres list<string>,
            year int64; if columns are declared as features, also features list<string>.

        Raises:
            BadInput: the file cannot be decoded or read, or a film is in it twice.
        """
        if self.movies_file is None:
            return None
        # A span may bring no new film.
        required = not self.older_movies_files
        found = [
            tables.movies_table(
                self.adapter.read_movies(text), text.path, bool(text.features), required
            )
            for text in self._texts(self.movies_file, self.older_movies_files)
        ]
        return tables.first_of_each(found)

    def read_users(self) -> pa.Table | None:
        """User attributes in the file's order, or None if there is no users' file.

        Returns:
            A table of `ratings.schema.USERS`.

        Raises:
            BadInput: the file cannot be decoded or read, or a user is in it twice.
        """
        read = self.adapter.read_users
        if self.users_file is None or read is None:
            return None
        texts = self._texts(self.users_file, self.older_users_files)
        return tables.first_of_each([tables.users_table(read(text), text.path) for text in texts])

    def _texts(self, newest: str, older: tuple[str, ...]) -> Iterator[Text]:
        return (tables.read_text(path, self.adapter) for path in (newest, *older))

"""The layout of a movies' or users' file, as far as a format or the configuration says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import schema
from reelflow.data.formats import headers

FLAG: Final = f"{columns.GENRES}="
"""Before the name of a genre: a column that holds 1 if a movie is of it."""


@dataclass(frozen=True)
class TableLayout:
    """The knowledge of a file of movies or users before it is opened."""

    what: Literal["movies", "users"]
    delimiter: str = ""
    """Empty: found out."""
    columns: tuple[str | None, ...] | None = None
    """Canonical name of each column, None for one to ignore; None: by the header."""
    quoted: bool = True
    """True if values may stand in double quotes."""
    rest: int | None = None
    """Number of columns of which the last takes the rest of a line, delimiters too."""
    encoding: str = ""
    """Empty: UTF-8, or Latin-1 where a file is not UTF-8."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Canonical column to header name or position, of this kind of file."""
    ratings_mapping: Mapping[str, str] = field(default_factory=dict)
    """The ratings' mapping, which counts here too where its names occur."""
    features: tuple[str, ...] = ()
    """Further columns of the movies' file that the configuration declares as features."""
    genre_separator: str | None = None
    """Separator of lists of genres; None: found out."""
    numeric_ids: bool = False
    """True if whole numbers are the same id however they are written."""
    links: str = ""
    """Path of the links' file, which has the ratings' ids of the movies; empty: there is none."""
    links_declared: bool = False
    """True if the configuration names it; else it counts only where the ids are those of TMDB."""
    credits: str = ""
    """Path of the file of casts and crews; empty: there is none."""

    @property
    def setting(self) -> str:
        """Name of the mapping in the configuration."""
        return f"data.{self.what}_columns"

    @property
    def known(self) -> tuple[str, ...]:
        """Canonical columns of such a file, the id first."""
        return columns.MOVIES_COLUMNS if self.what == "movies" else tuple(schema.USERS.names)

    @property
    def by_position(self) -> bool:
        """True if the mapping gives positions, so that there is no header."""
        return bool(self.mapping) and all(name.isdecimal() for name in self.mapping.values())

    def find(self, names: Sequence[str], path: str) -> dict[str, int]:
        """Return the positions of canonical columns by a header.

        Raises:
            BadInput: it does not name the id.
        """
        mapping = {
            column: name
            for column, name in self.ratings_mapping.items()
            if column in self.known and name in names
        }
        return headers.find_columns(
            [headers.without_type(name) for name in names],
            self.known,
            self.known[:1],
            {**mapping, **self.mapping},
            path,
            self.setting,
            headers.MOVIES_ALIASES if self.what == "movies" else headers.USERS_ALIASES,
        )

    def places(self, first: Sequence[str], path: str) -> dict[str, int]:
        """Return the positions of canonical columns by positions of the mapping, from 1.

        Raises:
            BadInput: there is no such column, or two are at the same place.
        """
        found: dict[str, int] = {}
        for column, text in self.mapping.items():
            at = int(text) - 1
            if not 0 <= at < len(first):
                raise BadInput(
                    f"{path}: {self.setting} maps {column} to {text}; "
                    f"there are {len(first)} columns.",
                    f"Give a position from 1 to {len(first)}, or a name of the header.",
                )
            if at in found.values():
                raise BadInput(f"{self.setting}: two columns are mapped to {text}.")
            found[column] = at
        if self.known[0] not in found:
            raise BadInput(
                f"{path}: {self.setting} gives positions, but none for {self.known[0]}.",
                f'Add {self.known[0]} = "1", or whichever it is.',
            )
        return found

    def understands(self, names: Sequence[str]) -> bool:
        """Return True if a header names what is needed."""
        try:
            self.find(names, "")
        except BadInput:
            return False
        return True


MOVIES: Final = TableLayout("movies")
"""All is found out."""
USERS: Final = TableLayout("users")
"""Likewise."""

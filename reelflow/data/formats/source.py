"""A data folder whose files are found, and what is read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from reelflow.config import Format
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, RatingsFile, Text


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
    """Movies' files of earlier spans, the newest first, for movies that later ones lack."""
    older_users_files: tuple[str, ...] = ()
    """The same of users."""

    @property
    def paths(self) -> list[str]:
        """Every file that is read."""
        tables_read = [self.movies_file, *self.older_movies_files, self.users_file]
        named = [*(file.path for file in self.ratings_files), *tables_read]
        return [path for path in (*named, *self.older_users_files) if path is not None]

    def read_movies(self) -> pa.Table | None:
        """The catalogue in the file's order, or None if the source has no movies' file.

        Returns:
            A table of `ratings.schema.MOVIES`: movie_id string, title string, genres list<string>,
            year int64; if columns are declared as features, also features list<string>.

        Raises:
            BadInput: the file cannot be decoded or read, or a movie is in it twice.
        """
        if self.movies_file is None:
            return None
        # A span may bring no new movie.
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

"""A data folder, or the folders of several spans: the files in it, and what is read from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format, SplitConfig, SplitKind
from reelflow.data import files
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, RatingsFile, Text
from reelflow.data.formats.headers import open_ratings_file
from reelflow.data.formats.recognise import find_adapter, matching
from reelflow.data.spans import Window

_SYNTHETIC: Final = b"SYNTHETIC DATA"


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
    """Users' files of earlier spans, likewise."""

    @property
    def paths(self) -> list[str]:
        """Every file that is read."""
        tables_read = [self.movies_file, *self.older_movies_files, self.users_file]
        named = [*(file.path for file in self.ratings_files), *tables_read]
        return [path for path in (*named, *self.older_users_files) if path is not None]

    def read_movies(self) -> pa.Table | None:
        """Read the catalogue in the file's order, or None if the source has no movies' file.

        Returns:
            A table of `schema.MOVIES`: movie_id string, title string, genres list<string>,
            year int64; if columns are declared as features, also features list<string>.

        Raises:
            BadInput: the file cannot be decoded or read, or a movie is in it twice.
        """
        if self.movies_file is None:
            return None
        # A span may bring no new movie.
        required = not self.older_movies_files
        parts = [
            tables.movies_table(
                self.adapter.read_movies(text), text.path, bool(text.features), required
            )
            for text in self._texts(self.movies_file, self.older_movies_files)
        ]
        return tables.first_of_each(parts)

    def read_users(self) -> pa.Table | None:
        """Read user attributes in the file's order; None if there is no users' file.

        Returns:
            A table of `schema.USERS`.

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


def open_source(config: DataConfig, folder: str, split: SplitConfig) -> Source:
    """Recognise a data folder and read the headers of its ratings files.

    Args:
        config: format, globs, column mapping and range; `config.path` is not looked at.
        folder: the data folder, local or remote.
        split: names the ratings files if it is `predefined`.

    Returns:
        The source; rows have not been read yet.

    Raises:
        BadInput: a folder, file or column is missing, or a file is empty or unreadable. The message
            says which, what was found and what to do.
    """
    return _open(config, split, [_Folder.of(folder)], [])


def open_window(config: DataConfig, window: Window, split: SplitConfig) -> Source:
    """Open several spans as one source, whose files are those of all of them.

    Ratings are those of the window's spans. Movies and users may be described in each span, in one
    file above the spans, or both; of a movie that is there more than once the newest line counts.

    Args:
        config: as for `open_source`.
        split: as for `open_source`.
        window: the spans.

    Raises:
        BadInput: as for `open_source`.
    """
    folders = [_Folder.of(span.folder, f"{span.name}/") for span in window.spans]
    tables_only = [_Folder.of(span.folder) for span in reversed(window.earlier)]
    above = _Folder.of(window.above) if files.exists(window.above) else _Folder(window.above, [])
    return _open(config, split, folders, [*tables_only, above])


def _open(
    config: DataConfig, split: SplitConfig, folders: list[_Folder], tables_only: list[_Folder]
) -> Source:
    """A source of one or more folders.

    Args:
        config: as for `open_source`.
        split: as for `open_source`.
        folders: of ratings, movies and users; the oldest first, and the newest is recognised.
        tables_only: further folders of movies and users, the newest first.
    """
    newest, with_tables = folders[-1], [*reversed(folders), *tables_only]
    # Movies' files alone may prove a format, and they may lie above the spans.
    names = dict.fromkeys(name for at in (newest, *tables_only[-1:]) for name in at.names)
    adapter = find_adapter(config, newest.path, list(names), newest.folders)
    ratings_files = tuple(
        replace(
            open_ratings_file(at.path, name, adapter, split=split_name), name=f"{at.label}{name}"
        )
        for split_name, glob in _ratings_globs(split, adapter).items()
        for at in folders
        for name in at.matching_files(
            "ratings" if split_name is None else f"split.{split_name}", glob
        )
    )
    _check_predefined(ratings_files)
    movies = _tables(with_tables, "movies", adapter.movies)
    if not movies and adapter.movies_required:
        newest.matching_files("movies", adapter.movies)
    users = _tables(with_tables, "users", adapter.users) if config.use_users else []
    return Source(
        format=adapter.format,
        folder=newest.path,
        ratings_files=ratings_files,
        movies_file=movies[0] if movies else None,
        users_file=users[0] if users else None,
        rating_min=adapter.rating_min if config.rating_min is None else config.rating_min,
        rating_max=adapter.rating_max if config.rating_max is None else config.rating_max,
        has_timestamps=_have_timestamps(ratings_files),
        synthetic=any(_is_synthetic(at) for at in (*folders, *tables_only[-1:])),
        adapter=replace(adapter, movie_features=config.movie_features),
        older_movies_files=tuple(movies[1:]),
        older_users_files=tuple(users[1:]),
    )


@dataclass(frozen=True)
class _Folder:
    path: str
    names: list[str]
    folders: list[str] = field(default_factory=list)
    label: str = ""
    """Prefix of the names of its files in messages."""

    @classmethod
    def of(cls, path: str, label: str = "") -> _Folder:
        return cls(path, *files.list_folder(path), label)

    def matching_files(self, what: str, glob: str) -> list[str]:
        """Return the names that match a glob; none is an error."""
        chosen = matching(self.names, glob)
        if not chosen:
            raise BadInput(
                f"No {what} file {glob} is in {self.path}, which holds {', '.join(self.names)}.",
                "Put the file there, or set the right data.format and globs.",
            )
        return chosen

    def single_file(self, what: str, glob: str) -> str | None:
        """Return the path of the only file that matches a glob, or None."""
        chosen = matching(self.names, glob)
        if len(chosen) > 1:
            raise BadInput(
                f"Several {what} files match {glob} in {self.path}: {', '.join(chosen)}.",
                f"Name one of them in data.{what}.",
            )
        return files.join(self.path, chosen[0]) if chosen else None


def _tables(folders: list[_Folder], what: str, glob: str) -> list[str]:
    """The folders' files of movies or users, those that there are, in the given order."""
    return [path for at in folders if (path := at.single_file(what, glob)) is not None]


def _ratings_globs(split: SplitConfig, adapter: Adapter) -> dict[str | None, str]:
    """Globs of the ratings files by split, train first: of equal rows the first is kept."""
    if split.kind is not SplitKind.PREDEFINED:
        return {None: adapter.ratings}
    globs = {
        columns.TRAIN: split.train,
        columns.VALIDATION: split.validation,
        columns.TEST: split.test,
    }
    return {name: glob for name, glob in globs.items() if isinstance(glob, str)}


def _check_predefined(ratings_files: tuple[RatingsFile, ...]) -> None:
    split_of: dict[str, str | None] = {}
    for file in ratings_files:
        if split_of.setdefault(file.path, file.split) != file.split:
            raise BadInput(
                f"{file.name} is both in split.{split_of[file.path]} and in split.{file.split}.",
                "Make the file names or globs exclude each other.",
            )


def _have_timestamps(ratings_files: tuple[RatingsFile, ...]) -> bool:
    with_column = [f.name for f in ratings_files if columns.TIMESTAMP in f.layout.columns]
    without = [f.name for f in ratings_files if columns.TIMESTAMP not in f.layout.columns]
    if with_column and without:
        raise BadInput(
            f"{with_column[0]} has timestamps, {without[0]} has none.",
            "Give all ratings files a timestamp column, or none.",
        )
    return bool(with_column)


def _is_synthetic(folder: _Folder) -> bool:
    """Return True if the folder's README says that a program made the data."""
    if "README.txt" not in folder.names:
        return False
    with files.open_content(files.join(folder.path, "README.txt"), gzipped=False) as file:
        return file.read(len(_SYNTHETIC)) == _SYNTHETIC

"""A data folder, or the folders of several spans: the files in it, and what is read from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format, Ids, SplitConfig, SplitKind
from reelflow.data import containers, files
from reelflow.data.formats import headers, tables
from reelflow.data.formats.adapter import Adapter, RatingsFile
from reelflow.data.formats.companions import What, find_companions
from reelflow.data.formats.layouts import TableLayout
from reelflow.data.formats.opening import open_ratings_file
from reelflow.data.formats.recognise import find_adapter, find_table, look_alikes, matching
from reelflow.data.formats.tables import TableReading
from reelflow.data.scale import Bounds
from reelflow.data.spans import Window

TRAINING_SET: Final = "training_set"
"""Sub-folder of the Netflix Prize, with a file for each movie."""


@dataclass(frozen=True)
class Source:
    """A recognised data folder. The order of `ratings_files` is the order of their rows."""

    format: Format
    folder: str
    ratings_files: tuple[RatingsFile, ...]
    movies_file: str | None
    users_file: str | None
    limits: Bounds
    """Of valid ratings, by the configuration."""
    documented: Bounds | None
    """The format's own scale, if it has one."""
    unrated: tuple[float, ...]
    """Values that stand for "not rated"."""
    has_ratings: bool
    """False if the files have no column of ratings, or none that is read."""
    has_timestamps: bool
    synthetic: bool
    adapter: Adapter
    older_movies_files: tuple[str, ...] = ()
    """Movies' files of earlier spans, the newest first, for movies that later ones lack."""
    older_users_files: tuple[str, ...] = ()
    """Users' files of earlier spans, likewise."""
    look_alikes: tuple[str, ...] = ()
    """Files that are not read although their names are those of ratings: the same compressed, or
    another kind of file."""

    @property
    def paths(self) -> list[str]:
        """Every file that is read."""
        layout = self.adapter.movies_layout
        movies = (self.movies_file, *self.older_movies_files, layout.links, layout.credits)
        users = (self.users_file, *self.older_users_files)
        ratings = (file.path for file in self.ratings_files)
        return [path for path in (*ratings, *movies, *users) if path]

    def read_movies(self) -> pa.Table | None:
        """Read the catalogue in the file's order; None if there is no movies' file.

        Returns:
            A table of `schema.MOVIES`; if columns are declared as features, also `schema.FEATURES`.

        Raises:
            BadInput: as for `movies_reading`.
        """
        reading = self.movies_reading()
        return None if reading is None else reading.table

    def read_users(self) -> pa.Table | None:
        """Read user attributes (`schema.USERS`) in the file's order; None if there is no such file.

        Raises:
            BadInput: as for `users_reading`.
        """
        reading = self.users_reading()
        return None if reading is None else reading.table

    def movies_reading(self) -> TableReading | None:
        """Read the catalogue, with the account of its files; None if there is no movies' file.

        Raises:
            BadInput: a file cannot be read, names no id, or has too many bad rows.
        """
        # A span may bring no new movie.
        required = not self.older_movies_files
        return self._reading(
            self.movies_file, self.older_movies_files, self.adapter.movies_layout, required
        )

    def users_reading(self) -> TableReading | None:
        """Read user attributes, with the account of their files; None if there is no such file.

        Raises:
            BadInput: as for `movies_reading`.
        """
        return self._reading(
            self.users_file, self.older_users_files, self.adapter.users_layout, required=True
        )

    def _reading(
        self, newest: str | None, older: tuple[str, ...], layout: TableLayout, required: bool
    ) -> TableReading | None:
        if newest is None:
            return None
        return tables.first_of_each(
            [
                tables.read_table(path, self._name_of(path), layout, required)
                for path in (newest, *older)
            ]
        )

    def _name_of(self, path: str) -> str:
        """Return the name of a file, with the span's folder if it is not in the newest one."""
        inside = path.removeprefix(f"{self.folder.rstrip('/')}/")
        return inside if inside != path else "/".join(path.split("/")[-2:])


def open_source(config: DataConfig, folder: str, split: SplitConfig) -> Source:
    """Recognise a data folder, local or remote, and read the headers of its ratings files.

    Args:
        config: format, globs, column mapping and range; `config.path` is not looked at.
        folder: the data folder.
        split: names the ratings files if it is `predefined`.

    Raises:
        BadInput: a folder, file or column is missing, or a file is empty or unreadable.
    """
    return _open(config, split, [_Folder.of(folder)], [])


def open_window(config: DataConfig, window: Window, split: SplitConfig) -> Source:
    """Open several spans as one source, whose files are those of all of them.

    Ratings are those of the window's spans. Movies and users may be described in each span, in one
    file above the spans, or both; of a movie that is there more than once the newest line counts.

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
    """Make a source of one or more folders.

    The format is recognised by the newest, the last of `folders`. `tables_only` are further folders
    of movies and users, the newest first.
    """
    newest, with_tables = folders[-1], [*reversed(folders), *tables_only]
    # Movies' files alone may prove a format, and they may lie above the spans.
    names = dict.fromkeys(name for at in (newest, *tables_only[-1:]) for name in at.names)
    adapter = find_adapter(config, newest.path, list(names), newest.folders)
    if adapter is None:
        names.update(dict.fromkeys(newest.members))
        adapter = find_adapter(config, newest.path, list(names), newest.folders)
    if adapter is None:
        adapter = find_table(config, newest.path, [*names], newest.folders)
    globs: dict[str | None, object] = {None: adapter.ratings}
    if split.kind is SplitKind.PREDEFINED:  # train first: of equal rows the first is kept
        globs = {name: getattr(split, name) for name in columns.RATING_SPLITS}
    ratings_files = tuple(
        replace(
            open_ratings_file(at.path, name, adapter, split_name, config),
            name=f"{at.label}{name}",
        )
        for split_name, glob in globs.items()
        if isinstance(glob, str)
        for at in folders
        for name in at.matching_files(
            "ratings" if split_name is None else f"split.{split_name}", glob
        )
    )
    archives = _check_archives(ratings_files)
    read = {file.name for file in ratings_files}
    likely = [
        f"{at.label}{name}" for at in folders for name in look_alikes(at.names, adapter.ratings)
    ]
    taken = [file.path for file in ratings_files]
    movies = _tables(with_tables, "movies", adapter.movies, taken, archives)
    if not movies and adapter.movies_required and adapter.movies:
        newest.matching_files("movies", adapter.movies)
    users: list[str] = []
    if config.use_users:
        users = _tables(with_tables, "users", adapter.users, taken, archives)
    links = credit = []
    if adapter.format is Format.CSV and movies:
        links = _tables(with_tables, "links", config.links, taken, archives)
        credit = _tables(with_tables, "credits", config.credits, taken, archives)
    _check_splits(ratings_files)
    return Source(
        format=adapter.format,
        folder=newest.path,
        ratings_files=ratings_files,
        movies_file=movies[0] if movies else None,
        users_file=users[0] if users else None,
        limits=Bounds(
            -math.inf if config.rating_min is None else config.rating_min,
            math.inf if config.rating_max is None else config.rating_max,
        ),
        documented=None if adapter.scale is None else Bounds(*adapter.scale),
        unrated=adapter.unrated if config.unrated is None else config.unrated_values,
        has_ratings=_all_have(ratings_files, columns.RATING),
        has_timestamps=_all_have(ratings_files, columns.TIMESTAMP),
        synthetic=any(_is_synthetic(at) for at in (*folders, *tables_only[-1:])),
        adapter=replace(
            adapter,
            movies_layout=replace(
                _configured(adapter.movies_layout, config, config.movies_columns),
                links=next(iter(links), ""),
                links_declared=bool(config.links),
                credits=next(iter(credit), ""),
            ),
            users_layout=_configured(adapter.users_layout, config, config.users_columns),
        ),
        older_movies_files=tuple(movies[1:]),
        older_users_files=tuple(users[1:]),
        look_alikes=tuple(name for name in likely if len(folders) == 1 and name not in read),
    )


def _configured(layout: TableLayout, config: DataConfig, mapping: Mapping[str, str]) -> TableLayout:
    """Return a layout with the settings of the section `data`.

    Raises:
        BadInput: the mapping names a column that Reelflow does not know.
    """
    headers.check_mapping(mapping, layout.setting)
    return replace(
        layout,
        mapping=mapping,
        ratings_mapping=config.columns,
        features=config.movie_features if layout.what == "movies" else (),
        genre_separator=config.genre_separator or layout.genre_separator,
        numeric_ids=config.ids is Ids.NUMBER,
        encoding=config.encoding or layout.encoding,
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
        names, folders = files.list_folder(path)
        if TRAINING_SET in folders:
            below, _ = files.list_folder(files.join(path, TRAINING_SET))
            names += [f"{TRAINING_SET}/{name}" for name in below]
        return cls(path, names, folders, label)

    @cached_property
    def members(self) -> list[str]:
        """Names of the files in the folder's zip archives."""
        prefix = len(files.join(self.path, ""))
        archives = [name for name in self.names if containers.is_archive(name)]
        found = (containers.members(files.join(self.path, name)) for name in archives)
        return [path[prefix:] for paths in found for path in paths]

    def matching_files(self, what: str, glob: str) -> list[str]:
        """Return the names that match a glob, also in archives; none is an error."""
        chosen = matching(self.names, glob) or matching(self.members, glob)
        if not chosen:
            raise BadInput(
                f"No {what} file {glob.partition('|')[0]} is in {self.path}, which holds "
                f"{', '.join(self.names)}.",
                "Put the file there, or set the right data.format and globs.",
            )
        return chosen


def _tables(
    folders: list[_Folder], what: What, glob: str | None, taken: list[str], archives: bool
) -> list[str]:
    """Return the folders' files of movies, users etc., at most one of each, in the given order.

    Without a glob they are known by their names; `taken` are paths of ratings files. They may lie
    in archives where the ratings do.
    """
    paths = []
    for at in folders:
        chosen: list[str] = []
        for names in (at.names, at.members if archives else []):
            free = [name for name in names if files.join(at.path, name) not in taken]
            chosen = chosen or (
                find_companions(free, what) if glob is None else matching(names, glob)
            )
        if len(chosen) > 1:
            raise BadInput(
                f"Several files of {what} are in {at.path}: {', '.join(chosen)}.",
                f"Name one of them in data.{what}.",
            )
        paths += [files.join(at.path, name) for name in chosen]
    return paths


def _check_archives(ratings_files: tuple[RatingsFile, ...]) -> bool:
    """Refuse files of the same name in several archives; return True if any is in an archive."""
    archive_of: dict[str, str] = {}
    for file in ratings_files:
        archive, member = files.split_path(file.path)
        name = containers.base_name(member)
        if member and file.split is None and archive_of.setdefault(name, archive) != archive:
            raise BadInput(
                f"{name} is in {archive_of[name]} and in {archive}: these may be two data sets.",
                "Leave one archive in the folder, or unpack what is to be read.",
            )
    return bool(archive_of)


def _check_splits(ratings_files: tuple[RatingsFile, ...]) -> None:
    """Refuse a file that is in two splits."""
    split_of: dict[str, str | None] = {}
    for file in ratings_files:
        if split_of.setdefault(file.path, file.split) != file.split:
            raise BadInput(
                f"{file.name} is both in split.{split_of[file.path]} and in split.{file.split}.",
                "Make the file names or globs exclude each other.",
            )


def _all_have(ratings_files: tuple[RatingsFile, ...], column: str) -> bool:
    """Return True if the files have a column, False if none has.

    Raises:
        BadInput: only some have.
    """
    with_column = [f.name for f in ratings_files if column in f.layout.columns]
    without = [f.name for f in ratings_files if column not in f.layout.columns]
    if with_column and without:
        raise BadInput(
            f"{with_column[0]} has {column}s, {without[0]} has none.",
            f"Give all ratings files a {column} column, or none.",
        )
    return bool(with_column)


def _is_synthetic(folder: _Folder) -> bool:
    """Return True if the folder's README says that a program made the data."""
    if "README.txt" not in folder.names:
        return False
    beginning = b"SYNTHETIC DATA"
    with containers.open_content(files.join(folder.path, "README.txt")) as file:
        return file.read(len(beginning)) == beginning

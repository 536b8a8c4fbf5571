"""Source formats: from a data folder to the files in it and how to read them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format, SplitConfig, SplitKind
from reelflow.data import files
from reelflow.data.formats import generic, movielens, netflix
from reelflow.data.formats.adapter import Adapter, Layout, RatingsFile
from reelflow.data.formats.generic import open_ratings_file
from reelflow.data.formats.source import Source
from reelflow.data.spans import Window

__all__ = ["Layout", "RatingsFile", "Source", "open_source", "open_window"]

_SYNTHETIC = b"SYNTHETIC DATA"


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
    """The same of several spans: one source whose files are those of all of them.

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
        for name in at.some("ratings" if split_name is None else f"split.{split_name}", glob)
    )
    _check_predefined(ratings_files)
    movies = _tables(with_tables, "movies", adapter.movies)
    if not movies and adapter.movies_required:
        newest.some("movies", adapter.movies)
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
    """What stands before the names of its files in messages."""

    @classmethod
    def of(cls, path: str, label: str = "") -> _Folder:
        return cls(path, *files.list_folder(path), label)

    def some(self, what: str, glob: str) -> list[str]:
        """Names that match a glob; none is an error."""
        chosen = matching(self.names, glob)
        if not chosen:
            raise BadInput(
                f"No {what} file {glob} is in {self.path}, which holds {', '.join(self.names)}.",
                "Put the file there, or set the right data.format and globs.",
            )
        return chosen

    def one(self, what: str, glob: str) -> str | None:
        """Path of the only file that matches a glob, or None."""
        chosen = matching(self.names, glob)
        if len(chosen) > 1:
            raise BadInput(
                f"Several {what} files match {glob} in {self.path}: {', '.join(chosen)}.",
                f"Name one of them in data.{'movies' if what == 'movies' else what}.",
            )
        return files.join(self.path, chosen[0]) if chosen else None


def _tables(folders: list[_Folder], what: str, glob: str) -> list[str]:
    """The folders' files of movies or users, those that there are, in the given order."""
    return [path for at in folders if (path := at.one(what, glob)) is not None]


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


def _is_synthetic(found: _Folder) -> bool:
    """Whether the folder's README says that a program made the data."""
    if "README.txt" not in found.names:
        return False
    with files.open_content(files.join(found.path, "README.txt"), gzipped=False) as file:
        return file.read(len(_SYNTHETIC)) == _SYNTHETIC


# Which format a data folder has, by the files in it.


ADAPTERS: Final = (
    movielens.MOVIELENS_100K,
    movielens.MOVIELENS_1M,
    netflix.ADAPTER,
    movielens.MOVIELENS_CSV,
)
_SHOWN = 20


def matching(names: list[str], glob: str) -> list[str]:
    """Names that match a glob, with or without `.gz` behind them, in order."""
    return [n for n in names if glob and (fnmatch(n, glob) or fnmatch(n, f"{glob}.gz"))]


def find_adapter(config: DataConfig, folder: str, names: list[str], folders: list[str]) -> Adapter:
    """The adapter for a folder: the one that is named, or else the one whose files are there.

    A folder with `[data]` settings for own CSV files is taken as such.

    Args:
        config: what the configuration says about the data.
        folder: for messages.
        names: files in the folder.
        folders: sub-folders of the folder, for messages.

    Raises:
        BadInput: no format's files are there.
    """
    own = config.columns or config.ratings or config.delimiter != ","
    if config.format is Format.CSV or (config.format is Format.AUTO and own):
        return generic.adapter(config)
    for adapter in ADAPTERS:
        if config.format is adapter.format:
            return adapter
    for adapter in ADAPTERS:
        if _fits(adapter, folder, names):
            return adapter
    if matching(names, generic.RATINGS_GLOB):
        return generic.adapter(config)
    raise unrecognised(folder, names, folders)


def _fits(adapter: Adapter, folder: str, names: list[str]) -> bool:
    ratings, movies = matching(names, adapter.ratings), matching(names, adapter.movies)
    if adapter.format is not Format.MOVIELENS_CSV:
        # Either file is proof enough: a predefined split has ratings files of other names.
        return bool(ratings or movies)
    if not (ratings and movies):
        return False
    path = files.join(folder, ratings[0])
    with files.open_content(path, files.is_gzip(path)) as file:
        line = file.readline(4096).decode("utf-8-sig", errors="replace")
    return {"userId", "movieId", "rating", "timestamp"} <= set(line.strip().split(","))


def unrecognised(folder: str, names: list[str], folders: list[str]) -> BadInput:
    """The error for a folder in which no ratings were found."""
    found = ", ".join(names[:_SHOWN]) or "no files"
    if len(names) > _SHOWN:
        found += f" and {len(names) - _SHOWN} more"
    expected = ", ".join(f"{a.ratings} ({a.format.value})" for a in ADAPTERS)
    remedy = (
        'For CSV files of your own set data.format = "csv", data.ratings = "<glob>" and, unless '
        "the header says user_id, movie_id and rating, [data.columns]."
    )
    if folders:
        shown = ", ".join(folders[:_SHOWN])
        remedy = (
            f"Its sub-folders are: {shown}. Is it one of these? If they are spans, add "
            f"--span latest. {remedy}"
        )
    return BadInput(
        f"No ratings files were recognised in {folder}: found {found}; "
        f"expected one of {expected} or {generic.RATINGS_GLOB} (csv).",
        remedy,
    )

"""Source formats: from a data folder to the files in it and how to read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from components.trainer import features
from pipeline.config import DataConfig, SplitConfig, SplitKind
from ratings import files
from ratings.errors import BadInput
from ratings.formats.ratings_files import open_ratings_file
from ratings.formats.recognise import find_adapter, matching
from ratings.formats.source import Layout, RatingsFile, Source

__all__ = ["Layout", "RatingsFile", "Source", "open_source"]

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
    names, folders = files.list_folder(folder)
    adapter = find_adapter(config, folder, names, folders)
    found = _Folder(folder, names)
    if split.kind is SplitKind.PREDEFINED:
        by_split = _predefined(found, split)
    else:
        by_split = {None: found.some("ratings", adapter.ratings)}
    ratings_files = tuple(
        open_ratings_file(folder, name, adapter, split=split_name)
        for split_name, chosen in by_split.items()
        for name in chosen
    )
    movies = found.one("films", adapter.movies, required=adapter.movies_required)
    users = found.one("users", adapter.users, required=False) if config.use_users else None
    return Source(
        format=adapter.format,
        folder=folder,
        ratings_files=ratings_files,
        movies_file=movies,
        users_file=users,
        rating_min=adapter.rating_min if config.rating_min is None else config.rating_min,
        rating_max=adapter.rating_max if config.rating_max is None else config.rating_max,
        has_timestamps=_have_timestamps(ratings_files),
        synthetic=_is_synthetic(found),
        adapter=replace(adapter, movie_features=config.movie_features),
    )


@dataclass(frozen=True)
class _Folder:
    path: str
    names: list[str]

    def some(self, what: str, glob: str) -> list[str]:
        """Names that match a glob; none is an error."""
        chosen = matching(self.names, glob)
        if not chosen:
            raise BadInput(
                f"No {what} file {glob} is in {self.path}, which holds {', '.join(self.names)}.",
                "Put the file there, or set the right data.format and globs.",
            )
        return chosen

    def one(self, what: str, glob: str, required: bool) -> str | None:
        """Path of the only file that matches a glob, or None."""
        chosen = self.some(what, glob) if required else matching(self.names, glob)
        if len(chosen) > 1:
            raise BadInput(
                f"Several {what} files match {glob} in {self.path}: {', '.join(chosen)}.",
                f"Name one of them in data.{'movies' if what == 'films' else what}.",
            )
        return files.join(self.path, chosen[0]) if chosen else None


def _predefined(found: _Folder, split: SplitConfig) -> dict[str | None, list[str]]:
    """Files by split, train first: of rows in several splits the first is kept."""
    globs = {
        features.TRAIN: split.train,
        features.VALIDATION: split.validation,
        features.TEST: split.test,
    }
    by_split: dict[str | None, list[str]] = {}
    split_of: dict[str, str] = {}
    for name, glob in globs.items():
        if not isinstance(glob, str):
            continue
        by_split[name] = found.some(f"split.{name}", glob)
        for file in by_split[name]:
            if split_of.setdefault(file, name) != name:
                raise BadInput(
                    f"{file} is both in split.{split_of[file]} and in split.{name}.",
                    "Make the file names or globs exclude each other.",
                )
    return by_split


def _have_timestamps(ratings_files: tuple[RatingsFile, ...]) -> bool:
    with_column = [f.name for f in ratings_files if features.TIMESTAMP in f.layout.columns]
    without = [f.name for f in ratings_files if features.TIMESTAMP not in f.layout.columns]
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

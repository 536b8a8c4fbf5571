"""Which format a data folder has, by the files in it."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Final

from pipeline.config import DataConfig, Format
from ratings import files
from ratings.errors import BadInput
from ratings.formats import generic, movielens_1m, movielens_100k, movielens_csv, netflix
from ratings.formats.adapter import Adapter

ADAPTERS: Final = (
    movielens_100k.ADAPTER,
    movielens_1m.ADAPTER,
    netflix.ADAPTER,
    movielens_csv.ADAPTER,
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

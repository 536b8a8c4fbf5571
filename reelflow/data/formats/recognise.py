"""The table of source formats, and the recognition of a data folder by the files in it.

The format of a user's own CSV files is made from the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Final

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format
from reelflow.data import containers, files
from reelflow.data.formats import headers, movielens, netflix
from reelflow.data.formats.adapter import Adapter

ADAPTERS: Final[Mapping[Format, Adapter]] = {
    adapter.format: adapter
    for adapter in (
        movielens.MOVIELENS_100K,
        movielens.MOVIELENS_1M,
        netflix.ADAPTER,
        movielens.MOVIELENS_CSV,
    )
}
"""The formats, in the order in which they are looked for, but for `csv`: `own_csv`."""

RATINGS_GLOB: Final = "ratings*.csv*"
"""Of a user's own CSV files, unless the configuration has another."""


def matching(names: list[str], glob: str | None) -> list[str]:
    """Return the names that match a glob, with or without `.gz` behind them, in order."""
    return [n for n in names if glob and (fnmatch(n, glob) or fnmatch(n, f"{glob}.gz"))]


def own_csv(config: DataConfig) -> Adapter:
    """Return the adapter of a user's own CSV files, as the configuration describes them.

    Raises:
        BadInput: `data.columns` names a column that Reelflow does not know.
    """
    headers.check_mapping(config.columns, "data.columns")
    return Adapter(
        format=Format.CSV,
        ratings=config.ratings or RATINGS_GLOB,
        movies=config.movies,
        users=config.users,
        delimiter=config.delimiter or "",
        mapping=config.columns,
        quoted=True,
        movies_required=bool(config.movies),
    )


def find_adapter(config: DataConfig, folder: str, names: list[str], folders: list[str]) -> Adapter:
    """Return the adapter for a folder: the one named, or else the one whose files are there.

    A folder with `[data]` settings for own CSV files is taken as such. `names` are the folder's
    files, `folders` its sub-folders.

    Raises:
        BadInput: no format's files are there.
    """
    described = config.columns or config.ratings or config.delimiter or config.header is not None
    if config.format is Format.CSV or (config.format is Format.AUTO and described):
        return own_csv(config)
    if config.format is not Format.AUTO:
        return ADAPTERS[config.format]
    for adapter in ADAPTERS.values():
        if _fits(adapter, folder, names):
            return adapter
    if matching(names, RATINGS_GLOB):
        return own_csv(config)
    shown = 20  # names at most
    listed = ", ".join(names[:shown]) or "no files"
    if len(names) > shown:
        listed += f" and {len(names) - shown} more"
    expected = ", ".join(f"{a.ratings} ({a.format.value})" for a in ADAPTERS.values())
    remedy = (
        'For CSV files of your own set data.format = "csv", data.ratings = "<glob>" and, unless '
        "the header says user_id, movie_id and rating, [data.columns]."
    )
    if folders:
        remedy = (
            f"Its sub-folders are: {', '.join(folders[:shown])}. Is it one of these? "
            f"If they are spans, add --span latest. {remedy}"
        )
    raise BadInput(
        f"No ratings files were recognised in {folder}: found {listed}; "
        f"expected one of {expected} or {RATINGS_GLOB} (csv).",
        remedy,
    )


def _fits(adapter: Adapter, folder: str, names: list[str]) -> bool:
    ratings, movies = matching(names, adapter.ratings), matching(names, adapter.movies)
    if adapter.format is not Format.MOVIELENS_CSV:
        # Either file is proof enough: a predefined split has ratings files of other names.
        return bool(ratings or movies)
    if not (ratings and movies):
        return False
    path = files.join(folder, ratings[0])
    with containers.open_content(path) as file:
        line = file.readline(4096).decode("utf-8-sig", errors="replace")
    return {"userId", "movieId", "rating", "timestamp"} <= set(line.strip().split(","))

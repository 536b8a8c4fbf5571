"""The table of source formats, and the recognition of a data folder by the files in it.

The format of a user's own tables is made from the configuration.
"""

from __future__ import annotations

import glob as globs
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format
from reelflow.data import containers, files
from reelflow.data.formats import headers, movielens, netflix, others
from reelflow.data.formats.adapter import Adapter
from reelflow.data.formats.opening import open_ratings_file

ADAPTERS: Final[Mapping[Format, Adapter]] = {
    adapter.format: adapter
    for adapter in (
        movielens.MOVIELENS_100K,
        movielens.MOVIELENS_1M,
        netflix.ADAPTER,
        netflix.PRIZE,
        movielens.MOVIELENS_CSV,
        others.BOOK_CROSSING,
        others.RECBOLE,
    )
}
"""The formats, in the order in which they are looked for, but for `csv`: `own_csv`."""

EXTENSIONS: Final = "csv tsv txt dat data tab jsonl ndjson json parquet".split()
RATINGS_GLOB: Final = "|".join(
    ("ratings*.csv*", *(f"{stem}.{e}" for e in EXTENSIONS for stem in ("ratings*", "rating")))
)
"""Of a user's own tables, unless the configuration has another: the first of these that is there,
each also compressed."""
_LOOKED_AT: Final = 20
"""Files at most that are opened where no name says which holds the ratings."""
_PROSE: Final = ("readme", "licen", "notice", "changelog", "terms")
"""Beginnings of the names of files that are no tables."""
_SHOWN: Final = 20
"""Names at most that a message lists."""


def matching(names: Sequence[str], glob: str | None) -> list[str]:
    """Return the names that match a glob, in order; of several with `|` between the first counts.

    A compressed file is named with or without its ending. Files beside archives have precedence
    over those in archives, and a name beside the same name compressed.
    """
    for alternative in (glob or "").lower().split("|"):
        plain = [n for n in names if files.MEMBER not in n and _matches(n, alternative)]
        packed = [n for n in names if files.MEMBER in n and _matches(n, alternative)]
        if plain or packed:
            found = plain or packed
            return [n for n in found if (bare := _bare(n)) == n or bare not in found]
    return []


def _matches(name: str, glob: str) -> bool:
    candidates = {name, _bare(name), containers.base_name(name), _bare(containers.base_name(name))}
    return any(glob and fnmatchcase(candidate.lower(), glob) for candidate in candidates)


def _bare(name: str) -> str:
    """Return a name without the ending of a compressed file."""
    ending = next((e for e in containers.SUFFIXES if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def look_alikes(names: Sequence[str], glob: str) -> list[str]:
    """Return the names that match any of a glob's alternatives, as further files of ratings may."""
    return [n for n in names if any(_matches(n, a) for a in glob.lower().split("|"))]


def own_csv(config: DataConfig) -> Adapter:
    """Return the adapter of a user's own tables, as the configuration describes them.

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


def find_adapter(
    config: DataConfig, folder: str, names: list[str], folders: list[str]
) -> Adapter | None:
    """Return the adapter for a folder: the one named, or else the one whose files are there.

    A folder with `[data]` settings for own tables is taken as such. `names` are the folder's files
    or those of its archives too, `folders` its sub-folders; None if no format's files are there.
    """
    described = config.columns or config.ratings or config.delimiter or config.header is not None
    if config.format is Format.CSV or (config.format is Format.AUTO and described):
        own = own_csv(config)
        return own if config.ratings or matching(names, own.ratings) else None
    if config.format is not Format.AUTO:
        return ADAPTERS[config.format]
    for adapter in ADAPTERS.values():
        if _fits(adapter, folder, names):
            return adapter
    return own_csv(config) if matching(names, RATINGS_GLOB) else None


def find_table(config: DataConfig, folder: str, names: list[str], folders: list[str]) -> Adapter:
    """Return the adapter for the one file of a folder that is a table of ratings by its content.

    Args:
        config: the section `data`.
        folder: the data folder.
        names: its files, and those of its archives, none of which has a known name.
        folders: its sub-folders, for the message.

    Raises:
        BadInput: there is no such file, or there are several.
    """
    tables = [
        name
        for name in names
        if _bare(name).rpartition(".")[2].lower() in EXTENSIONS
        and not containers.base_name(name).lower().startswith(_PROSE)
    ]
    adapter, found, problems = own_csv(config), [], []
    for name in tables[:_LOOKED_AT]:
        try:
            open_ratings_file(folder, name, adapter, None, config)
            found.append(name)
        except BadInput as error:
            problems.append(error)
    if len(found) == 1:
        return replace(adapter, ratings=globs.escape(found[0]), only_table=True)
    if len(found) > 1:
        raise BadInput(
            f"{folder}: each of {_listed(found)} may hold the ratings.",
            f'Name one in data.ratings = "{found[0]}", or give a glob for several.',
        )
    if not tables and len(names) == 1:
        containers.compression_of(files.join(folder, names[0]))  # refuses workbooks in words
    # Beside tables of other things, the one that names users says best what is missing.
    telling = [problem for problem in problems if columns.USER_ID not in problem.message]
    if len(tables) == 1 or len(telling) == 1:
        raise (telling or problems)[0]
    remedy = (
        "The files of MovieLens, MovieTweetings, Netflix, Book-Crossing and RecBole are known by "
        "their names, and so are tables called ratings, as CSV, Parquet or JSON lines. For others "
        'set data.format = "csv", data.ratings = "<glob>" and, unless the header says user_id, '
        "movie_id and rating, [data.columns]."
    )
    if folders:
        remedy = (
            f"Its sub-folders are: {', '.join(folders[:_SHOWN])}. Is it one of these? "
            f"If they are spans, add --span latest. {remedy}"
        )
    raise BadInput(
        f"No ratings files were recognised in {folder}: found {_listed(names) or 'no files'}.",
        remedy,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _fits(adapter: Adapter, folder: str, names: list[str]) -> bool:
    ratings, movies = matching(names, adapter.ratings), matching(names, adapter.movies)
    if adapter.format is not Format.MOVIELENS_CSV:
        # Either file is proof enough: a predefined split has ratings files of other names.
        return bool(ratings or (movies and adapter.movies_required))
    if not (ratings and movies):
        return False
    with containers.open_content(files.join(folder, ratings[0])) as file:
        line = file.readline(4096).decode("utf-8-sig", errors="replace")
    return {"userId", "movieId", "rating", "timestamp"} <= set(line.strip().split(","))

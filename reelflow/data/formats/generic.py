"""A user's own CSV files: globs, delimiter and column names come from the configuration."""

from __future__ import annotations

import codecs
import difflib
from typing import Final

from reelflow.base import columns as features
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format
from reelflow.data import files
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, Layout, RatingsFile

RATINGS_GLOB = "ratings*.csv*"
MOVIES_GLOB = "movies*.csv*"
USERS_GLOB = "users*.csv*"


def adapter(config: DataConfig) -> Adapter:
    """The adapter that the configuration describes.

    Raises:
        BadInput: `data.columns` names a column that Reelflow does not know.
    """
    for column in config.columns:
        if column not in tables.ALIASES:
            near = difflib.get_close_matches(column, tables.ALIASES, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(tables.ALIASES)}."
            raise BadInput(f"data.columns: there is no column {column!r}.", remedy)
    return Adapter(
        format=Format.CSV,
        ratings=config.ratings or RATINGS_GLOB,
        movies=config.movies or MOVIES_GLOB,
        users=config.users or USERS_GLOB,
        delimiter=config.delimiter,
        mapping=config.columns,
        quoted=True,
        read_movies=tables.read_movies,
        read_users=tables.read_users,
        movies_required=config.movies is not None,
    )


# Ratings files: where the rows begin, and which column is which.


_HEADER_LIMIT: Final = 2**20
_REQUIRED: Final = (features.USER_ID, features.MOVIE_ID, features.RATING)


def open_ratings_file(folder: str, name: str, adapter: Adapter, split: str | None) -> RatingsFile:
    """Look at the beginning of a ratings file.

    Args:
        folder: the data folder.
        name: the file in it.
        adapter: its format.
        split: split that the file belongs to, if that is predefined.

    Raises:
        BadInput: the file is empty, unreadable, or its header lacks a column.
    """
    path = files.join(folder, name)
    gzipped = files.is_gzip(path)
    with files.open_content(path, gzipped) as file:
        first = file.readline(_HEADER_LIMIT)
    if not first:
        raise BadInput(f"{path} is empty.", "Restore the file, or take it out of the data folder.")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInput(f"{path} is UTF-16.", "Save the file as UTF-8.")
    mark = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
    if adapter.columns is not None:
        columns, data_start = adapter.columns, mark
    else:
        columns, data_start = _header_columns(first[mark:], path, adapter), len(first)
    layout = Layout(adapter.delimiter.encode(), columns, adapter.quoted)
    return RatingsFile(path, name, layout, data_start, gzipped, split)


def _header_columns(line: bytes, path: str, adapter: Adapter) -> tuple[str | None, ...]:
    text = line.decode("utf-8", errors="replace").rstrip("\r\n")
    names = tables.split_header(text, adapter.delimiter, adapter.quoted)
    found = tables.find_columns(
        names, features.RATINGS_COLUMNS, _REQUIRED, _ratings_mapping(adapter), path
    )
    at = {position: column for column, position in found.items()}
    return tuple(at.get(position) for position in range(len(names)))


def _ratings_mapping(adapter: Adapter) -> dict[str, str]:
    return {c: name for c, name in adapter.mapping.items() if c in features.RATINGS_COLUMNS}

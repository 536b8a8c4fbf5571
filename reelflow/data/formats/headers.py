"""Header lines of ratings, movies and users: the position of each canonical column."""

from __future__ import annotations

import codecs
import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import files
from reelflow.data.formats.adapter import Adapter, Layout, RatingsFile

_HEADER_LIMIT: Final = 2**20
_REQUIRED: Final = (columns.USER_ID, columns.MOVIE_ID, columns.RATING)

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    columns.USER_ID: ("userid", "user", "customerid", "uid"),
    columns.MOVIE_ID: ("movieid", "movie", "filmid", "itemid", "film", "item"),
    columns.RATING: ("rating", "ratings", "stars", "score"),
    columns.TIMESTAMP: ("timestamp", "ratingtimestamp", "unixtime", "ts"),
    columns.TITLE: ("title", "movietitle", "filmtitle", "name"),
    columns.GENRES: ("genres", "genre"),
    columns.YEAR: ("year", "releaseyear"),
    columns.GENDER: ("gender", "sex"),
    columns.AGE: ("age",),
    columns.OCCUPATION: ("occupation", "job"),
    columns.ZIP_CODE: ("zipcode", "zip", "postcode", "postalcode"),
}
"""Header names that are understood without a mapping: letters and digits in lower case."""


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
        names, data_start = adapter.columns, mark
    else:
        names, data_start = _header_columns(first[mark:], path, adapter), len(first)
    layout = Layout(adapter.delimiter.encode(), names, adapter.quoted)
    return RatingsFile(path, name, layout, data_start, gzipped, split)


def _header_columns(line: bytes, path: str, adapter: Adapter) -> tuple[str | None, ...]:
    text = line.decode("utf-8", errors="replace").rstrip("\r\n")
    names = split_header(text, adapter.delimiter, adapter.quoted)
    mapping = {c: name for c, name in adapter.mapping.items() if c in columns.RATINGS_COLUMNS}
    positions = find_columns(names, columns.RATINGS_COLUMNS, _REQUIRED, mapping, path)
    column_at = {position: column for column, position in positions.items()}
    return tuple(column_at.get(position) for position in range(len(names)))


def split_header(line: str, delimiter: str, quoted: bool = True) -> list[str]:
    """Return the names in a header line, without surrounding blanks."""
    if not quoted:
        return [name.strip() for name in line.split(delimiter)]
    names = next(csv.reader([line], delimiter=delimiter), [])
    return [name.strip() for name in names]


def find_columns(
    names: Sequence[str],
    known: Sequence[str],
    required: Sequence[str],
    mapping: Mapping[str, str],
    path: str,
) -> dict[str, int]:
    """Return the positions of canonical columns.

    Args:
        names: the header's names.
        known: canonical columns to look for.
        required: those of `known` that must be there.
        mapping: canonical column to header name, from the configuration.
        path: the file, for messages.

    Returns:
        Canonical column to position, for the columns that were found.

    Raises:
        BadInput: a required column is missing; says which names there are, and the nearest.
    """
    positions = {}
    for column in known:
        position = _position(names, column, mapping.get(column))
        if position is not None:
            positions[column] = position
    # A mapped column has to be there even if it is not required.
    required = [*required, *(c for c in known if c in mapping and c not in required)]
    missing = [column for column in required if column not in positions]
    if missing:
        raise _wrong_header(names, missing, mapping, path)
    return positions


def _position(names: Sequence[str], column: str, mapped: str | None) -> int | None:
    if mapped is not None:
        return names.index(mapped) if mapped in names else None
    simple = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]
    return next((simple.index(alias) for alias in ALIASES[column] if alias in simple), None)


def _wrong_header(
    names: Sequence[str], missing: Sequence[str], mapping: Mapping[str, str], path: str
) -> BadInput:
    hints = []
    for column in missing:
        near = difflib.get_close_matches(mapping.get(column, column), names, n=1, cutoff=0.4)
        hints.append(f'{column} = "{near[0] if near else "..."}"')
    listed = ", ".join(f"{c} (mapped to {mapping[c]})" if c in mapping else c for c in missing)
    return BadInput(
        f"{path}: the header has no column for {listed}; it has: {', '.join(names)}.",
        f"Say which is which in the configuration: [data.columns] {', '.join(hints)}"
        ' (with data.format = "csv"), and check data.delimiter.',
    )

"""Header lines: which column of a CSV is which canonical column."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from components.trainer import features
from ratings import schema
from ratings.errors import BadInput

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    features.USER_ID: ("userid", "user", "customerid", "uid"),
    features.MOVIE_ID: ("movieid", "movie", "filmid", "itemid", "film", "item"),
    features.RATING: ("rating", "ratings", "stars", "score"),
    features.TIMESTAMP: ("timestamp", "ratingtimestamp", "unixtime", "ts"),
    features.TITLE: ("title", "movietitle", "filmtitle", "name"),
    features.GENRES: ("genres", "genre"),
    features.YEAR: ("year", "releaseyear"),
    schema.GENDER: ("gender", "sex"),
    schema.AGE: ("age",),
    schema.OCCUPATION: ("occupation", "job"),
    schema.ZIP_CODE: ("zipcode", "zip", "postcode", "postalcode"),
}
"""Header names that are understood without a mapping: letters and digits in lower case."""


def split_header(line: str, delimiter: str, quoted: bool = True) -> list[str]:
    """The names in a header line, without surrounding blanks."""
    if not quoted:
        return [name.strip() for name in line.split(delimiter)]
    names = next(csv.reader([line], delimiter=delimiter), [])
    return [name.strip() for name in names]


def find_columns(
    names: Sequence[str],
    wanted: Sequence[str],
    required: Sequence[str],
    mapping: Mapping[str, str],
    path: str,
) -> dict[str, int]:
    """Positions of the wanted canonical columns.

    Args:
        names: the header's names.
        wanted: canonical columns to look for.
        required: those of `wanted` that must be there.
        mapping: canonical column to header name, from the configuration.
        path: the file, for messages.

    Returns:
        Canonical column to position, for the columns that were found.

    Raises:
        BadInput: a required column is missing; says which names there are, and the nearest.
    """
    found = {}
    for column in wanted:
        position = _position(names, column, mapping.get(column))
        if position is not None:
            found[column] = position
    missing = [column for column in required if column not in found]
    # A mapped column that is not required is asked for all the same.
    missing += [c for c in wanted if c in mapping and c not in found and c not in missing]
    if missing:
        raise _wrong_header(names, missing, mapping, path)
    return found


def _position(names: Sequence[str], column: str, mapped: str | None) -> int | None:
    if mapped is not None:
        return names.index(mapped) if mapped in names else None
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]
    return next((plain.index(alias) for alias in ALIASES[column] if alias in plain), None)


def _wrong_header(
    names: Sequence[str], missing: Sequence[str], mapping: Mapping[str, str], path: str
) -> BadInput:
    hints = []
    for column in missing:
        near = difflib.get_close_matches(mapping.get(column, column), names, n=1, cutoff=0.4)
        hints.append(f'{column} = "{near[0] if near else "..."}"')
    wanted = ", ".join(f"{c} (mapped to {mapping[c]})" if c in mapping else c for c in missing)
    return BadInput(
        f"{path}: the header has no column for {wanted}; it has: {', '.join(names)}.",
        f"Say which is which in the configuration: [data.columns] {', '.join(hints)}"
        ' (with data.format = "csv"), and check data.delimiter.',
    )

"""Further files about movies that have other ids than the ratings: links and credits.

The data of The Movie Database as they are published with MovieLens' ratings: `links.csv` tells the
ratings' ids of its movies, `credits.csv` has casts and crews as Python or JSON writes them.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data.formats import headers
from reelflow.data.formats.cells import Cell
from reelflow.data.formats.layouts import TableLayout
from reelflow.data.formats.records import open_table
from reelflow.data.ids import number_id

DIRECTOR: Final = "director"
STAR: Final = "star"
PEOPLE: Final = (DIRECTOR, STAR)
"""Features that credits have."""
_OBJECT: Final = re.compile(r"\{[^{}]*\}")
_LINKED: Final = TableLayout("movies")


def linked_id(identity: str) -> str:
    """Return an id as links have it: `tt0114709` and `114709.0` are 114709."""
    return number_id(re.sub(r"^tt(?=\d)", "", identity.strip()))


def read_links(path: str, ids: Sequence[str]) -> dict[str, list[str]]:
    """Read the ratings' ids of movies by the ids that the movies' file has.

    Of several columns that may be meant the one counts that has most of the ids.

    Args:
        path: the links' file; its header names the ratings' ids as a ratings file does.
        ids: of the movies' file.

    Raises:
        BadInput: the file cannot be read, or has none of the ids.
    """
    opened = open_table(path, _LINKED)
    names = opened.found.names
    own = headers.find_columns(names, [columns.MOVIE_ID], [], {}, path)
    if not own:
        raise BadInput(
            f"{path}: the header names no movie id; it has: {', '.join(names)}.",
            "Rename the column that has the ids of the ratings to movieId.",
        )
    at_own = own[columns.MOVIE_ID]
    wanted = {linked_id(identity) for identity in ids}
    found: list[dict[str, list[str]]] = [{} for _ in names]
    for record in opened.records:
        if record.refused is not None:
            continue
        for at, cell in enumerate(record.cells):
            key = linked_id(cell) if isinstance(cell, str) else ""
            if at != at_own and key in wanted:
                found[at].setdefault(key, []).append(_id(record.cells[at_own]))
    best = max(found, key=len)
    if not best:
        others = ", ".join(name for at, name in enumerate(names) if at != at_own)
        raise BadInput(
            f"{path}: none of the ids of the movies' file is in it, in {others or 'no column'}.",
            "Name the right column of the movies' file in data.movies_columns, or set "
            'data.links = "".',
        )
    return best


def _id(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "|".join(cell)


def read_credits(path: str, features: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Read directors and the leading star by the ids that the movies' file has.

    Args:
        path: the file; it has an id, and columns `cast` and `crew`.
        features: names of those wanted, of `PEOPLE`, as the configuration writes them.

    Raises:
        BadInput: the file cannot be read, or has no id.
    """
    opened = open_table(path, _LINKED)
    names = [headers.simple_name(name) for name in opened.found.names]
    place = _LINKED.find(opened.found.names, path)[columns.MOVIE_ID]
    people: dict[str, dict[str, list[str]]] = {}
    for record in opened.records:
        if record.refused is not None:
            continue
        cells = dict(zip(names, record.cells, strict=True))
        of_movie = {
            DIRECTOR: _directors(cells.get("crew", "")),
            STAR: _stars(cells.get("cast", "")),
        }
        people.setdefault(
            linked_id(_id(record.cells[place])),
            {name: of_movie[name.lower()] for name in features},
        )
    return people


def _directors(cell: Cell) -> list[str]:
    if not isinstance(cell, str):
        return []
    people = (_object(text) for text in _OBJECT.findall(cell) if "Director" in text)
    return list(dict.fromkeys(str(one["name"]) for one in people if one.get("job") == "Director"))


def _stars(cell: Cell) -> list[str]:
    if not isinstance(cell, str):
        return cell[:1]
    first = min(_OBJECT.findall(cell), key=_order, default="")
    return [str(one["name"]) for one in [_object(first)] if one]


def _order(text: str) -> float:
    match = re.search(r"['\"]order['\"]: ?(\d{1,9})", text)
    return float(match[1]) if match else math.inf


def _object(text: str) -> Mapping[str, Any]:
    """Read one object of a list that has a name; empty if it is none.

    The lists are not read as a whole: those of 45,000 movies would take a minute.
    """
    for read in (ast.literal_eval, json.loads):
        try:
            one = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return one if isinstance(one, dict) and "name" in one else {}
    return {}

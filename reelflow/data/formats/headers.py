"""Header lines: the names that are understood, and hints where none is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput

_THINGS: Final = (
    *("movie", "film", "item", "product", "track", "song", "book", "game", "anime", "artist"),
    "show",
)
"""Words for an item; in a table of items a column of such a name may be the id or the title."""

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    columns.USER_ID: (
        *("userid", "user", "uid", "customerid", "customer", "reviewerid", "reviewer"),
        *("memberid", "member", "clientid", "client", "accountid", "account", "visitorid"),
        *("profileid", "username"),
    ),
    # Of two that a file has the first counts, so the finer thing comes first: a track, then its
    # artist; of the names of Amazon's variants the one that their descriptions have.
    columns.MOVIE_ID: (
        *("movieid", "filmid", "itemid", "productid", "trackid", "songid", "bookid", "gameid"),
        *("animeid", "showid", "isbn", "parentasin", "asin", "artistid", *_THINGS),
    ),
    columns.RATING: (
        *("rating", "ratings", "stars", "score", "overall", "bookrating", "movierating"),
        *("itemrating", "starrating", "reviewscore", "reviewoverall", "reviewrating"),
    ),
    columns.TIMESTAMP: ("timestamp", "ratingtimestamp", "unixtime", "unixreviewtime", "ts"),
    columns.TITLE: (
        *("title", "movietitle", "filmtitle", "booktitle", "producttitle", "animetitle"),
        *("gametitle", "songtitle", "tracktitle", "itemtitle", "name", "moviename", "filmname"),
        *("bookname", "productname", "animename", "gamename", "songname", "trackname"),
        *("artistname", "itemname", "originaltitle"),
    ),
    columns.GENRES: (
        *("genres", "genre", "moviegenres", "moviegenre", "categories", "category", "classes"),
        "class",
    ),
    columns.YEAR: (
        *("year", "releaseyear", "movieyear", "yearofrelease", "yearofpublication"),
        *("publicationyear", "originalpublicationyear", "releasedate", "publicationdate"),
    ),
    columns.GENDER: ("gender", "sex"),
    columns.AGE: ("age",),
    columns.OCCUPATION: ("occupation", "job"),
    columns.ZIP_CODE: ("zipcode", "zip", "postcode", "postalcode"),
}
"""Header names that are understood without a mapping, as `simple_name` has them."""

MOVIES_ALIASES: Final = {
    **ALIASES,
    columns.MOVIE_ID: (*ALIASES[columns.MOVIE_ID][: -len(_THINGS)], "id", *_THINGS),
    columns.TITLE: (*ALIASES[columns.TITLE], *_THINGS),
}
"""Those of a movies' file: `id` is a movie's, and with an id `movie` is the title."""
USERS_ALIASES: Final = {**ALIASES, columns.USER_ID: (*ALIASES[columns.USER_ID], "id")}
"""Those of a users' file."""

_VALUES: Final = frozenset(
    "rating ratings rate score scores star stars point points grade mark vote votes weight value "
    "overall plays play playcount count counts listens listen quantity amount views".split()
)
"""Words in the names of columns that hold ratings or counts."""
_TYPED: Final = re.compile(r":(token|token_seq|float|float_seq)$")


def simple_name(name: str) -> str:
    """Return a header name as it is compared: letters and digits in lower case.

    RecBole's types, as in `user_id:token`, are no part of it.
    """
    return re.sub(r"[^a-z0-9]", "", _TYPED.sub("", name.strip()).lower())


def without_type(name: str) -> str:
    """Return a header name without RecBole's type."""
    return _TYPED.sub("", name.strip())


def check_mapping(mapping: Mapping[str, str | int], setting: str) -> None:
    """Refuse a mapping of a column that Reelflow does not know.

    Raises:
        BadInput: names `setting`, as `data.columns`, and the nearest column.
    """
    for column in mapping:
        if column not in ALIASES:
            near = difflib.get_close_matches(column, ALIASES, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(ALIASES)}."
            raise BadInput(f"{setting}: there is no column {column!r}.", remedy)


def find_columns(
    names: Sequence[str],
    known: Sequence[str],
    required: Sequence[str],
    mapping: Mapping[str, str],
    path: str,
    setting: str = "data.columns",
    aliases: Mapping[str, Sequence[str]] = ALIASES,
) -> dict[str, int]:
    """Return the positions of canonical columns in a header line, of those that are there.

    Args:
        names: the header's names.
        known: canonical columns to look for.
        required: those of `known` that must be there; a mapped column must be there in any case.
        mapping: canonical column to header name, from the configuration.
        path: the file, for messages.
        setting: the configuration's mapping, likewise.
        aliases: names that are understood, by column, for this kind of file.

    Raises:
        BadInput: a required column is missing; says which names there are, and the nearest that is
            not in use. Or two columns are mapped to one name.
    """
    for name in set(mapping.values()):
        twice = [column for column in known if mapping.get(column) == name]
        if len(twice) > 1:
            raise BadInput(
                f"{setting}: {' and '.join(twice)} are both mapped to {name}.",
                "Map each to a column of its own.",
            )
    positions = _positions(names, known, mapping, aliases)
    required = [*required, *(c for c in known if c in mapping and c not in required)]
    missing = [column for column in required if column not in positions]
    if not missing:
        return positions
    free = [name for at, name in enumerate(names) if at not in positions.values()]
    hints = ", ".join(f'{column} = "{name}"' for column, name in _hints(missing, free, mapping))
    events = ""
    if columns.RATING in missing:
        events = ' Where there are no ratings, data.feedback = "events" takes rows for events.'
    if setting != "data.columns":
        table = setting.removeprefix("data.").removesuffix("_columns")
        events = f' Or set data.{table} = "" if the file is none of {table}.'
    listed = ", ".join(f"{c} (mapped to {mapping[c]})" if c in mapping else c for c in missing)
    raise BadInput(
        f"{path}: the header has no column for {listed}; it has: {', '.join(names)}.",
        f"Say which is which in the configuration: [{setting}] {hints}"
        ' (with data.format = "csv"), and check data.delimiter.' + events,
    )


def _positions(
    names: Sequence[str],
    known: Sequence[str],
    mapping: Mapping[str, str],
    aliases: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """Look the columns up, the mapped ones first; no position is given twice."""
    simple = [simple_name(name) for name in names]
    positions: dict[str, int] = {}
    for column in (c for c in known if c in mapping):
        name = mapping[column]
        if name in names:
            positions[column] = names.index(name)
        elif simple_name(name) and simple.count(simple_name(name)) == 1:
            positions[column] = simple.index(simple_name(name))
    for column in (c for c in known if c not in mapping):
        for alias in aliases[column]:
            if alias in simple and simple.index(alias) not in positions.values():
                positions[column] = simple.index(alias)
                break
    return {column: positions[column] for column in known if column in positions}


def _hints(
    missing: Iterable[str], free: Sequence[str], mapping: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the nearest free name for each missing column, `...` without one; none twice."""
    left, hints = list(free), []
    for column in missing:
        near = difflib.get_close_matches(mapping.get(column, column), left, n=1, cutoff=0.4)
        if column == columns.RATING:
            value = value_column(left)
            near = [] if value is None else [value]
        if near:
            left.remove(near[0])
        hints.append((column, near[0] if near else "..."))
    return hints


def value_column(names: Sequence[str]) -> str | None:
    """Return the first header name that may stand for ratings or counts; None without any."""
    for name in names:
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", without_type(name))
        words = re.findall(r"[a-z]+", spaced.lower())
        near = difflib.get_close_matches(columns.RATING, words, n=1, cutoff=0.75)
        if near or not _VALUES.isdisjoint(words):
            return name
    return None

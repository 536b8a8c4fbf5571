"""The files beside the ratings, found by their names: movies, users, links and credits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from reelflow.data import containers, files

What = Literal["movies", "users", "links", "credits"]

_STEMS: Final[Mapping[What, tuple[str, ...]]] = {
    "movies": (
        *("movies", "movie", "moviesmetadata", "films", "film", "movietitles", "titles", "items"),
        *("item", "products", "product", "books", "book", "bxbooks", "anime", "animes", "games"),
        *("game", "tracks", "track", "songs", "song", "artists", "artist", "shows"),
    ),
    "users": ("users", "user", "bxusers", "members", "customers", "profiles"),
    "links": ("links", "link"),
    "credits": ("credits",),
}
"""Names without their extension, letters and digits in lower case; the first that is there."""
_EXTENSIONS: Final = frozenset(
    {"csv", "tsv", "txt", "dat", "json", "jsonl", "ndjson", "parquet", "pq", "list", ""}
)
_RECBOLE: Final[Mapping[What, str]] = {"movies": "item", "users": "user"}
_COMPRESSED: Final = re.compile(r"\.(gz|bz2|xz)$", re.IGNORECASE)


def find_companions(names: Sequence[str], what: What) -> list[str]:
    """Return the files of a folder whose names say what they hold, the best names only.

    Files beside archives have precedence over those in archives, and a name beside the same name
    compressed.

    Args:
        names: of the folder's files.
        what: is looked for.
    """
    ranked: dict[int, list[str]] = {}
    for name in names:
        rank = _rank(containers.base_name(name), what)
        if rank is not None:
            ranked.setdefault(rank, []).append(name)
    found = ranked[min(ranked)] if ranked else []
    found = [name for name in found if files.MEMBER not in name] or found
    plain = {name for name in found if not _COMPRESSED.search(name)}
    return [name for name in found if name in plain or _COMPRESSED.sub("", name) not in plain]


def _rank(name: str, what: What) -> int | None:
    """Return how well a name fits, 0 for the best; None if it does not."""
    stem, _, extension = _COMPRESSED.sub("", name).rpartition(".")
    if not stem:
        return None
    extension, stems = extension.lower(), _STEMS[what]
    if extension == _RECBOLE.get(what):
        return 0
    if extension not in _EXTENSIONS:
        return None
    simple = re.sub(r"[^a-z0-9]", "", stem.lower())
    if simple in stems:
        return stems.index(simple)
    # movies-2020.csv, links_small.csv
    return len(stems) if re.match(rf"{stems[0]}[^a-z]", stem.lower()) else None

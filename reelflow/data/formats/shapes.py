"""Files that are no tables of ratings with a user and a movie a row, and what to say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import times
from reelflow.data.formats import sniff
from reelflow.data.formats.sniff import Sample

_WIDE: Final = 20
"""Columns from which a table may have one for each movie."""
_VIEWED: Final = frozenset({"title", "date"})
_EXPORTS: Final[Mapping[frozenset[str], str]] = {
    _VIEWED: "a viewing history of Netflix",
    frozenset({"const", "your rating"}): "an export of IMDb ratings",
    frozenset({"name", "letterboxd uri"}): "an export of Letterboxd",
}
"""Columns of exports of one person."""


def refuse_other_text(sample: Sample) -> None:
    """Refuse text that is no table.

    Raises:
        BadInput: it is a JSON array, HTML or XML.
    """
    first = sample.head.lstrip()[:1]
    if first == b"[":
        raise BadInput(
            f"{sample.path} is one JSON array.",
            "Write one object a line (JSON lines), as `jq -c '.[]'` does.",
        )
    if first == b"<":
        raise BadInput(f"{sample.path} is HTML or XML, not a table.", "Export it as CSV.")


def positions_remedy(lines: Sequence[str], delimiter: str) -> tuple[str, list[str]]:
    """Return words and settings for a file without a header, with a guess at the positions."""
    rows = [sniff.split_line(line, delimiter) for line in lines]
    width = len(rows[0])
    rows = [row for row in rows if len(row) == width]
    guessed: dict[str, int] = {}
    # Of columns that are two delimiters apart every other one is empty.
    filled = [at for at in range(width) if any(row[at] for row in rows)]
    for place, at in enumerate(filled):
        cells = [row[at] for row in rows]
        whole = [re.fullmatch(r"-?\d+([.,]\d+)?", cell) is not None for cell in cells]
        form = times.recognise(cells)
        late = form and (
            form not in times.UNITS or form != "s" or max(map(len, cells)) >= len("100000000")
        )
        values = len(set(cells))
        if late and columns.TIMESTAMP not in guessed and place > 1:
            guessed[columns.TIMESTAMP] = at
        elif (
            place > 1
            and all(whole)
            and (values <= max(20, len(cells) // 2) or re.search("[.,]", "".join(cells)))
        ):
            guessed.setdefault(columns.RATING, at)
    free = [at for at in filled if at not in guessed.values()]
    guessed.update(zip((columns.USER_ID, columns.MOVIE_ID), free, strict=False))
    order = [column for column in columns.RATINGS_COLUMNS if column in guessed]
    listed = ", ".join(f'{column} = "{guessed[column] + 1}"' for column in order)
    words = (
        "If there is no header, set data.header = false and the positions of the columns, "
        f"perhaps data.columns = {{ {listed} }}; look which is which."
    )
    return words, ["data.header=false", f"data.columns={{ {listed} }}"]


def refuse_known_shapes(
    sample: Sample, lines: Sequence[str], names: Sequence[str], delimiter: str
) -> None:
    """Refuse tables that are known, and are none of ratings with a user and a movie a row."""
    lower = {name.lower() for name in names}
    for needed, words in _EXPORTS.items():
        if needed <= lower and (needed != _VIEWED or len(names) == len(_VIEWED)):
            raise BadInput(
                f"{sample.path} is {words}, of one person: it has no column of users.",
                "Recommendations are learned from many people's ratings: add a column user_id, and "
                "the ratings of others.",
            )
    rows = [sniff.split_line(line, delimiter) for line in lines[1:]]
    cells = [cell for row in rows for cell in row[1:]]
    numbers = sum(not cell or sniff.looks_like_data([cell]) for cell in cells)
    if len(names) >= _WIDE and cells and numbers >= 0.9 * len(cells):
        raise BadInput(
            f"{sample.path} is one wide matrix: {len(names)} columns, as it seems one for each "
            "movie, and a row a user.",
            "Write one row a rating, user_id, movie_id, rating, without those that are not there: "
            "pandas' DataFrame.stack or melt does that.",
        )

"""The Netflix Prize data as CSV: no timestamps; movie names unquoted although they hold commas."""

from __future__ import annotations

from collections.abc import Iterator

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import Format
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, Movie, Text

_HEADER = "Movie_ID,Year,Name"


def _read_movies(text: Text) -> Iterator[Movie]:
    rows = tables.unquoted_rows(text, 3, maxsplit=2)
    _, names = next(rows, (1, []))
    if [name.strip() for name in names] != _HEADER.split(","):
        raise BadInput(
            f"{text.path}: the header is {','.join(names)!r} instead of {_HEADER!r}.",
            'For other columns use data.format = "csv" with [data.columns].',
        )
    for line, (movie_id, year, title) in rows:
        yield Movie(
            line=line,
            movie_id=movie_id.strip(),
            title=title.strip(),
            genres=[],
            year=tables.whole_number(year),
        )


ADAPTER = Adapter(
    format=Format.NETFLIX,
    ratings="Netflix_Dataset_Rating.csv",
    movies="Netflix_Dataset_Movie.csv",
    users="",
    delimiter=",",
    mapping={
        columns.USER_ID: "User_ID",
        columns.MOVIE_ID: "Movie_ID",
        columns.RATING: "Rating",
    },
    scale=(1.0, 5.0),
    encodings=("utf-8-sig", "latin-1"),
    read_movies=_read_movies,
)

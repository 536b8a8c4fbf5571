"""The MovieLens releases.

- CSV (latest-small, latest, 20M, 25M, 32M): `ratings.csv`, `movies.csv`.
- 1M: `ratings.dat`, `movies.dat` and `users.dat`, delimiter `::`, Latin-1. So are 10M, and
  MovieTweetings, which is UTF-8 and rates from 0 to 10.
- 100K: `u.data` with tabs, `u.item` and `u.user` with bars, Latin-1, genres as flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from reelflow.base import columns
from reelflow.config import Format
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, Movie, Text, User

_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|"
    "Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")
# The releases are Latin-1, in which any byte means something: other sets' UTF-8 is tried first.
_ENCODINGS = ("utf-8-sig", "latin-1")

MOVIELENS_CSV = Adapter(
    format=Format.MOVIELENS_CSV,
    ratings="ratings.csv",
    movies="movies.csv",
    users="",
    delimiter=",",
    mapping={
        columns.USER_ID: "userId",
        columns.MOVIE_ID: "movieId",
        columns.RATING: "rating",
        columns.TIMESTAMP: "timestamp",
        columns.TITLE: "title",
        columns.GENRES: "genres",
    },
    quoted=True,
    scale=(0.5, 5.0),
    read_movies=tables.read_movies,
)


def _read_movies_dat(text: Text) -> Iterator[Movie]:
    for line, (movie_id, title, genres) in tables.unquoted_rows(text, 3):
        yield Movie(
            line=line,
            movie_id=movie_id.strip(),
            title=title.strip(),
            genres=tables.split_genres(genres),
            year=tables.title_year(title),
        )


def _read_users(text: Text, order: tuple[str, ...]) -> Iterator[User]:
    for line, values in tables.unquoted_rows(text, len(order)):
        yield tables.user(line, dict(zip(order, values, strict=True)))


MOVIELENS_1M = Adapter(
    format=Format.MOVIELENS_1M,
    ratings="ratings.dat",
    movies="movies.dat",
    users="users.dat",
    delimiter="::",
    columns=columns.RATINGS_COLUMNS,
    scale=(0.5, 5.0),  # MovieLens 10M has the same files, with half stars
    encodings=_ENCODINGS,
    read_movies=_read_movies_dat,
    read_users=partial(_read_users, order=(columns.USER_ID, *columns.USER_ATTRIBUTES)),
)


def _read_item(text: Text) -> Iterator[Movie]:
    for line, row in tables.unquoted_rows(text, 5 + len(_GENRES)):
        flags = zip(_GENRES, row[5:], strict=True)
        released = re.search(r"\d{4}\s*$", row[2])
        yield Movie(
            line=line,
            movie_id=row[0].strip(),
            title=row[1].strip(),
            genres=tables.split_genres("|".join(n for n, flag in flags if flag.strip() == "1")),
            year=int(released.group()) if released else tables.title_year(row[1]),
        )


MOVIELENS_100K = Adapter(
    format=Format.MOVIELENS_100K,
    ratings="u.data",
    movies="u.item",
    users="u.user",
    delimiter="\t",
    table_delimiter="|",
    columns=columns.RATINGS_COLUMNS,
    scale=(1.0, 5.0),
    encodings=_ENCODINGS,
    read_movies=_read_item,
    read_users=partial(
        _read_users,
        order=(
            columns.USER_ID,
            columns.AGE,
            columns.GENDER,
            columns.OCCUPATION,
            columns.ZIP_CODE,
        ),
    ),
)

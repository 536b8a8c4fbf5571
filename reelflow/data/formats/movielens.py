"""The MovieLens releases.

- CSV (latest-small, latest, 20M, 25M, 32M): `ratings.csv`, `movies.csv`.
- 1M: `ratings.dat`, `movies.dat` and `users.dat`, delimiter `::`, Latin-1.
- 100K: `u.data` with tabs, `u.item` and `u.user` with bars, Latin-1, genres as flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reelflow.base import columns
from reelflow.config import Format
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter, Movie, Text, User

_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|"
    "Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")
_ITEM_COLUMNS = 5 + len(_GENRES)

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


def _read_users_dat(text: Text) -> Iterator[User]:
    for line, (user_id, gender, age, occupation, zip_code) in tables.unquoted_rows(text, 5):
        yield User(
            line=line,
            user_id=user_id.strip(),
            gender=gender or None,
            age=tables.whole_number(age),
            occupation=occupation or None,
            zip_code=zip_code.strip() or None,
        )


MOVIELENS_1M = Adapter(
    format=Format.MOVIELENS_1M,
    ratings="ratings.dat",
    movies="movies.dat",
    users="users.dat",
    delimiter="::",
    columns=(columns.USER_ID, columns.MOVIE_ID, columns.RATING, columns.TIMESTAMP),
    rating_min=1.0,
    encodings=("latin-1",),
    read_movies=_read_movies_dat,
    read_users=_read_users_dat,
)


def _read_item(text: Text) -> Iterator[Movie]:
    for line, row in tables.unquoted_rows(text, _ITEM_COLUMNS):
        flags = row[5:]
        named = "|".join(
            name for name, flag in zip(_GENRES, flags, strict=True) if flag.strip() == "1"
        )
        released = re.search(r"\d{4}\s*$", row[2])
        yield Movie(
            line=line,
            movie_id=row[0].strip(),
            title=row[1].strip(),
            genres=tables.split_genres(named),
            year=int(released.group()) if released else tables.title_year(row[1]),
        )


def _read_user(text: Text) -> Iterator[User]:
    for line, (user_id, age, gender, occupation, zip_code) in tables.unquoted_rows(text, 5):
        yield User(
            line=line,
            user_id=user_id.strip(),
            gender=gender or None,
            age=tables.whole_number(age),
            occupation=occupation or None,
            zip_code=zip_code.strip() or None,
        )


MOVIELENS_100K = Adapter(
    format=Format.MOVIELENS_100K,
    ratings="u.data",
    movies="u.item",
    users="u.user",
    delimiter="\t",
    table_delimiter="|",
    columns=(columns.USER_ID, columns.MOVIE_ID, columns.RATING, columns.TIMESTAMP),
    rating_min=1.0,
    encodings=("latin-1",),
    read_movies=_read_item,
    read_users=_read_user,
)

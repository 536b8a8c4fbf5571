"""The MovieLens releases.

- CSV (latest-small, latest, 20M, 25M, 32M): `ratings.csv`, `movies.csv`.
- 1M: `ratings.dat`, `movies.dat` and `users.dat`, delimiter `::`, Latin-1. So are 10M, and
  MovieTweetings, which is UTF-8 and rates from 0 to 10.
- 100K: `u.data` with tabs, `u.item` and `u.user` with bars, Latin-1, genres as flags.
"""

from __future__ import annotations

from reelflow.base import columns
from reelflow.config import Format
from reelflow.data.formats.adapter import Adapter
from reelflow.data.formats.layouts import FLAG, TableLayout

_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|"
    "Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")

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
)


MOVIELENS_1M = Adapter(
    format=Format.MOVIELENS_1M,
    ratings="ratings.dat",
    movies="movies.dat",
    users="users.dat",
    delimiter="::",
    columns=columns.RATINGS_COLUMNS,
    scale=(0.5, 5.0),  # MovieLens 10M has the same files, with half stars
    movies_layout=TableLayout(
        "movies",
        delimiter="::",
        columns=(columns.MOVIE_ID, columns.TITLE, columns.GENRES),
        quoted=False,
    ),
    users_layout=TableLayout(
        "users",
        delimiter="::",
        columns=(columns.USER_ID, *columns.USER_ATTRIBUTES),
        quoted=False,
    ),
)


MOVIELENS_100K = Adapter(
    format=Format.MOVIELENS_100K,
    ratings="u.data",
    movies="u.item",
    users="u.user",
    delimiter="\t",
    columns=columns.RATINGS_COLUMNS,
    scale=(1.0, 5.0),
    movies_layout=TableLayout(
        "movies",
        delimiter="|",
        columns=(
            *(columns.MOVIE_ID, columns.TITLE, columns.YEAR, None, None),
            *(f"{FLAG}{genre}" for genre in _GENRES),
        ),
        quoted=False,
    ),
    users_layout=TableLayout(
        "users",
        delimiter="|",
        columns=(
            columns.USER_ID,
            columns.AGE,
            columns.GENDER,
            columns.OCCUPATION,
            columns.ZIP_CODE,
        ),
        quoted=False,
    ),
)

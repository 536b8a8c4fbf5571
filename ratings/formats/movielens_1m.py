"""MovieLens 1M: `ratings.dat`, `movies.dat` and `users.dat` by `::`, Latin-1."""

from __future__ import annotations

from collections.abc import Iterator

from components.trainer import features
from pipeline.config import Format
from ratings.formats import tables
from ratings.formats.adapter import Adapter, Movie, Text, User


def _read_movies(text: Text) -> Iterator[Movie]:
    for line, (movie_id, title, genres) in tables.plain_rows(text, 3):
        yield Movie(
            line=line,
            movie_id=movie_id.strip(),
            title=title.strip(),
            genres=tables.split_genres(genres),
            year=tables.title_year(title),
        )


def _read_users(text: Text) -> Iterator[User]:
    for line, (user_id, gender, age, occupation, zip_code) in tables.plain_rows(text, 5):
        yield User(
            line=line,
            user_id=user_id.strip(),
            gender=gender or None,
            age=tables.whole_number(age),
            occupation=occupation or None,
            zip_code=zip_code.strip() or None,
        )


ADAPTER = Adapter(
    format=Format.MOVIELENS_1M,
    ratings="ratings.dat",
    movies="movies.dat",
    users="users.dat",
    delimiter="::",
    columns=(features.USER_ID, features.MOVIE_ID, features.RATING, features.TIMESTAMP),
    rating_min=1.0,
    encodings=("latin-1",),
    read_movies=_read_movies,
    read_users=_read_users,
)

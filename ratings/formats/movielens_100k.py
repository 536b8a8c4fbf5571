"""MovieLens 100K: `u.data` by tabs, `u.item` and `u.user` by bars, Latin-1, genres as flags."""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.trainer import features
from pipeline.config import Format
from ratings.formats import tables
from ratings.formats.adapter import Adapter, Movie, Text, User

_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|"
    "Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
).split("|")
_ITEM_COLUMNS = 5 + len(_GENRES)


def _read_movies(text: Text) -> Iterator[Movie]:
    for line, row in tables.plain_rows(text, _ITEM_COLUMNS):
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


def _read_users(text: Text) -> Iterator[User]:
    for line, (user_id, age, gender, occupation, zip_code) in tables.plain_rows(text, 5):
        yield User(
            line=line,
            user_id=user_id.strip(),
            gender=gender or None,
            age=tables.whole_number(age),
            occupation=occupation or None,
            zip_code=zip_code.strip() or None,
        )


ADAPTER = Adapter(
    format=Format.MOVIELENS_100K,
    ratings="u.data",
    movies="u.item",
    users="u.user",
    delimiter="\t",
    table_delimiter="|",
    columns=(features.USER_ID, features.MOVIE_ID, features.RATING, features.TIMESTAMP),
    rating_min=1.0,
    encodings=("latin-1",),
    read_movies=_read_movies,
    read_users=_read_users,
)

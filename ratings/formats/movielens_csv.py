"""The MovieLens CSV releases (latest-small, latest, 20M, 25M, 32M): `ratings.csv`, `movies.csv`."""

from __future__ import annotations

from components.trainer import features
from pipeline.config import Format
from ratings.formats import csv_tables
from ratings.formats.adapter import Adapter

ADAPTER = Adapter(
    format=Format.MOVIELENS_CSV,
    ratings="ratings.csv",
    movies="movies.csv",
    users="",
    delimiter=",",
    mapping={
        features.USER_ID: "userId",
        features.MOVIE_ID: "movieId",
        features.RATING: "rating",
        features.TIMESTAMP: "timestamp",
        features.TITLE: "title",
        features.GENRES: "genres",
    },
    quoted=True,
    read_movies=csv_tables.read_movies,
)

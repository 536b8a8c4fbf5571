"""Encoded ratings from a few lines, without TFX: the raw rows go through the real `encode`.

Also the *checkerboard*: a world whose right answers are provable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from reelflow.base import columns as f
from reelflow.data import schema
from reelflow.data.ingest.catalogue import movies_split
from reelflow.data.ingest.shards import RATINGS
from reelflow.data.schema import single_values
from reelflow.encoding.encode import Columns, Graph, encode
from reelflow.encoding.encoded import EncodedData, EncodedRatings

Row = tuple[str, str, float, int | None]
"""User, movie, stars, time in seconds."""


@dataclass(frozen=True)
class Movie:
    """A movie of the catalogue."""

    movie_id: str
    genres: tuple[str, ...] = ()
    year: int | None = None


def ratings_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Ratings as ExampleGen writes them: every column a list, a missing time a null list."""
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    arrays = [
        single_values(pa.array(column, field.type.value_type))
        for column, field in zip(columns, RATINGS, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=RATINGS)


def movies_table(movies: Sequence[Movie]) -> pa.Table:
    """The catalogue's `movies` split as ExampleGen writes it."""
    table = pa.table(
        {
            f.MOVIE_ID: [movie.movie_id for movie in movies],
            f.TITLE: [f"The title of {movie.movie_id}" for movie in movies],
            f.GENRES: [list(movie.genres) for movie in movies],
            f.YEAR: [movie.year for movie in movies],
        },
        schema=schema.MOVIES,
    )
    return movies_split(table, with_attributes=False)


def plain_graph(users: Sequence[str], catalogue: Sequence[str], genres: Sequence[str]) -> Graph:
    """What the Transform graph does, by dictionaries; days count from time 0."""

    def lookup(words: Sequence[str]) -> Callable[[str], int]:
        places = {word: i for i, word in enumerate(words)}
        return lambda word: places.get(word, len(words))

    user, movie, genre = lookup(users), lookup(catalogue), lookup(genres)

    def ratings(batch: pa.RecordBatch) -> Columns:
        rows = batch.to_pydict()
        return {
            f.USER_INDEX: np.array([user(u) for (u,) in rows[f.USER_ID]], np.int64),
            f.MOVIE_INDEX: np.array([movie(m) for (m,) in rows[f.MOVIE_ID]], np.int64),
            f.DAY: np.array([t[0] / 86_400 if t else 0 for t in rows[f.TIMESTAMP]], np.float32),
        }

    def movies(table: pa.Table) -> Columns:
        rows = table.to_pydict()
        years = [(y[0] - 2000) / 10 if y else 0 for y in rows[f.YEAR]]
        return {
            f.MOVIE_INDEX: np.array([movie(m.decode()) for (m,) in rows[f.MOVIE_ID]], np.int64),
            f.GENRE_INDICES: np.array(
                [genre(g.decode()) for of_movie in rows[f.GENRES] for g in of_movie or ()], np.int64
            ),
            f.YEAR_SCALED: np.array(years, np.float32),
        }

    return Graph(ratings, movies, len(users), len(catalogue), len(genres))


def encoded(
    train: Sequence[Row],
    validation: Sequence[Row] = (),
    test: Sequence[Row] = (),
    movies: Iterable[Movie | str] | None = None,
) -> EncodedData:
    """Encode raw rows; users are numbered in order of their ids, movies in the given order.

    Args:
        train, validation, test: the splits.
        movies: the catalogue; by default the movies of train in order of their ids.
    """
    movies = sorted({row[1] for row in train}) if movies is None else movies
    catalogue = [Movie(movie) if isinstance(movie, str) else movie for movie in movies]
    graph = plain_graph(
        user_vocabulary(train),
        [movie.movie_id for movie in catalogue],
        sorted({genre for movie in catalogue for genre in movie.genres}),
    )
    splits = zip(f.RATING_SPLITS, (train, validation, test), strict=True)
    return encode(
        graph, {split: [ratings_batch(rows)] for split, rows in splits}, movies_table(catalogue)
    )


def user_vocabulary(train: Iterable[Row]) -> list[str]:
    """The users that `encoded` knows, in order."""
    return sorted({row[0] for row in train})


def random_rows(
    count: int, seed: int, users: int = 9, movies: int = 14, times: int = 6, distinct: bool = True
) -> list[Row]:
    """Random ratings with many equal times, in a random order.

    Args:
        count: how many.
        seed: of everything.
        users, movies, times: how many of each there may be.
        distinct: nobody rates a movie twice.
    """
    random = np.random.default_rng(seed)
    pairs = random.choice(users * movies, count, replace=not distinct)
    return [
        (f"u{p // movies}", f"m{p % movies:02d}", float(random.integers(1, 11)) / 2, 1 + int(t))
        for p, t in zip(pairs.tolist(), random.integers(times, size=count), strict=True)
    ]


@dataclass(frozen=True)
class Checkerboard:
    """Even users turn to even movies only, odd users to odd movies.

    So a user's only right recommendations are the movies of its colour that it has not rated:
    nothing tells one of them from the others. The first half of the movies gets 5 stars, the other
    half 2, whoever rates.
    """

    train: list[Row]
    validation: list[Row]
    test: list[Row]
    movies: list[Movie]

    @property
    def data(self) -> EncodedData:
        """All splits, encoded."""
        return encoded(self.train, self.validation, self.test, self.movies)

    @property
    def users(self) -> list[str]:
        """The user vocabulary."""
        return user_vocabulary(self.train)

    def seen(self, user: str) -> set[str]:
        """The movies that the user has rated in train."""
        return {row[1] for row in self.train if row[0] == user}

    def right_answers(self, user: str) -> set[str]:
        """The movies of the user's colour that it has not rated in train."""
        own = {movie.movie_id for movie in self.movies if colour(movie.movie_id) == colour(user)}
        return own - self.seen(user)


def colour(identity: str) -> int:
    """0 or 1: whether the number in `u07` or `m07` is odd."""
    return int(identity[1:]) % 2


def checkerboard(users: int = 24, movies: int = 20, seed: int = 0) -> Checkerboard:
    """Draw a checkerboard.

    Of its colour, each user has rated one movie in validation, one in test, all but one of the
    others in train; validation and test are later than train.

    Args:
        users: how many users.
        movies: how many movies.
        seed: of who has rated what.
    """
    random = np.random.default_rng(seed)
    train: list[Row] = []
    validation: list[Row] = []
    test: list[Row] = []
    for user in range(users):
        own = random.permutation(np.arange(user % 2, movies, 2)).tolist()
        stars = [5.0 if movie < movies // 2 else 2.0 for movie in own]
        rows = [
            (f"u{user:02d}", f"m{movie:02d}", star, 100 + i)
            for i, (movie, star) in enumerate(zip(own, stars, strict=True))
        ]
        train += rows[:-3]
        validation.append(rows[-3])
        test.append(rows[-2])
    return Checkerboard(train, validation, test, [Movie(f"m{m:02d}") for m in range(movies)])


def same(a: EncodedRatings, b: EncodedRatings) -> bool:
    """Whether two splits are equal in every column."""
    names = (f.USER_INDEX, f.MOVIE_INDEX, f.RATING, f.TIMESTAMP, f.DAY, f.HISTORY_END)
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)

"""Encoded ratings out of random numbers, for what needs neither files nor TFX."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reelflow.encoding.encode import timelines
from reelflow.encoding.encoded import EncodedCatalogue, EncodedData, EncodedRatings, Sizes

GENRES = 18
SECONDS = 2 * 10**8


def encoded(
    users: int, movies: int, train: int, held_out: int = 1000, seed: int = 0
) -> EncodedData:
    """Ratings whose movies are as unevenly popular as real ones (a Zipf-like law).

    Args:
        users, movies: sizes of the vocabularies.
        train: rows of the train split.
        held_out: rows of validation and of test.
        seed: of everything.
    """
    random = np.random.default_rng(seed)
    splits = [_rows(random, users, movies, rows) for rows in (train, held_out, held_out)]
    counts = random.integers(1, 4, movies).astype(np.int32)
    nothing_unknown = dict.fromkeys(("train", "validation", "test"), 0)
    return EncodedData(
        train=timelines(splits[0]),
        validation=splits[1],
        test=splits[2],
        catalogue=EncodedCatalogue(
            movie_id=words("m", movies),
            title=words("Movie ", movies),
            genres=[[] for _ in range(movies)],
            year=[2000] * movies,
            genre_indices=random.integers(0, GENRES, counts.sum()).astype(np.int32),
            genre_counts=counts,
            year_scaled=random.normal(size=movies).astype(np.float32),
        ),
        sizes=Sizes(users, movies, GENRES, True, nothing_unknown, nothing_unknown),
    )


def kinds(movies: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The kind of each movie, some thirty movies each, int64 [movies]."""
    return np.random.default_rng(seed).integers(0, max(1, movies // 30), movies)


def vectors_of_kinds(
    movies: int, size: int, clustered: bool, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Movies' vectors in kinds within kinds, as genres, styles and series are; or all independent.

    Args:
        movies: how many.
        size: of a vector.
        clustered: False draws each by itself, which no real catalogue looks like: the worst case of
            a search by clusters.
        seed: of everything.

    Returns:
        float32 [movies, size], of a norm of about 1.
    """
    random = np.random.default_rng(seed + 1)
    vectors = random.standard_normal((movies, size), np.float32)
    if clustered:
        count = max(1, movies // 30)
        genres = random.normal(size=(40, size))
        styles = 0.7 * random.normal(size=(1500, size)) + genres[random.integers(0, 40, 1500)]
        series = 0.5 * random.normal(size=(count, size)) + styles[random.integers(0, 1500, count)]
        vectors *= 0.35
        vectors += series.astype(np.float32)[kinds(movies, seed)]
    vectors /= size**0.5
    return vectors


def words(prefix: str, count: int) -> list[str]:
    """A vocabulary."""
    return [f"{prefix}{number}" for number in range(count)]


def _rows(random: np.random.Generator, users: int, movies: int, count: int) -> EncodedRatings:
    activity = random.lognormal(sigma=1.1, size=users)
    popularity = 1.0 / np.arange(10, movies + 10)
    return EncodedRatings(
        user_index=random.choice(users, count, p=activity / activity.sum()).astype(np.int32),
        movie_index=random.choice(movies, count, p=popularity / popularity.sum()).astype(np.int32),
        rating=(random.integers(1, 11, count) / 2).astype(np.float32),
        timestamp=random.integers(0, SECONDS, count),
        day=np.zeros(count, np.float32),
        history_end=np.zeros(count, np.int64),
    )

"""Counts and means of many ratings, by movie and by time, a block of them at a time.

What is held beside the ratings grows with the movies and the years, not with the ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

BLOCK: Final = 1_000_000
"""Ratings that are looked at in one go."""
_DAY: Final = 86_400
_THURSDAY: Final = 3
"""Weekday of the first of January 1970, from Monday as 0."""


@dataclass(frozen=True)
class Ratings:
    """Some ratings; every array has shape [rows]."""

    movie: npt.NDArray[np.integer[Any]]
    """Position of the movie in a list of all."""
    rating: npt.NDArray[np.floating[Any]]
    """Stars."""
    seconds: Int64 | None
    """Since 1970 in UTC; None if the times are not known."""

    def blocks(self) -> Iterator[Ratings]:
        """Cut into views of `BLOCK` rows."""
        for first in range(0, len(self.movie), BLOCK):
            own = slice(first, first + BLOCK)
            seconds = None if self.seconds is None else self.seconds[own]
            yield Ratings(self.movie[own], self.rating[own], seconds)


@dataclass(frozen=True)
class OfMovies:
    """Figures of every movie; without ratings its mean and variance are 0."""

    counts: Int64
    """Ratings, int64 [movies]."""
    means: Float64
    """Stars, float64 [movies]."""
    variances: Float64
    """Of the ratings from the movie's mean, in squared stars, float64 [movies]."""
    mean: float
    """Of all ratings."""
    variance: float
    """Of all ratings from their mean."""


@dataclass(frozen=True)
class OfTime:
    """Figures of one weekday or one year."""

    value: int
    ratings: int
    mean: float
    """Stars."""
    movies: int
    """Movies with a rating then."""


def by_movie(parts: Sequence[Ratings], movies: int) -> OfMovies:
    """Count the ratings of each movie, with their means and variances.

    Args:
        parts: gone through twice, as squares are taken from the overall mean: those of large values
            would lose the digits that the variance is made of.
        movies: number of all movies.
    """
    counts, sums, squares = np.zeros(movies, np.int64), np.zeros(movies), np.zeros(movies)
    for rows in _blocks(parts):
        counts += np.bincount(rows.movie, minlength=movies)
        sums += np.bincount(rows.movie, rows.rating, movies)
    each, total = np.maximum(counts, 1), max(int(counts.sum()), 1)
    mean = float(sums.sum()) / total
    for rows in _blocks(parts):
        distances = rows.rating.astype(np.float64) - mean
        squares += np.bincount(rows.movie, distances * distances, movies)
    means = sums / each
    from_mean = np.where(counts > 0, means - mean, 0.0)
    variances = np.maximum(squares / each - from_mean * from_mean, 0.0)
    return OfMovies(counts, means, variances, mean, float(squares.sum()) / total)


def by_weekday(parts: Sequence[Ratings], movies: int) -> list[OfTime]:
    """Count by weekday in UTC, 0 for Monday to 6; without those that have no rating.

    Args:
        parts: those without times are left out.
        movies: number of all movies.
    """
    return _by_time(parts, movies, lambda seconds: (seconds // _DAY + _THURSDAY) % 7)


def by_year(parts: Sequence[Ratings], movies: int) -> list[OfTime]:
    """Count by year in UTC, ascending; arguments as of `by_weekday`."""
    return _by_time(parts, movies, _years)


def _years(seconds: Int64) -> Int64:
    return seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970


def _by_time(parts: Sequence[Ratings], movies: int, of: Callable[[Int64], Int64]) -> list[OfTime]:
    counts: dict[int, int] = {}
    sums: dict[int, float] = {}
    seen: dict[int, npt.NDArray[np.bool_]] = {}
    for rows in _blocks(parts):
        if rows.seconds is None:
            continue
        codes, values = pd.factorize(of(rows.seconds))
        number = np.bincount(codes)
        stars = np.bincount(codes, rows.rating)
        met = np.zeros((len(values), movies), np.bool_)
        met[codes, rows.movie] = True
        for at, value in enumerate(values.tolist()):
            counts[value] = counts.get(value, 0) + int(number[at])
            sums[value] = sums.get(value, 0.0) + float(stars[at])
            seen[value] = met[at] | seen[value] if value in seen else met[at].copy()
    return [
        OfTime(value, counts[value], sums[value] / counts[value], int(seen[value].sum()))
        for value in sorted(counts)
    ]


def _blocks(parts: Sequence[Ratings]) -> Iterator[Ratings]:
    for part in parts:
        yield from part.blocks()

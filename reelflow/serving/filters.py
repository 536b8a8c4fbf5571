"""Filters of answers by genre and year, and the k best scores among the movies that fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MovieFilter:
    """Conditions on the movies of an answer."""

    genres: tuple[str, ...] = ()
    """At least one of these, in any case; empty for any movie."""
    year_from: int | None = None
    year_to: int | None = None
    """Bounds of the release year, inclusive; a movie without a year fits no bounds."""

    def __bool__(self) -> bool:
        """Return True if there is any condition."""
        return self != NO_FILTER


NO_FILTER: Final = MovieFilter()


class FilterIndex:
    """The catalogue's genres and years as arrays, in the catalogue's order."""

    def __init__(self, movies: Sequence[Movie]) -> None:
        """Take movies in the order of the model's scores."""
        self.genres = sorted({genre for movie in movies for genre in movie.genres})
        self._movies = len(movies)
        self._years = np.array([-1 if f.year is None else f.year for f in movies], np.int64)
        self._genre_masks = {
            genre.casefold(): np.zeros(len(movies), np.bool_) for genre in self.genres
        }
        for row, movie in enumerate(movies):
            for genre in movie.genres:
                self._genre_masks[genre.casefold()][row] = True

    @property
    def years(self) -> tuple[int, int] | None:
        """The oldest and the newest release year; None if no movie has one."""
        known = self._years[self._years >= 0]
        return (int(known.min()), int(known.max())) if len(known) else None

    def check(self, movie_filter: MovieFilter) -> None:
        """Check that a filter can be applied.

        Raises:
            BadInput: no movie of the catalogue has such a genre.
        """
        for genre in movie_filter.genres:
            if genre.casefold() not in self._genre_masks:
                known = ", ".join(self.genres) or "none, the catalogue has no genres"
                raise BadInput(f"There is no genre {genre!r}.", f"Genres are: {known}.")

    def mask(self, movie_filter: MovieFilter) -> Mask:
        """Return True for movies that fit, bool [movies]; an unknown genre fits none."""
        fits = np.ones(self._movies, np.bool_)
        if movie_filter.genres:
            fits[:] = False
            for genre in movie_filter.genres:
                fits |= self._genre_masks.get(genre.casefold(), np.False_)
        if movie_filter.year_from is not None or movie_filter.year_to is not None:
            fits &= self._years >= 0
        if movie_filter.year_from is not None:
            fits &= self._years >= movie_filter.year_from
        if movie_filter.year_to is not None:
            fits &= self._years <= movie_filter.year_to
        return fits


def best(scores: npt.NDArray[np.float32], allowed: Mask, k: int) -> npt.NDArray[np.int64]:
    """Return the rows of the k best allowed scores, best first, earlier rows first in a tie.

    This is the same order as TensorFlow's `top_k`, without sorting the whole catalogue.
    """
    rows = np.flatnonzero(allowed)
    values = scores[rows]
    if len(rows) > k:
        at_least = np.partition(values, len(rows) - k)[len(rows) - k]
        rows, values = rows[values >= at_least], values[values >= at_least]
    return rows[np.argsort(-values, kind="stable")[:k]]

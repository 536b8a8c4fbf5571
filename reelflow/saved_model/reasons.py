"""Reasons of recommendations, as pure functions: movies of a history, or else a genre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from reelflow.base.columns import MOVIE_ID, RATING, WEIGHT

MOST: Final = 3
"""Movies of the history that one recommendation names."""
STRONG: Final = 0.5
"""Share of the strongest movie's weight from which on another one may be named instead."""

Kind = Literal["movies", "genre", "popularity"]
"""Origin of a reason: movies of the history, a genre that the user likes, or popularity."""
MOVIES: Final = "movies"
GENRE: Final = "genre"
POPULARITY: Final = "popularity"


@dataclass(frozen=True)
class Reason:
    """A movie of the user's history that speaks for a recommendation."""

    movie_id: str
    weight: float
    """Its part of the score."""
    rating: float
    """The user's own stars; NaN if not known."""


def candidates(answer: Mapping[str, npt.NDArray[Any]]) -> list[list[Reason]]:
    """Return what may be named for each explained movie, the strongest first.

    Args:
        answer: of the signature `explain`: ids, weights, the largest first, and stars.
    """
    weights = answer[WEIGHT]
    found: list[list[Reason]] = [[] for _ in weights]
    if weights.size:
        strong = (weights > 0) & (weights >= STRONG * weights[:, :1]) & (answer[MOVIE_ID] != b"")
        rows = np.nonzero(strong)[0].tolist()
        columns = (answer[name][strong].tolist() for name in (MOVIE_ID, WEIGHT, RATING))
        for row, movie, weight, rating in zip(rows, *columns, strict=True):
            found[row].append(Reason(movie.decode(), weight, rating))
    return found


def choose(candidates: Sequence[Sequence[Reason]], most: int = MOST) -> list[list[Reason]]:
    """Choose the reasons of a list of recommendations so that they differ where they can.

    Each recommendation gets those of its strong reasons that were named least often further up in
    the list, the strongest of these first. A reason is strong if its weight is at least `STRONG` of
    the strongest's, so that no weak one is named for the sake of variety.

    Args:
        candidates: for each recommendation, best first, its reasons, the strongest first.
        most: reasons of one recommendation.
    """
    named: Counter[str] = Counter()
    chosen = []
    for reasons in candidates:
        strong = [one for one in reasons if one.weight >= STRONG * reasons[0].weight]
        rarest = sorted(strong, key=lambda one: (named[one.movie_id], -one.weight))[:most]
        named.update(one.movie_id for one in rarest)
        chosen.append(sorted(rarest, key=lambda one: -one.weight))
    return chosen


def well_rated(ratings: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return True for ratings at or above their mean, bool [ratings]; for all if none is known.

    Args:
        ratings: a user's; NaN where not known, which is not well rated among others that are.
    """
    stars = np.asarray(ratings, np.float64)
    known = ~np.isnan(stars)
    if not known.any():
        return np.ones(len(stars), np.bool_)
    # Not a last digit's matter: the mean of equal ratings may be above each of them.
    at_least: npt.NDArray[np.bool_] = stars >= stars[known].mean() - 1e-6
    return at_least


def favourite_genre(liked: Iterable[Sequence[str]], genres: Sequence[str]) -> str | None:
    """Return the genre of a movie that the user likes most, or None if they share none.

    Args:
        liked: genres of each movie that the user rated well.
        genres: of the movie.
    """
    counts = Counter(genre for movie in liked for genre in movie)
    best = max(genres, key=lambda genre: counts[genre], default=None)
    return best if best is not None and counts[best] else None

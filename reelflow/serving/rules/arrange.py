"""The places of a list under rules: boosts, pins, few of a genre, unlike neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

CANDIDATES: Final = 200
"""Movies at least that a list under rules is chosen from."""
TIMES: Final = 5
"""The same, as a multiple of the list's length."""


def candidates(wanted: int, movies: int) -> int:
    """Return the number of movies to choose a list under rules from."""
    return min(max(CANDIDATES, TIMES * wanted), movies)


def boosted(scores: Floats, boosts: Floats) -> Floats:
    """Return scores with boosts, given in standard deviations of the scores; both [n]."""
    deviation = float(scores.std()) if len(scores) else 0.0
    return scores + boosts * np.float32(deviation or 1.0)


def arrange(
    scores: Floats,
    first: Sequence[int],
    wanted: int,
    genres: Sequence[Sequence[str]],
    per_genre: int | None = None,
    diversity: float = 0.0,
    vectors: Floats | None = None,
) -> list[int]:
    """Choose the places of a list, best first.

    Greedy: each place gets the movie with the highest (1 - diversity) * score - diversity *
    likeness to the most similar movie above it, with scores from 0 to 1 (MMR: Carbonell and
    Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998).

    Args:
        scores: of the candidates, float32 [n].
        first: candidates at the top, in order.
        wanted: length of the list; it is shorter where `per_genre` leaves no more.
        genres: of each candidate.
        per_genre: movies of one genre at most, those at the top included.
        diversity: 0 to 1.
        vectors: unit vectors whose products are likeness, float32 [n, size]; None takes the share
            of common genres.

    Returns:
        Numbers of candidates.
    """
    chosen: list[int] = []
    left = np.ones(len(scores), np.bool_)
    count: Counter[str] = Counter()
    likeness = np.zeros(len(scores), np.float32)
    lowest = scores.min() if len(scores) else 0.0
    values = (scores - lowest) / ((scores.max() - lowest) or 1.0) if len(scores) else scores
    waiting = list(dict.fromkeys(first))[::-1]
    while len(chosen) < wanted and left.any():
        worth = (1 - diversity) * values - diversity * likeness
        best = waiting.pop() if waiting else int(np.where(left, worth, -np.inf).argmax())
        left[best] = False
        if per_genre is not None and any(count[genre] >= per_genre for genre in genres[best]):
            continue
        chosen.append(best)
        count.update(genres[best])
        if diversity:
            likeness = np.maximum(likeness, _likeness(best, genres, vectors))
    return chosen


def _likeness(movie: int, genres: Sequence[Sequence[str]], vectors: Floats | None) -> Floats:
    if vectors is not None:
        products: Floats = vectors @ vectors[movie]
        return products
    own = set(genres[movie])
    shares = [len(own & set(g)) / len(own | set(g)) if own or g else 0.0 for g in genres]
    return np.array(shares, np.float32)

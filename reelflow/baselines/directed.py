"""Directed ridge regression between movies: which movies follow which.

Ridge regression of the next movie on the movies before it, in closed form. With x_t the sum of
2^-(t - j)/h over a user's movies j up to t, for each of two half-lives h, and y_t the movie after
them, the weights are B = (X'X + ridge I)^-1 X'Y. It is to EASE what a Markov chain is to
co-occurrence; without order, it is the regression of SLIM (Ning & Karypis 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from scipy import linalg, sparse

from reelflow.baselines.base import HistoryBaseline, everything
from reelflow.baselines.histories import most_rated, sequences, weighted_histories
from reelflow.encoding.encoded import EncodedData, Float32, Int32, Int64

HALF_LIVES: Final = (3.0, 25.0)
"""Movies rated since, at which a movie counts half; one matrix of weights for each."""
LATEST: Final = 500
"""Movies of a user that are learned from, the latest."""
REACH: Final = 14
"""Half-lives apart from which on two movies of a timeline have nothing to do with each other: there
a movie counts less than a ten thousandth."""
LEAST_RATINGS: Final = 10
"""Ratings from which on it is learned what follows a movie, of more than `FEW` movies. Rarer ones
may still be what follows; time goes with the cube of the number of those that are followed."""
FEW: Final = 4000
"""Movies of which all are learned from."""
MOVIES_MAX: Final = 4096
"""Most rated movies that take part, at most: the system of equations is twice as large."""


class DirectedSums:
    """Gram matrices of decayed histories and next movies, from which weights are solved."""

    def __init__(self, data: EncodedData, movies: Int32) -> None:
        """Sum over users.

        Args:
            data: for the train ratings in order of time; stars do not matter.
            movies: `movie_index` of the movies that take part, ascending.
        """
        self._gram, self._next = _sums(sequences(data, movies, LATEST), len(movies))
        least = LEAST_RATINGS if len(movies) > FEW else 0
        followed = np.flatnonzero(data.rating_counts[movies] >= least)
        self._rows = np.concatenate([followed + k * len(movies) for k in range(len(HALF_LIVES))])

    def solve(self, ridge: float) -> list[Float32]:
        """Return the weights of past movies (rows) for the next (columns), for each half-life."""
        # Symmetric, so that the transpose is the same, in the order that LAPACK works in.
        gram = self._gram[np.ix_(self._rows, self._rows)].T
        gram.flat[:: len(gram) + 1] += ridge
        weights = np.zeros_like(self._next)
        weights[self._rows] = linalg.solve(
            gram, self._next[self._rows], assume_a="pos", overwrite_a=True
        )
        return np.split(weights, len(HALF_LIVES))


class Directed(HistoryBaseline):
    """Scores of the next movie by the decayed history, by `DirectedSums`."""

    candidates = tuple({"ridge": ridge} for ridge in (100.0, 30.0, 300.0))

    def __init__(self, ridge: float = 100.0, movies_max: int = MOVIES_MAX) -> None:
        self._ridge = ridge
        self._movies_max = movies_max

    def fit(self, data: EncodedData) -> None:
        """Learn the biases, then the weights."""
        super().fit(data)
        self._kept = most_rated(data, self._movies_max)
        self._weights = DirectedSums(data, self._kept).solve(self._ridge)
        self._histories = [
            weighted_histories(data, partial(_decayed, half_life))[:, self._kept]
            for half_life in HALF_LIVES
        ]

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        """Leave it to `fit`: the order matters."""

    def _score(self, users: Int32) -> Float32:
        pairs = zip(self._histories, self._weights, strict=True)
        parts = [np.asarray(history[users] @ weights) for history, weights in pairs]
        return everything(np.sum(parts, axis=0), self._kept, self._rated.shape[1])

    @property
    def parameters(self) -> int:
        """Number of weights between movies."""
        return len(HALF_LIVES) * len(self._kept) ** 2


def _decayed(half_life: float, ages: Float32) -> Float32:
    weights: Float32 = np.exp2(-ages / half_life)
    return weights


def _sums(users: Sequence[Int32], movies: int) -> tuple[Float32, Float32]:
    """Return X'X and X'Y, rows weighted by 1 / sqrt(movies of their user).

    A user's part depends on the number of movies alone. With a and b places in the timeline counted
    from the newest, a pair of an older movie a and a newer one b, a >= b, adds

    - d^(a - b) (1 - (d e)^b) / (1 - d e), d being the older one's decay and e the other's, to X'X:
      the sum over all rows that know both;
    - d^(a - b - 1) to X'Y: the newer one is the next of one row.

    Returns:
        float32 [half-lives * movies, half-lives * movies] and [half-lives * movies, movies].
    """
    kinds, length = len(HALF_LIVES), max(map(len, users), default=0)
    decays = np.exp2(-1.0 / np.array(HALF_LIVES))
    gram = np.zeros(kinds * movies * kinds * movies, np.float32)
    following = np.zeros(kinds * movies * movies, np.float32)
    for p, one in enumerate(decays):
        older, newer, ends = _pairs(length, int(REACH * HALF_LIVES[p]))
        apart = older - newer
        same = apart == 0
        # Each pair is there in both orders once X'X is added to its transpose.
        known = one**apart / np.where(same, 2.0, 1.0)
        both = [known * (1 - (one * two) ** newer) / (1 - one * two) for two in decays]
        tables = [(gram, kinds * movies, q * movies, part) for q, part in enumerate(both)]
        tables.append((following, movies, 0, np.where(same, 0.0, one ** (apart - 1.0))))
        parts = [(*table, part.astype(np.float32)) for *table, part in tables]
        for own in users:
            count, weight = ends[len(own)], np.float32(max(len(own), 1) ** -0.5)
            places = own.astype(np.int64)
            rows, columns = p * movies + places[older[:count]], places[newer[:count]]
            for table, width, first, part in parts:
                # Cells are distinct, as movies are.
                table[rows * width + (columns + first)] += weight * part[:count]
    whole = gram.reshape(kinds * movies, kinds * movies)
    return whole + whole.T, following.reshape(kinds * movies, movies)


def _pairs(length: int, reach: int) -> tuple[Int64, Int64, list[int]]:
    """Return all pairs of places a >= b below `length` with a - b <= `reach`, by a.

    Returns:
        a and b, int64 [pairs]; and how many pairs there are with a below each number up to
        `length`.
    """
    counts = np.minimum(np.arange(length), reach) + 1
    ends = np.concatenate([[0], np.cumsum(counts)])
    older = np.repeat(np.arange(length), counts)
    newer = older - (np.arange(len(older)) - ends[older])
    return older, newer, ends.tolist()

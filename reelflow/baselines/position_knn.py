"""Nearest neighbours by places in others' sequences."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from reelflow.baselines.base import HistoryBaseline
from reelflow.baselines.histories import first_times, weighted_histories
from reelflow.encoding.encoded import EncodedData, Float32, Int32

HALF_LIFE: Final = 3.0
"""Places at which a match counts half, in the user's own history and along others' sequences."""
WINDOW: Final = 12
"""Places on each side of a movie that a match reaches."""
LATEST: Final = 25
"""Movies of a user's own history that are looked for, the latest."""
USERS: Final = 64
"""Users that are scored at a time."""


class PositionKNN(HistoryBaseline):
    """Movies from the places of others' sequences that are like the user's last movies.

    Session-based nearest neighbours (Jannach & Ludewig 2017, "When recurrent neural networks meet
    the neighborhood for session-based recommendation") by place instead of by session. A user's
    movie of age a weighs 2^(-a / half_life) / sqrt(its ratings). Each place in the train sequences
    gets the sum of the weights of the movies around it, halved for each `half_life` places of
    distance; a movie's score is the sum of that sum to the `power` over its places.
    """

    candidates = tuple(
        {"power": power, "half_life": half_life}
        for power in (2.0, 3.0)
        for half_life in (HALF_LIFE, 6.0)
    )

    def __init__(self, power: float = 2.0, half_life: float = HALF_LIFE) -> None:
        self._power = power
        self._half_life = half_life

    def fit(self, data: EncodedData) -> None:
        """Learn the biases, then index the places."""
        super().fit(data)
        rows = np.flatnonzero(first_times(data))
        users, movies = data.train.user_index[rows], data.train.movie_index[rows]
        places, catalogue = len(rows), len(data.catalogue)
        sources, targets, weights = [], [], []
        for distance in range(-WINDOW, WINDOW + 1):
            at = np.arange(max(0, -distance), places - max(0, distance))
            at = at[users[at] == users[at + distance]]
            sources.append(movies[at])
            targets.append(at + distance)
            weights.append(np.full(len(at), 2.0 ** (-abs(distance) / self._half_life), np.float32))
        cells = np.concatenate(sources), np.concatenate(targets)
        self._around = sparse.csr_matrix(
            (np.concatenate(weights), cells), shape=(catalogue, places)
        )
        ones = np.ones(places, np.float32)
        self._places = sparse.csr_matrix(
            (ones, (np.arange(places), movies)), shape=(places, catalogue)
        )
        recent = weighted_histories(
            data, lambda ages: np.where(ages < LATEST, np.exp2(-ages / self._half_life), 0.0)
        )
        recent.eliminate_zeros()
        rarity = np.maximum(self._popularity, 1.0) ** -0.5
        self._recent = (recent @ sparse.diags(rarity.astype(np.float32))).tocsr()

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        """Leave it to `fit`: the order matters."""

    def _score(self, users: Int32) -> Float32:
        scores = np.zeros((len(users), self._rated.shape[1]), np.float32)
        for start in range(0, len(users), USERS):
            block = slice(start, start + USERS)
            matches = self._recent[users[block]] @ self._around
            matches.data **= self._power
            scores[block] = (matches @ self._places).toarray()
        return scores

    @property
    def parameters(self) -> int:
        """Number of places, which are kept as they are."""
        return int(self._places.shape[0])

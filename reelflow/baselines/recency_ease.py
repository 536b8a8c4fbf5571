"""EASE on a history whose late movies count more."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from reelflow.baselines.base import HistoryBaseline, everything
from reelflow.baselines.ease import RIDGE, products, ridge_inverse
from reelflow.baselines.histories import most_rated, weighted_histories
from reelflow.encoding.encoded import EncodedData, Float32, Int32

HALF_LIFE: Final = 4.0
"""Movies rated since, at which a rated movie counts half."""
FLOOR: Final = 0.05
"""Weight that even the oldest movie of a history has."""
MOVIES_MAX: Final = 4096
"""Most rated movies that take part; the others share the lowest score."""


class RecencyEASE(HistoryBaseline):
    """The weights of EASE, applied to 2^(-age / half_life) + floor in place of ones.

    Steck 2019, as `EASE`; the age of a movie is the number of movies that the user has rated since.
    """

    candidates = tuple(
        {"ridge": ridge, "half_life": half_life}
        for half_life in (HALF_LIFE, 10.0, 50.0)
        for ridge in (RIDGE, 100.0, 1000.0)
    )

    def __init__(self, ridge: float = RIDGE, half_life: float = HALF_LIFE) -> None:
        self._ridge = ridge
        self._half_life = half_life

    def fit(self, data: EncodedData) -> None:
        """Learn the biases, then the weights."""
        self._kept = most_rated(data, MOVIES_MAX)
        super().fit(data)
        recent = weighted_histories(data, lambda ages: np.exp2(-ages / self._half_life) + FLOOR)
        self._histories = recent[:, self._kept]

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        inverse = ridge_inverse(products(ratings[:, self._kept].T.tocsr()), self._ridge)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        self._weights = weights.astype(np.float32)

    def _score(self, users: Int32) -> Float32:
        scores = np.asarray(self._histories[users] @ self._weights)
        return everything(scores, self._kept, self._rated.shape[1])

    @property
    def parameters(self) -> int:
        """Number of weights between movies."""
        return len(self._kept) * (len(self._kept) - 1)

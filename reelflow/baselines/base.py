"""Interface of the baselines, which `tests/reelflow/baselines/test_conformance.py` checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from reelflow.baselines.biases import Biases
from reelflow.encoding.encoded import EncodedData, Float32, Int32

Settings = Mapping[str, int | float]
"""Arguments of a baseline's constructor by name."""


class Baseline(ABC):
    """A recommender without gradients, trained on the same encoded train split as the model.

    Users are `user_index`, int32, 0 to users (the unknown one); movies likewise. It knows which
    movies its users have rated and when, and nothing else.
    """

    candidates: ClassVar[Sequence[Settings]] = ({},)
    """Settings to choose from on validation ratings, arguments of the constructor by name; the
    first ones are taken where nothing can be chosen. A single one is not searched for."""

    @abstractmethod
    def fit(self, data: EncodedData) -> None:
        """Learn from `data.train`."""

    @abstractmethod
    def scores(self, users: Int32) -> Float32:
        """Score every movie for users, float32 [batch, movies]; higher is better."""

    @abstractmethod
    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Predict the stars of pairs, float32 [batch]."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters that `fit` learned, without those that only predict stars."""


BLOCK_CELLS = 1 << 24
"""Cells of a dense block, at most: 64 MiB of float32."""


class HistoryBaseline(Baseline):
    """A baseline that ranks by implicit feedback: the movies that were rated, whatever the stars.

    Users without train ratings get the popular movies, as from the served model. Stars are the mean
    plus damped biases.
    """

    def fit(self, data: EncodedData) -> None:
        """Learn the biases, then the ranking."""
        self._biases = Biases.of(data)
        self._rated = rated(data)
        self._popularity = popularity(self._rated)
        self._without_ratings = np.diff(self._rated.indptr) == 0
        self._learn(self._rated)

    def scores(self, users: Int32) -> Float32:
        """Return the baseline's scores; popularity for users without train ratings."""
        scores = self._score(users)
        cold = self._without_ratings[users]
        if cold.any():
            scores[cold] = self._popularity
        return scores

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Return mean plus biases, inside the scale."""
        return self._biases.stars(users, movies)

    @abstractmethod
    def _learn(self, ratings: sparse.csr_matrix) -> None:
        """Learn from a sparse matrix of ones for rated movies, float32 [users + 1, movies]."""

    @abstractmethod
    def _score(self, users: Int32) -> Float32:
        """Score every movie for users, writable float32 [batch, movies]."""


def rated(data: EncodedData) -> sparse.csr_matrix:
    """Make a sparse matrix of ones for train ratings, float32 [users + 1, movies]."""
    rows = data.train
    ones = np.ones(len(rows), np.float32)
    shape = (data.sizes.users + 1, len(data.catalogue))
    matrix = sparse.csr_matrix((ones, (rows.user_index, rows.movie_index)), shape=shape)
    matrix.data[:] = 1.0  # where a pair is there twice
    return matrix


def popularity(ratings: sparse.csr_matrix) -> Float32:
    """Count the users that rated each movie, float32 [movies]."""
    counts: Float32 = np.bincount(ratings.indices, minlength=ratings.shape[1]).astype(np.float32)
    return counts


def block_rows(columns: int) -> int:
    """Return the number of rows of a dense block with that many columns."""
    return max(1, BLOCK_CELLS // max(columns, 1))


def everything(scores: Float32, kept: npt.NDArray[np.integer[Any]], movies: int) -> Float32:
    """Spread scores over the whole catalogue; movies without one share the lowest.

    Args:
        scores: float32 [batch, kept].
        kept: `movie_index` of the columns, [kept].
        movies: number of all movies.
    """
    if len(kept) == movies:
        return scores
    lowest = scores.min(axis=1, keepdims=True)
    spread: Float32 = np.repeat(lowest, movies, axis=1)
    spread[:, kept] = scores
    return spread

"""What every baseline can do; `tests/components/trainer/baselines` holds each one to it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy import sparse

from reelflow.baselines.biases import Biases
from reelflow.encoding.encoded import EncodedData, Float32, Int32


class Baseline(ABC):
    """A recommender without gradients, trained on the same encoded train split as the model."""

    @abstractmethod
    def fit(self, data: EncodedData) -> None:
        """Learn from `data.train`."""

    @abstractmethod
    def scores(self, users: Int32) -> Float32:
        """Scores of every movie for users, float32 [batch, movies]; higher is better."""

    @abstractmethod
    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Predicted stars of pairs, float32 [batch]; either side may be the unknown one."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """How many numbers `fit` learned, those that predict stars left out."""


# What the baselines share that score movies by who rated what.


BLOCK_CELLS = 1 << 24
"""Cells of a dense matrix that a step holds at a time: 64 MiB of float32."""


class HistoryBaseline(Baseline):
    """A baseline whose ranking looks at which movies were rated, whatever the stars.

    Users without train ratings get the popular movies, as they would from the served model. Stars
    come from the damped biases, which such a baseline has no opinion of its own about.
    """

    def fit(self, data: EncodedData) -> None:
        """Learn the biases, then whatever the baseline learns."""
        self._biases = Biases.of(data)
        self._rated = rated(data)
        self._popularity = popularity(self._rated)
        self._strangers = np.diff(self._rated.indptr) == 0
        self._learn(self._rated)

    def scores(self, users: Int32) -> Float32:
        """The baseline's scores, and popularity for strangers."""
        scores = self._score(users)
        strangers = self._strangers[users]
        if strangers.any():
            scores[strangers] = self._popularity
        return scores

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Mean plus biases."""
        return self._biases.stars(users, movies)

    @abstractmethod
    def _learn(self, ratings: sparse.csr_matrix) -> None:
        """Learn from ones where users rated movies, float32 [users + 1, movies]."""

    @abstractmethod
    def _score(self, users: Int32) -> Float32:
        """Scores for users, float32 [batch, movies], writable; strangers' are overwritten."""


def rated(data: EncodedData) -> sparse.csr_matrix:
    """Ones where a user rated a movie in train, float32 [users + 1, movies], the last row empty."""
    rows = data.train
    ones = np.ones(len(rows), np.float32)
    shape = (data.sizes.users + 1, len(data.catalogue))
    matrix = sparse.csr_matrix((ones, (rows.user_index, rows.movie_index)), shape=shape)
    matrix.data[:] = 1.0  # where a pair is there twice
    return matrix


def popularity(ratings: sparse.csr_matrix) -> Float32:
    """How many users rated each movie, float32 [movies]."""
    counts: Float32 = np.bincount(ratings.indices, minlength=ratings.shape[1]).astype(np.float32)
    return counts


def block_rows(columns: int) -> int:
    """Rows of a dense block of that many columns."""
    return max(1, BLOCK_CELLS // max(columns, 1))

"""Everybody gets the most rated movies; stars are the movie's damped mean."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.base import Baseline
from reelflow.encoding.encoded import EncodedData, Float32, Int32

DAMPING = 5.0
"""Ratings at the global mean that each movie starts with."""


class Popularity(Baseline):
    """Number of train ratings as score."""

    def fit(self, data: EncodedData) -> None:
        """Counts."""
        train, movies = data.train, len(data.catalogue)
        counts = np.bincount(train.movie_index, minlength=movies + 1)
        sums = np.bincount(train.movie_index, weights=train.rating, minlength=movies + 1)
        mean = float(np.mean(train.rating, dtype=np.float64))
        self._counts = counts[:movies].astype(np.float32)
        self._stars = ((sums + DAMPING * mean) / (counts + DAMPING)).astype(np.float32)

    def scores(self, users: Int32) -> Float32:
        """The same counts for every user."""
        return np.broadcast_to(self._counts, (len(users), len(self._counts)))

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """The movie's damped mean."""
        stars: Float32 = self._stars[movies]
        return stars

    @property
    def parameters(self) -> int:
        """One count a movie."""
        return len(self._counts)

"""Ranks movies by their number of ratings; stars are the movie's damped mean."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.base import Baseline
from reelflow.encoding.encoded import EncodedData, Float32, Int32

DAMPING = 5.0
"""Pseudo-ratings at the global mean that each movie starts with."""


class Popularity(Baseline):
    """The score of a movie is its number of train ratings."""

    def fit(self, data: EncodedData) -> None:
        """Count ratings, and take damped means."""
        train, movies = data.train, len(data.catalogue)
        counts = np.bincount(train.movie_index, minlength=movies + 1)
        sums = np.bincount(train.movie_index, weights=train.rating, minlength=movies + 1)
        mean = float(np.mean(train.rating, dtype=np.float64))
        self._counts = counts[:movies].astype(np.float32)
        self._stars = ((sums + DAMPING * mean) / (counts + DAMPING)).astype(np.float32)

    def scores(self, users: Int32) -> Float32:
        """Return the same counts for every user, float32 [batch, movies]."""
        return np.broadcast_to(self._counts, (len(users), len(self._counts)))

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Return the movies' damped means, float32 [batch]."""
        stars: Float32 = self._stars[movies]
        return stars

    @property
    def parameters(self) -> int:
        """Number of parameters: one count a movie."""
        return len(self._counts)

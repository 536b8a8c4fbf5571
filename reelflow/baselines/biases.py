"""Stars by damped biases of users and movies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reelflow.encoding.encoded import EncodedData, Float32, Int32

DAMPING = 5.0
"""Pseudo-ratings without bias that each user and each movie starts with."""


@dataclass(frozen=True)
class Biases:
    """Mean + b_u + b_i (Koren, Bell & Volinsky 2009, "Matrix factorization techniques", eq. 3).

    Each bias is a mean of residuals that is damped towards 0: movies first, then users.
    """

    mean: float
    """Stars."""
    users: Float32
    """[users + 1]; the last, the unknown user's, is 0."""
    movies: Float32
    """[movies + 1]; the last, the unknown movie's, is 0."""
    lowest: float
    """Lowest stars in train."""
    highest: float
    """Highest stars in train."""

    @classmethod
    def of(cls, data: EncodedData, damping: float = DAMPING) -> Biases:
        """Learn the biases of train."""
        train = data.train
        stars = train.rating.astype(np.float64)
        mean = float(stars.mean())
        movies = _damped(train.movie_index, stars - mean, len(data.catalogue), damping)
        residuals = stars - mean - movies[train.movie_index]
        users = _damped(train.user_index, residuals, data.sizes.users, damping)
        return cls(
            mean=mean,
            users=users.astype(np.float32),
            movies=movies.astype(np.float32),
            lowest=float(stars.min()),
            highest=float(stars.max()),
        )

    def raw(self, users: Int32, movies: Int32) -> Float32:
        """Predict the stars of pairs without clipping, float32 [batch]."""
        raw: Float32 = np.float32(self.mean) + self.users[users] + self.movies[movies]
        return raw

    def clip(self, stars: Float32) -> Float32:
        """Clip stars to the scale of train."""
        clipped: Float32 = np.clip(stars, self.lowest, self.highest)
        return clipped

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Predict the stars of pairs inside the scale, float32 [batch]."""
        return self.clip(self.raw(users, movies))


def _damped(
    owners: Int32, residuals: npt.NDArray[np.float64], unknown: int, damping: float
) -> npt.NDArray[np.float64]:
    """Return damped means of the owners' residuals, float64 [unknown + 1]; 0 for unknown."""
    sums = np.bincount(owners, weights=residuals, minlength=unknown + 1)
    counts = np.bincount(owners, minlength=unknown + 1)
    biases = sums / (counts + damping)
    biases[unknown] = 0.0
    return biases

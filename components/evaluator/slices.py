"""Slices of the test rows: how active is the user, how popular is the film?"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

USER_ACTIVITY: Final = "user_activity"
MOVIE_POPULARITY: Final = "movie_popularity"

_ACTIVITY_EDGES: Final = (1, 20, 50, 200)
_POPULARITY_EDGES: Final = (1, 5, 20, 100)

Labels = npt.NDArray[np.str_]


def user_activity(train_counts: npt.NDArray[np.int32]) -> Labels:
    """Bucket of the user's train ratings, int [rows] to text [rows]; `0` is a cold user."""
    return _buckets(train_counts, _ACTIVITY_EDGES)


def movie_popularity(train_counts: npt.NDArray[np.int32]) -> Labels:
    """Bucket of the film's train ratings, int [rows] to text [rows]; `0` is a cold film."""
    return _buckets(train_counts, _POPULARITY_EDGES)


def _buckets(counts: npt.NDArray[np.int32], edges: tuple[int, ...]) -> Labels:
    names = [
        "0",
        *(f"{a}-{b - 1}" for a, b in pairwise(edges)),
        f"{edges[-1]}+",
    ]
    labels: Labels = np.array(names)[np.digitize(counts, edges)]
    return labels

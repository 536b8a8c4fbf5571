"""Ranks movies by their ratings of late."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.baselines.popularity import Popularity
from reelflow.encoding.encoded import EncodedData

HALF_LIFE = 90.0
"""Days."""
ALL_TIME_SHARE = 1e-3
"""Weight of all-time popularity, which orders the movies whose ratings are all too old to weigh."""


class RecentPopularity(Popularity):
    """The score of a movie is its share of the train ratings, recent ones weighing more.

    A rating weighs half for each `half_life` days of age, counted from the newest one. All-time
    popularity is a straw man where tastes move on (Ji et al. 2020, "A re-visit of the popularity
    baseline in recommender systems"). Without timestamps all weigh the same.
    """

    candidates = tuple({"half_life": days} for days in (HALF_LIFE, 7.0, 30.0, 365.0, 1460.0))

    def __init__(self, half_life: float = HALF_LIFE) -> None:
        self._half_life = half_life

    def fit(self, data: EncodedData) -> None:
        """Weigh ratings, and take damped means."""
        super().fit(data)
        self._counts = recent_shares(data, self._half_life).astype(np.float32)


def recent_shares(data: EncodedData, half_life: float) -> npt.NDArray[np.float64]:
    """Return the share of each movie among the train ratings, recent ones weighing more.

    Args:
        data: holds the train ratings.
        half_life: age in days, counted from the newest rating, at which a rating weighs half; 0
            means that all weigh the same, as without timestamps.

    Returns:
        float64 [movies]. A movie without ratings counts as a tenth of a rating of all time, so that
        logarithms stay finite.
    """
    counts = np.maximum(data.rating_counts, 0.1)
    all_time: npt.NDArray[np.float64] = counts / counts.sum()
    train, movies = data.train, len(data.catalogue)
    if not half_life or not data.sizes.has_timestamps:
        return all_time
    ages = (train.timestamp.max(initial=0) - train.timestamp) / SECONDS_PER_DAY
    recent = np.bincount(train.movie_index, np.exp2(-ages / half_life), movies)[:movies]
    return (1 - ALL_TIME_SHARE) * recent / recent.sum() + ALL_TIME_SHARE * all_time

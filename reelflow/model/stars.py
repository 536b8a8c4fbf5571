"""The scale of the ratings, found in the data: no number of stars is assumed."""

from __future__ import annotations

import numpy as np

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import Float32
from reelflow.saved_model.files import StarScale

LIKE_SHARE = 0.7
"""Place of the like threshold between the lowest and the highest rating."""


def like_threshold(ratings: Float32, config: ModelConfig) -> float:
    """Return the stars from which on a movie counts as liked.

    Args:
        ratings: of train, [ratings], at least one.
        config: may set the threshold.
    """
    if config.like_threshold is not None:
        return config.like_threshold
    lowest, highest = float(ratings.min()), float(ratings.max())
    return lowest + LIKE_SHARE * (highest - lowest)


def star_scale(ratings: Float32, config: ModelConfig) -> StarScale:
    """Describe the ratings of train, [ratings], at least one."""
    threshold = like_threshold(ratings, config)
    liked = ratings >= threshold
    mean = float(ratings.mean(dtype=np.float64))
    return StarScale(
        lowest=float(ratings.min()),
        highest=float(ratings.max()),
        mean=mean,
        deviation=float(ratings.std(dtype=np.float64)),
        like_threshold=threshold,
        liked=float(ratings[liked].mean(dtype=np.float64)) if liked.any() else mean,
        disliked=float(ratings[~liked].mean(dtype=np.float64)) if not liked.all() else mean,
    )

"""Predicted stars against given ones: is a predicted 4 worth a 4?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.transform.encoded import Float32

BIN_STARS = 0.25
"""Width of a bin of predicted stars."""
MOST_BINS = 40
"""Bins at most, on scales of more than ten stars."""


@dataclass(frozen=True)
class Bin:
    """Test rows whose predictions are near each other."""

    rows: int
    predicted: float
    """Mean of the predictions, in stars."""
    actual: float
    """Mean of the ratings given, in stars."""
    error: float
    """Standard error of `actual`, in stars; 0 for a single row."""


def calibration(stars: Float32, ratings: Float32) -> list[Bin]:
    """Bins of predictions, lowest first, empty ones left out.

    Args:
        stars: predictions, [rows]; what is not a number is left out.
        ratings: what was given, [rows].
    """
    finite = np.isfinite(stars)
    predicted, actual = stars[finite].astype(np.float64), ratings[finite].astype(np.float64)
    if len(predicted) == 0:
        return []
    low, high = float(predicted.min()), float(predicted.max())
    width = max(BIN_STARS, (high - low) / MOST_BINS)
    place = np.floor((predicted - np.floor(low / width) * width) / width).astype(np.int64)
    found = []
    for number in np.unique(place):
        inside = place == number
        rows, given = int(inside.sum()), actual[inside]
        error = float(given.std(ddof=1) / np.sqrt(rows)) if rows > 1 else 0.0
        found.append(Bin(rows, float(predicted[inside].mean()), float(given.mean()), error))
    return found

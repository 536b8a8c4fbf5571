"""How far metrics would move with other users: bootstrap by user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from components.evaluator.metrics import Floats
from components.transform.encoded import Int32

RESAMPLES = 1000
CONFIDENCE = 0.95
BLOCK_CELLS = 1 << 22
"""Weights of users that are held at a time: 32 MiB."""

Interval = tuple[float, float]


def resample(
    columns: Mapping[str, Floats], users: Int32, seed: int, resamples: int = RESAMPLES
) -> dict[str, Floats]:
    """Each column's mean over all rows, as it would be with other users.

    Users, not rows, are drawn with replacement (Efron & Tibshirani 1993, "An introduction to the
    bootstrap"), because a user's rows are alike: to draw rows would make intervals too narrow. The
    same seed draws the same users, so that two models' resamples are pairs.

    Args:
        columns: name to values, float64 [rows].
        users: who each row is of, [rows].
        seed: of the draws.
        resamples: how many.

    Returns:
        Name to means, float64 [resamples].
    """
    who, groups = np.unique(users, return_inverse=True)
    count = len(who)
    values = np.stack([*columns.values(), np.ones(len(groups))])
    # [users, columns + 1], the last one the number of rows.
    sums: Floats = np.stack([np.bincount(groups, v, count) for v in values], axis=1)
    drawn = totals(sums, seed, resamples)
    means = drawn[:, :-1] / drawn[:, -1:]
    means[np.isnan(means)] = np.inf  # an infinite error that was drawn no time
    return dict(zip(columns, means.T, strict=True))


def totals(sums: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Sums over the users of each resample.

    Args:
        sums: each user's, [users, columns].
        seed: of the draws.
        resamples: how many.

    Returns:
        float64 [resamples, columns].
    """
    count = len(sums)
    random = np.random.default_rng(seed)
    step = max(1, BLOCK_CELLS // count)
    with np.errstate(invalid="ignore"):
        return np.concatenate(
            [
                _weights(random, min(step, resamples - done), count) @ sums
                for done in range(0, resamples, step)
            ]
        )


def interval(means: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The range that holds the middle share of the resamples."""
    outside = (1.0 - confidence) / 2.0
    # "nearest": between infinities there is nothing to interpolate.
    low, high = np.quantile(means, [outside, 1.0 - outside], method="nearest")
    return float(low), float(high)


def _weights(random: np.random.Generator, resamples: int, users: int) -> npt.NDArray[np.float64]:
    """How often each user is drawn, [resamples, users]."""
    draws = random.integers(users, size=(resamples, users))
    draws += np.arange(resamples)[:, None] * users
    counts = np.bincount(draws.ravel(), minlength=resamples * users)
    return counts.reshape(resamples, users).astype(np.float64)

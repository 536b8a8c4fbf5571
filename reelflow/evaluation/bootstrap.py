"""95 % intervals of a model's metrics, over all rows and over each slice: bootstrap by user.

Users, not rows, are drawn with replacement (Efron & Tibshirani 1993, "An introduction to the
bootstrap"), because a user's rows are alike: drawing rows would make intervals too narrow. The same
seed draws the same users, so that two models' resamples are pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import numpy as np

from reelflow.base.metrics import METRICS, PROTOCOLS
from reelflow.encoding.encoded import Int32
from reelflow.evaluation.metrics import Floats, by_path
from reelflow.evaluation.results import Interval, Intervals
from reelflow.evaluation.slices import Mask

T = TypeVar("T")

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95
BLOCK_CELLS: Final = 1 << 22
"""Weights of users in memory at a time: 32 MiB."""
SLICED: Final = (
    *(METRICS[key].path(protocol) for protocol in PROTOCOLS for key in ("top_10", "top_100")),
    METRICS["rmse"].column,
)
"""Columns of `metrics.row_columns` that slices have intervals of."""


def resample(
    columns: Mapping[str, Floats], users: Int32, seed: int, resamples: int = RESAMPLES
) -> dict[str, Floats]:
    """Means of the columns over all rows, as they would be with other users.

    Args:
        columns: name to values, float64 [rows].
        users: each row's user, [rows].
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Name to means, float64 [resamples].
    """
    groups, count = _groups(users)
    values = np.stack([*columns.values(), np.ones(len(groups))])
    # [users, columns + 1], the last one the number of rows.
    sums: Floats = np.stack([np.bincount(groups, v, count) for v in values], axis=1)
    means = _means(_totals(sums, seed, resamples))
    return dict(zip(columns, means.T, strict=True))


def interval(means: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The range that holds the middle share of the resamples."""
    outside = (1.0 - confidence) / 2.0
    # "nearest": between infinities there is nothing to interpolate.
    low, high = np.quantile(means, [outside, 1.0 - outside], method="nearest")
    return float(low), float(high)


def intervals(columns: Mapping[str, Floats], users: Int32, seed: int) -> Intervals:
    """Intervals of every metric over all rows.

    Args:
        columns: column to its value for each row, float64 [rows] (`metrics.row_columns`).
        users: each row's user, [rows].
        seed: of the draws; the same seed draws the same users.
    """
    drawn = resample(columns, users, seed)
    return by_path({name: interval(means) for name, means in drawn.items()}, _root)


def slice_intervals(
    columns: Mapping[str, Floats], slices: Mapping[T, Mask], users: Int32, seed: int
) -> dict[T, Intervals]:
    """Intervals of the `SLICED` columns over the rows of each slice, from the same draws of users.

    A draw without a row of the slice is left out.

    Args:
        columns: as for `intervals`.
        slices: key to the rows inside, bool [rows]; slices may overlap.
        users: as for `intervals`.
        seed: as for `intervals`.
    """
    groups, count = _groups(users)
    sums = [
        np.bincount(groups[inside], values, count)
        for mask in slices.values()
        for inside in [np.flatnonzero(mask)]
        for values in (*(columns[name][inside] for name in SLICED), np.ones(len(inside)))
    ]
    if not sums:
        return {}
    stacked: Floats = np.stack(sums, axis=1)
    drawn = _totals(stacked, seed, RESAMPLES).reshape(-1, len(slices), len(SLICED) + 1)
    intervals = {}
    for i, name in enumerate(slices):
        means = _means(drawn[drawn[:, i, -1] > 0, i])
        ends = {column: interval(means[:, j]) for j, column in enumerate(SLICED) if len(means)}
        intervals[name] = by_path(ends, _root)
    return intervals


def _groups(users: Int32) -> tuple[Int32, int]:
    """Each row's user as a number from 0, [rows], and the number of users."""
    distinct, groups = np.unique(users, return_inverse=True)
    return groups, len(distinct)


def _totals(sums: Floats, seed: int, resamples: int) -> Floats:
    """Sums over the users of each resample.

    Args:
        sums: each user's, [users, columns].
        seed: of the draws.
        resamples: number of draws.

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


def _weights(random: np.random.Generator, resamples: int, users: int) -> Floats:
    """Number of times that each user is drawn, [resamples, users]."""
    draws = random.integers(users, size=(resamples, users))
    draws += np.arange(resamples)[:, None] * users
    counts = np.bincount(draws.ravel(), minlength=resamples * users)
    return counts.reshape(resamples, users).astype(np.float64)


def _means(totals: Floats) -> Floats:
    """Means of [resamples, columns + 1], whose last column is the number of rows."""
    means = totals[:, :-1] / totals[:, -1:]
    means[np.isnan(means)] = np.inf  # an infinite error that was drawn no time
    return means


def _root(ends: Interval) -> Interval:
    """Ends of a mean square's interval to those of its root, which grows with it."""
    return ends[0] ** 0.5, ends[1] ** 0.5

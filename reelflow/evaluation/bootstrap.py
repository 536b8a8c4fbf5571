"""How far metrics would move with other users: bootstrap by user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reelflow.encoding.encoded import Int32
from reelflow.evaluation.metrics import Floats

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


# 95 % intervals of a model's metrics, over all rows and over each slice: bootstrap by user.


SLICED = ("raw/top_10", "raw/top_100", "unseen/top_10", "unseen/top_100", "squared_error")
"""What slices have intervals of."""

Intervals = dict[str, Interval]
"""`unseen/top_100`, `rmse` and so on to the interval."""


def intervals(columns: Mapping[str, Floats], users: Int32, seed: int) -> Intervals:
    """Of every metric over all rows.

    Args:
        columns: metric to its value for each row, float64 [rows] (`metrics.row_columns`).
        users: who each row is of, [rows].
        seed: of the draws; the same seed draws the same users.
    """
    return _named({name: interval(m) for name, m in resample(columns, users, seed).items()})


def slice_intervals(
    columns: Mapping[str, Floats],
    slices: Mapping[str, npt.NDArray[np.bool_]],
    users: Int32,
    seed: int,
) -> dict[str, Intervals]:
    """Of the `SLICED` metrics over the rows of each slice, from the same draws of users.

    A draw without a row of the slice says nothing of it and is left out.

    Args:
        columns: as for `intervals`.
        users: as for `intervals`.
        seed: as for `intervals`.
        slices: name to the rows inside, bool [rows]; slices may overlap.
    """
    who, groups = np.unique(users, return_inverse=True)
    sums = [
        np.bincount(groups[inside], values, len(who))
        for mask in slices.values()
        for inside in [np.flatnonzero(mask)]
        for values in (*(columns[name][inside] for name in SLICED), np.ones(len(inside)))
    ]
    if not sums:
        return {}
    stacked: Floats = np.stack(sums, axis=1)
    drawn = totals(stacked, seed).reshape(-1, len(slices), len(SLICED) + 1)
    found = {}
    for i, name in enumerate(slices):
        some = drawn[drawn[:, i, -1] > 0, i]
        means = some[:, :-1] / some[:, -1:]
        means[np.isnan(means)] = np.inf  # an infinite error that was drawn no time
        found[name] = _named(
            {column: interval(means[:, j]) for j, column in enumerate(SLICED) if len(means)}
        )
    return found


def _named(found: Intervals) -> Intervals:
    """Under the names that people know metrics by; a root grows with what is under it."""
    named = dict(found)
    if "squared_error" in named:
        low, high = named.pop("squared_error")
        named["rmse"] = (low**0.5, high**0.5)
    if "absolute_error" in named:
        named["mae"] = named.pop("absolute_error")
    return named

"""95 % intervals of a model's metrics, over all rows and over each slice: bootstrap by user.

Users, not rows, are drawn with replacement (Efron & Tibshirani 1993, "An introduction to the
bootstrap"), because a user's rows are alike: drawing rows would make intervals too narrow. The same
seed draws the same users, so that two models' resamples are pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from reelflow.base.metrics import METRICS, PROTOCOLS
from reelflow.encoding.encoded import Int32
from reelflow.evaluation.metrics import Floats, by_path, means_over_rows
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
    METRICS["stars_of_hits_10"].column,
)
"""Columns of `metrics.row_columns` that slices have intervals of."""


def resample(
    columns: Mapping[str, Floats], users: Int32, seed: int, resamples: int = RESAMPLES
) -> dict[str, Floats]:
    """Means of the columns over all rows, as they would be with other users.

    Args:
        columns: name to values, float64 [rows]; those that are not numbers do not count.
        users: each row's user, [rows].
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Name to means, float64 [resamples]; not a number in draws without a row that counts.
    """
    groups, count = _groups(users)
    masks, which = _counted(columns)
    sums: Floats = np.stack(_sums(columns, masks, which, groups, count), axis=1)
    means = _means(_totals(sums, seed, resamples), which)
    return dict(zip(columns, means.T, strict=True))


def interval(means: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The range that holds the middle share of the resamples, of those that are numbers."""
    outside = (1.0 - confidence) / 2.0
    means = means[~np.isnan(means)]
    if not len(means):
        return math.nan, math.nan
    # "nearest": between infinities there is nothing to interpolate.
    low, high = np.quantile(means, [outside, 1.0 - outside], method="nearest")
    return float(low), float(high)


def intervals(columns: Mapping[str, Floats], users: Int32, seed: int) -> Intervals:
    """Intervals of every metric over all rows; without those that no row counts for.

    Args:
        columns: column to its value for each row, float64 [rows] (`metrics.row_columns`).
        users: each row's user, [rows].
        seed: of the draws; the same seed draws the same users.
    """
    return intervals_of(by_path(resample(columns, users, seed), np.sqrt))


def intervals_of(resamples: Mapping[str, Floats]) -> Intervals:
    """Intervals of means that are numbers in at least one draw.

    Args:
        resamples: path to means, float64 [resamples].
    """
    return {path: interval(means) for path, means in resamples.items() if not np.isnan(means).all()}


@dataclass(frozen=True)
class Measured:
    """A model's figures over test rows by path, and their draws, paired between models."""

    values: Mapping[str, float]
    """Means over the rows; paths that no row counts for are missing."""
    resamples: Mapping[str, Floats]
    """The same with other users, float64 [resamples] each."""

    @classmethod
    def of(cls, columns: Mapping[str, Floats], users: Int32, seed: int) -> Measured:
        """Measure the columns of `metrics.row_columns`; arguments as for `intervals`."""
        return cls(means_over_rows(columns), by_path(resample(columns, users, seed), np.sqrt))

    @property
    def intervals(self) -> Intervals:
        """Intervals of the values."""
        return intervals_of(self.resamples)


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
    sliced = {name: columns[name] for name in SLICED}
    masks, which = _counted(sliced)
    sums = []
    for mask in slices.values():
        inside = np.flatnonzero(mask)
        parts = {name: values[inside] for name, values in sliced.items()}
        sums += _sums(parts, [m[inside] for m in masks], which, groups[inside], count)
    if not sums:
        return {}
    stacked: Floats = np.stack(sums, axis=1)
    drawn = _totals(stacked, seed, RESAMPLES).reshape(-1, len(slices), len(SLICED) + len(masks))
    return {
        name: intervals_of(
            by_path(dict(zip(SLICED, _means(drawn[:, i], which).T, strict=True)), np.sqrt)
        )
        for i, name in enumerate(slices)
    }


def _counted(columns: Mapping[str, Floats]) -> tuple[list[Mask], list[int]]:
    """The distinct masks of rows that count, bool [rows] each, and the place of each column's."""
    masks: dict[bytes, Mask] = {}
    keys = []
    for values in columns.values():
        mask = ~np.isnan(values)
        keys.append(np.packbits(mask).tobytes())
        masks.setdefault(keys[-1], mask)
    places = {key: i for i, key in enumerate(masks)}
    return list(masks.values()), [places[key] for key in keys]


def _sums(
    columns: Mapping[str, Floats], masks: list[Mask], which: list[int], groups: Int32, users: int
) -> list[Floats]:
    """Each user's sums of the columns, then numbers of rows under each mask, [users] each."""
    sums: list[Floats] = []
    for values, place in zip(columns.values(), which, strict=True):
        rows = masks[place]
        sums.append(np.bincount(groups[rows], values[rows], users).astype(np.float64))
    sizes = [np.bincount(groups[mask], minlength=users).astype(np.float64) for mask in masks]
    return [*sums, *sizes]


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


def _means(totals: Floats, which: list[int]) -> Floats:
    """Means of each column, [resamples, columns].

    Args:
        totals: sums of the columns, then numbers of rows, [resamples, columns + masks].
        which: the place of each column's number of rows.
    """
    sums, sizes = totals[:, : len(which)], totals[:, [len(which) + place for place in which]]
    sums = np.where(np.isnan(sums), np.inf, sums)  # an infinite error that was drawn no time
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sizes > 0, sums / sizes, np.nan)

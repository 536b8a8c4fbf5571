"""95 % intervals of a model's metrics, over all rows and over each slice: bootstrap by user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from components.evaluator.bootstrap import Interval, interval, resample, totals
from components.evaluator.metrics import Floats
from components.transform.encoded import Int32

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
        columns, users, seed: as for `intervals`.
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

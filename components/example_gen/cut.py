"""Where the temporal split cuts, from counts that are merged rather than rows that are gathered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

LIMIT: Final = 2**18
"""Buckets that counts may have; 25 years of ratings are told apart by at most an hour."""


@dataclass(frozen=True)
class TimeCounts:
    """Rows by time, in buckets of `2**shift` seconds that begin at multiples of it.

    The shift is the smallest that needs no more than `LIMIT` buckets. A part never needs a larger
    one than the whole, so that merged counts do not depend on how the rows were distributed.

    Attributes:
        shift: logarithm of a bucket's width.
        buckets: int64 [buckets], timestamp >> shift, ascending.
        rows: int64 [buckets], rows in each.
    """

    shift: int
    buckets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]


def count_times(timestamps: npt.NDArray[np.int64], limit: int = LIMIT) -> TimeCounts:
    """Count rows by time.

    Args:
        timestamps: int64 [rows], in any order.
        limit: buckets that the counts may have.
    """
    buckets, rows = np.unique(timestamps, return_counts=True)
    return _coarsened(0, buckets, rows.astype(np.int64), limit)


def merge_counts(counts: Iterable[TimeCounts], limit: int = LIMIT) -> TimeCounts:
    """Counts of all rows together; of none if there are no counts."""
    parts = list(counts)
    shift = max((part.shift for part in parts), default=0)
    aligned = [part.buckets >> (shift - part.shift) for part in parts]
    none = [np.zeros(0, np.int64)]
    buckets = np.concatenate(aligned or none)
    return _coarsened(shift, buckets, np.concatenate([part.rows for part in parts] or none), limit)


def _coarsened(
    shift: int, buckets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], limit: int
) -> TimeCounts:
    distinct, index = np.unique(buckets, return_inverse=True)
    while len(distinct) > limit:
        shift, buckets = shift + 1, buckets >> 1
        distinct, index = np.unique(buckets, return_inverse=True)
    total = np.zeros(len(distinct), np.int64)
    np.add.at(total, index, rows)
    return TimeCounts(shift, distinct, total)


def find_cuts(counts: TimeCounts, shares: Iterable[float]) -> list[int]:
    """Timestamps before which about these shares of the rows lie.

    Args:
        counts: of all rows.
        shares: from 0 to 1, ascending.

    Returns:
        A timestamp for each share: rows strictly before it are on its near side, so that rows of
        equal timestamps stay together. Of the bounds between buckets the one is taken whose share
        of rows is nearest, the earlier of two that are as near.
    """
    total = int(counts.rows.sum())
    if not total:
        return [0 for _ in shares]
    last = int(counts.buckets[-1]) + 1
    bounds = np.append(counts.buckets, last)
    before = np.concatenate([[0], np.cumsum(counts.rows)])
    nearest = (int(np.argmin(np.abs(before - share * total))) for share in shares)
    return [int(bounds[at]) << counts.shift for at in nearest]

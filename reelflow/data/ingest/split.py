"""Splitting ratings into train, validation and test, whatever the order of files and workers.

The temporal split cuts by counts that are merged, not by rows that are gathered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import SplitConfig, SplitKind
from reelflow.data.formats.source import Source
from reelflow.data.ingest.partition import Ratings, combine, hash_strings, seeded, unit_interval

Codes = npt.NDArray[np.uint8]
"""Index into `columns.RATING_SPLITS`, one a row."""

LIMIT: Final = 2**18
"""Buckets that counts may have; 25 years of ratings are told apart by at most an hour."""

TRAIN, VALIDATION, TEST = range(len(columns.RATING_SPLITS))


@dataclass(frozen=True)
class SplitPlan:
    """The rules for assigning the ratings of one partition to splits."""

    config: SplitConfig
    file_splits: tuple[str | None, ...] = ()
    """Split of each ratings file, for `predefined`."""
    cuts: tuple[int, ...] = (0, 0)
    """Timestamps at which validation and test begin, for `temporal`."""


def plan_split(config: SplitConfig, source: Source) -> SplitPlan:
    """Make the plan for a source; the cuts of `temporal` are not known yet.

    Raises:
        BadInput: the split goes by time and the source has no timestamps.
    """
    by_time = config.kind in (SplitKind.TEMPORAL, SplitKind.LEAVE_LAST)
    if by_time and not source.has_timestamps:
        raise BadInput(
            f"split.kind = {config.kind.value!r} goes by time, but {source.ratings_files[0].name} "
            "has no timestamps.",
            'Set split.kind = "random", or map the timestamp column in [data.columns].',
        )
    return SplitPlan(config, tuple(file.split for file in source.ratings_files))


def temporal_shares(config: SplitConfig) -> tuple[float, float]:
    """Return the shares of the rows that lie before validation and before test."""
    before_test = 1.0 - config.test_share
    return before_test - config.validation_share, before_test


def assign_splits(ratings: Ratings, plan: SplitPlan) -> Codes:
    """Assign all ratings of some users, in order, to splits: `Codes` [rows]."""
    config = plan.config
    codes = np.full(len(ratings), TRAIN, np.uint8)
    if config.kind is SplitKind.RANDOM:
        # Test is drawn first: its rows stay the same if the share of validation is changed.
        draws = _draws(ratings, config.seed)
        codes[draws < config.test_share + config.validation_share] = VALIDATION
        codes[draws < config.test_share] = TEST
    elif config.kind is SplitKind.TEMPORAL:
        # Only an empty partition has no timestamps: plan_split has refused other sources.
        times = np.zeros(len(ratings), np.int64)
        times = times if ratings.timestamp is None else ratings.timestamp
        # Train ends where validation begins, also if both cuts fell on the same bound.
        codes = np.searchsorted(plan.cuts, times, side="right").astype(np.uint8)
    elif config.kind is SplitKind.LEAVE_LAST:
        # Users without a train rating left stay in train with all their ratings.
        user, validation, test = ratings.user, config.validation_count, config.test_count
        counts = np.bincount(user)
        from_end = np.cumsum(counts)[user] - 1 - np.arange(len(user))
        enough = (counts > validation + test)[user]
        codes[enough & (from_end < validation + test)] = VALIDATION
        codes[enough & (from_end < test)] = TEST
    else:
        index = {name: code for code, name in enumerate(columns.RATING_SPLITS)}
        of_file = [index[name] for name in plan.file_splits if name is not None]
        codes = np.array(of_file, np.uint8)[ratings.file]
        if not isinstance(config.validation, str):
            drawn = _draws(ratings, config.seed) < config.validation_share
            codes[(codes == TRAIN) & drawn] = VALIDATION
    return codes


def _draws(ratings: Ratings, seed: int) -> npt.NDArray[np.float64]:
    """Draw a number from 0 to 1 for each rating, by seed, user and movie alone."""
    users = combine(seeded(seed), hash_strings(ratings.users))
    movies = hash_strings(ratings.movies)
    return unit_interval(combine(users[ratings.user], movies[ratings.movie]))


@dataclass(frozen=True)
class TimeCounts:
    """Rows by time, in buckets of `2**shift` seconds that begin at multiples of it.

    The shift is the smallest that needs no more than `LIMIT` buckets. A part never needs a larger
    one than all rows together, so that merged counts do not depend on how rows are distributed.

    Attributes:
        shift: logarithm of a bucket's width.
        buckets: int64 [buckets], timestamp >> shift, ascending.
        rows: int64 [buckets], rows in each.
    """

    shift: int
    buckets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]


def count_times(timestamps: npt.NDArray[np.int64], limit: int = LIMIT) -> TimeCounts:
    """Count rows by time; `timestamps` are int64 [rows], `limit` bounds the number of buckets."""
    buckets, rows = np.unique(timestamps, return_counts=True)
    return _coarsened(0, buckets, rows.astype(np.int64), limit)


def merge_counts(counts: Iterable[TimeCounts], limit: int = LIMIT) -> TimeCounts:
    """Add counts up; the result is empty if there are none."""
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
    """Find the timestamps before which about these shares of the rows lie.

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

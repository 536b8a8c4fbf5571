"""Splitting ratings into train, validation and test, whatever the order of files and workers.

The temporal split cuts by counts that are merged, not by rows that are gathered; by counts, too,
`auto` chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import SplitConfig, SplitKind
from reelflow.data.formats.source import Source
from reelflow.data.ingest.partition import Ratings, combine, hash_strings, seeded, unit_interval
from reelflow.data.ingest.results import SplitChoice, SplitReason

Codes = npt.NDArray[np.uint8]
"""Index into `columns.RATING_SPLITS`, one a row."""

LIMIT: Final = 2**18
"""Buckets that counts may have; 25 years of ratings are told apart by at most an hour."""

MIN_LAST: Final = 3
"""Ratings from which `last` gives a user one in each split."""

TRAIN, VALIDATION, TEST = range(len(columns.RATING_SPLITS))


@dataclass(frozen=True)
class SplitPlan:
    """The rules for assigning the ratings of one partition to splits."""

    config: SplitConfig
    file_splits: tuple[str | None, ...] = ()
    """Split of each ratings file, for `predefined`."""
    cuts: tuple[int, ...] = (0, 0)
    """Timestamps at which validation and test begin, for `temporal`."""
    choice: SplitChoice | None = None
    """The split that was made; None as long as `auto` has not decided."""

    @property
    def kind(self) -> SplitKind:
        """The split to make, or `auto`."""
        return self.config.kind if self.choice is None else self.choice.kind


def plan_split(config: SplitConfig, source: Source) -> SplitPlan:
    """Make the plan for a source; what follows from times is not known yet.

    Raises:
        BadInput: the split goes by time and the source has no timestamps.
    """
    by_time = config.kind in (SplitKind.TEMPORAL, SplitKind.LAST, SplitKind.LEAVE_LAST)
    if by_time and not source.has_timestamps:
        raise BadInput(
            f"split.kind = {config.kind.value!r} goes by time, but {source.ratings_files[0].name} "
            "has no timestamps.",
            'Set split.kind = "random", or map the timestamp column in [data.columns].',
        )
    choice = None
    if config.kind is not SplitKind.AUTO:
        choice = SplitChoice(kind=config.kind, asked=config.kind)
    elif not source.has_timestamps:
        choice = _automatic(config, SplitKind.RANDOM, "no_times", None)
    files = tuple(file.split for file in source.ratings_files)
    return SplitPlan(config, files, choice=choice)


def choose_split(plan: SplitPlan, times: TimeCounts, known: KnownCounts | None) -> SplitPlan:
    """Complete the plan of a split that goes by the times of all ratings.

    Args:
        plan: of `temporal` or `auto`.
        times: of all rows.
        known: of all rows, by the cuts that follow from `times`; only `auto` needs it.
    """
    config = plan.config
    plan = replace(plan, cuts=tuple(find_cuts(times, temporal_shares(config))))
    if plan.choice is not None or known is None:
        return plan
    # Equal times may leave no row between the cuts, and nothing is trained without validation.
    divided = plan.cuts[0] < plan.cuts[1] or not config.validation_share
    share = known.known / known.test if known.train and known.test and divided else None
    kind, reason = _choose(config, times, known, share)
    return replace(plan, choice=_automatic(config, kind, reason, share))


def _choose(
    config: SplitConfig, times: TimeCounts, known: KnownCounts, share: float | None
) -> tuple[SplitKind, SplitReason]:
    if len(times.buckets) <= 1:
        return SplitKind.RANDOM, "one_time"
    if share is not None and share >= config.known_share:
        return SplitKind.TEMPORAL, "known_users"
    if not known.long:
        return SplitKind.RANDOM, "few_ratings"
    return SplitKind.LAST, "no_test" if share is None else "new_users"


def _automatic(
    config: SplitConfig, kind: SplitKind, reason: SplitReason, share: float | None
) -> SplitChoice:
    return SplitChoice(
        kind=kind,
        asked=SplitKind.AUTO,
        reason=reason,
        known_share=share,
        required_share=config.known_share,
    )


def temporal_shares(config: SplitConfig) -> tuple[float, float]:
    """Return the shares of the rows that lie before validation and before test."""
    before_test = 1.0 - config.test_share
    return before_test - config.validation_share, before_test


def assign_splits(ratings: Ratings, plan: SplitPlan) -> Codes:
    """Assign all ratings of some users, in order, to splits: `Codes` [rows]."""
    config = plan.config
    codes = np.full(len(ratings), TRAIN, np.uint8)
    if plan.kind is SplitKind.RANDOM:
        # Test is drawn first: its rows stay the same if the share of validation is changed.
        draws = _draws(ratings, config.seed)
        codes[draws < config.test_share + config.validation_share] = VALIDATION
        codes[draws < config.test_share] = TEST
    elif plan.kind is SplitKind.TEMPORAL:
        # Only an empty partition has no timestamps: plan_split has refused other sources.
        times = np.zeros(len(ratings), np.int64)
        times = times if ratings.timestamp is None else ratings.timestamp
        # Train ends where validation begins, also if both cuts fell on the same bound.
        codes = np.searchsorted(plan.cuts, times, side="right").astype(np.uint8)
    elif plan.kind in (SplitKind.LAST, SplitKind.LEAVE_LAST):
        user = ratings.user
        counts = np.bincount(user)
        validation, test = held_out(counts, config, plan.kind)
        from_end = np.cumsum(counts)[user] - 1 - np.arange(len(user))
        codes[from_end < (validation + test)[user]] = VALIDATION
        codes[from_end < test[user]] = TEST
    else:
        index = {name: code for code, name in enumerate(columns.RATING_SPLITS)}
        of_file = [index[name] for name in plan.file_splits if name is not None]
        codes = np.array(of_file, np.uint8)[ratings.file]
        if not isinstance(config.validation, str):
            drawn = _draws(ratings, config.seed) < config.validation_share
            codes[(codes == TRAIN) & drawn] = VALIDATION
    return codes


def held_out(
    counts: npt.NDArray[np.int64], config: SplitConfig, kind: SplitKind
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many of each user's newest ratings are for validation and for test; both [users].

    With `leave_last` these are numbers, with `last` shares, of users with `MIN_LAST` ratings at
    least one. Users without a train rating left stay in train with all their ratings.

    Args:
        counts: ratings of each user, int64 [users].
        config: the shares or numbers.
        kind: one of the two.
    """
    if kind is SplitKind.LEAVE_LAST:
        enough = counts > config.validation_count + config.test_count
        return enough * config.validation_count, enough * config.test_count
    enough = counts >= MIN_LAST
    test = np.rint(counts * config.test_share).astype(np.int64)
    test = np.minimum(np.maximum(test, 1), counts - 2)
    validation = np.rint(counts * config.validation_share).astype(np.int64)
    validation = np.minimum(np.maximum(validation, config.validation_share > 0), counts - test - 1)
    return enough * validation, enough * test


def _draws(ratings: Ratings, seed: int) -> npt.NDArray[np.float64]:
    """Draw a number from 0 to 1 for each rating, by seed, user and movie alone."""
    users = combine(seeded(seed), hash_strings(ratings.users))
    movies = hash_strings(ratings.movies)
    return unit_interval(combine(users[ratings.user], movies[ratings.movie]))


@dataclass(frozen=True)
class KnownCounts:
    """Rows on both sides of a cut in time, and users that it divides.

    Attributes:
        train: ratings before validation.
        test: ratings of test.
        known: those of them whose user has a rating in train.
        long: users with the ratings that `last` needs.
    """

    train: int = 0
    test: int = 0
    known: int = 0
    long: int = 0


def count_known(
    user: npt.NDArray[np.int32], times: npt.NDArray[np.int64], cuts: Sequence[int]
) -> KnownCounts:
    """Count what two cuts in time would come to.

    Args:
        user: of each row, int32 [rows].
        times: timestamp of each row, int64 [rows].
        cuts: timestamps at which validation and test begin.
    """
    train, test = times < cuts[0], times >= cuts[1]
    has_train = np.bincount(user[train], minlength=int(user.max(initial=-1)) + 1) > 0
    known = test & has_train[user]
    long = np.bincount(user) >= MIN_LAST
    return KnownCounts(*(int(part.sum()) for part in (train, test, known, long)))


def merge_known(counts: Iterable[KnownCounts]) -> KnownCounts:
    """Add counts up."""
    parts = [(0, 0, 0, 0), *((c.train, c.test, c.known, c.long) for c in counts)]
    return KnownCounts(*map(sum, zip(*parts, strict=True)))


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
    order = np.argsort(buckets, kind="stable")  # parts in order by themselves are merged quickly
    buckets, rows = buckets[order], rows[order]
    # Neighbours are in one bucket once the highest bit in which they differ is shifted out.
    unlike = np.bitwise_xor(buckets[1:], buckets[:-1])
    coarser = 0
    while np.count_nonzero(unlike) >= limit:
        unlike >>= 1
        coarser += 1
    first = np.flatnonzero(np.append(True, unlike != 0)[: len(buckets)])
    total = np.add.reduceat(rows, first) if len(first) else rows
    return TimeCounts(shift + coarser, buckets[first] >> coarser, total)


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

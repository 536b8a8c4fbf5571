"""Which split each rating belongs to: the same whatever the order of files and workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.example_gen.arrange import Ratings
from components.example_gen.hashing import combine, hash_strings, seeded, unit_interval
from components.trainer import features
from pipeline.config import SplitConfig, SplitKind
from ratings.errors import BadInput
from ratings.formats.source import Source

Codes = npt.NDArray[np.uint8]
"""Index into `features.RATING_SPLITS`, one a row."""

TRAIN, VALIDATION, TEST = range(len(features.RATING_SPLITS))


@dataclass(frozen=True)
class SplitPlan:
    """What assigning the ratings of one partition needs to know of the whole."""

    config: SplitConfig
    file_splits: tuple[str | None, ...] = ()
    """Split of each ratings file, for `predefined`."""
    cuts: tuple[int, int] = (0, 0)
    """Timestamps at which validation and test begin, for `temporal`."""


def plan_split(config: SplitConfig, source: Source) -> SplitPlan:
    """The plan for a source; the cuts of `temporal` are not known yet.

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
    """Shares of the rows that lie before validation and before test."""
    before_test = 1.0 - config.test_share
    return before_test - config.validation_share, before_test


def assign_splits(ratings: Ratings, plan: SplitPlan) -> Codes:
    """Assign every rating to a split.

    Args:
        ratings: all ratings of some users, in order.
        plan: how to split.

    Returns:
        uint8 [rows], index into `features.RATING_SPLITS`.
    """
    config = plan.config
    if config.kind is SplitKind.RANDOM:
        return _by_share(ratings, config)
    if config.kind is SplitKind.TEMPORAL:
        # Train ends where validation begins, also if both cuts fell on the same bound.
        return np.searchsorted(plan.cuts, _timestamps(ratings), side="right").astype(np.uint8)
    if config.kind is SplitKind.LEAVE_LAST:
        return _last_of_user(ratings.user, config.validation_count, config.test_count)
    return _by_file(ratings, config, plan.file_splits)


def _draws(ratings: Ratings, seed: int) -> npt.NDArray[np.float64]:
    """A number from 0 to 1 for each rating, from seed, user and film alone."""
    users = combine(seeded(seed), hash_strings(ratings.users))
    movies = hash_strings(ratings.movies)
    return unit_interval(combine(users[ratings.user], movies[ratings.movie]))


def _by_share(ratings: Ratings, config: SplitConfig) -> Codes:
    test, validation = config.test_share, config.validation_share
    # Test is drawn first: its rows stay the same if the share of validation is changed.
    draws = _draws(ratings, config.seed)
    codes = np.full(len(ratings), TRAIN, np.uint8)
    codes[draws < test + validation] = VALIDATION
    codes[draws < test] = TEST
    return codes


def _last_of_user(user: npt.NDArray[np.int32], validation: int, test: int) -> Codes:
    """The last `test` of each user to test, the `validation` before them to validation.

    Users who would have no train rating left stay in train as a whole.
    """
    counts = np.bincount(user) if len(user) else np.zeros(0, np.int64)
    from_end = np.cumsum(counts)[user] - 1 - np.arange(len(user))
    enough = (counts > validation + test)[user]
    codes = np.full(len(user), TRAIN, np.uint8)
    codes[enough & (from_end < validation + test)] = VALIDATION
    codes[enough & (from_end < test)] = TEST
    return codes


def _by_file(ratings: Ratings, config: SplitConfig, file_splits: Sequence[str | None]) -> Codes:
    index = {name: code for code, name in enumerate(features.RATING_SPLITS)}
    code_of_file = np.array([index[name] for name in file_splits if name is not None], np.uint8)
    codes = code_of_file[ratings.file]
    if not isinstance(config.validation, str):
        drawn = _draws(ratings, config.seed) < config.validation_share
        codes[(codes == TRAIN) & drawn] = VALIDATION
    return np.asarray(codes, np.uint8)


def _timestamps(ratings: Ratings) -> npt.NDArray[np.int64]:
    if ratings.timestamp is None:
        # plan_split has refused sources without timestamps; only an empty partition has none.
        return np.zeros(len(ratings), np.int64)
    return ratings.timestamp

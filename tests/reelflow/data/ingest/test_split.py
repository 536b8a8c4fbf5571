"""Splits, and the temporal split's cuts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from reelflow.base.columns import RATING_SPLITS
from reelflow.config import SplitConfig
from reelflow.data.ingest.partition import arrange, partition_by_user
from reelflow.data.ingest.split import (
    SplitPlan,
    assign_splits,
    count_times,
    find_cuts,
    merge_counts,
    temporal_shares,
)
from tests.reelflow.data.ingest.tables import Row, parsed, random_rows
from tests.reelflow.data.ingest.test_partition import rows_of

KINDS: list[dict[str, Any]] = [
    {"kind": "random", "validation": 0.1, "test": 0.2},
    {"kind": "temporal", "validation": 0.1, "test": 0.2},
    {"kind": "leave_last", "validation": 1, "test": 2},
    {"kind": "last", "validation": 0.1, "test": 0.2},
]


def split(rows: list[Row], config: SplitConfig, partitions: int = 1) -> dict[str, list[Row]]:
    """Rows by split, as the pipeline assigns them."""
    ratings = [
        arrange([part]).ratings for part in partition_by_user(parsed(rows), partitions).values()
    ]
    times = count_times(np.array([row[3] for row in rows]))
    cuts = find_cuts(times, temporal_shares(config)) if config.kind == "temporal" else [0, 0]
    plan = SplitPlan(config, cuts=(cuts[0], cuts[1]))
    by_split: dict[str, list[Row]] = defaultdict(list)
    for part in ratings:
        for row, code in zip(rows_of(part), assign_splits(part, plan), strict=True):
            by_split[RATING_SPLITS[code]].append(row)
    return {name: sorted(some) for name, some in by_split.items()}


@pytest.mark.parametrize("options", KINDS)
def test_every_row_is_in_one_split_whatever_the_partitions(options: dict[str, Any]) -> None:
    rows = random_rows(1_000)
    config = SplitConfig(**options)
    splits = split(rows, config)

    assert sorted(row for some in splits.values() for row in some) == sorted(rows)
    assert set(splits) == set(RATING_SPLITS)
    assert split(rows, config, partitions=5) == splits


def test_random_depends_on_seed_user_and_movie_only() -> None:
    rows = random_rows(1_000)
    config = SplitConfig(kind="random", validation=0.1, test=0.2)
    splits = split(rows, config)
    half = split(rows[::-2], config)

    assert 150 < len(splits["test"]) < 250
    assert 60 < len(splits["validation"]) < 140
    for name in RATING_SPLITS:
        assert set(half[name]) == set(splits[name]) & set(rows[::-2])
    assert split(rows, SplitConfig(kind="random", validation=0.1, test=0.2, seed=1)) != splits


def test_random_gives_a_pair_that_was_rated_twice_to_one_split() -> None:
    rows: list[Row] = [("u", f"m{i}", 3.0, time) for i in range(50) for time in (1, 2)]
    for some in split(rows, SplitConfig(kind="random")).values():
        movies = [row[1] for row in some]
        assert all(movies.count(movie) == 2 for movie in movies)


def test_temporal_never_parts_equal_times() -> None:
    splits = split(random_rows(1_000, times=13), SplitConfig(**KINDS[1]))
    times = [{row[3] for row in splits[name]} for name in RATING_SPLITS]

    assert max(times[0]) < min(times[1])  # type: ignore[type-var]
    assert max(times[1]) < min(times[2])  # type: ignore[type-var]


def test_leave_last_takes_the_last_of_each_user() -> None:
    rows = random_rows(1_000)
    splits = split(rows, SplitConfig(**KINDS[2]))
    for user in {row[0] for row in rows}:
        times = [[row[3] or 0 for row in splits[name] if row[0] == user] for name in RATING_SPLITS]
        assert (len(times[1]), len(times[2])) == (1, 2)
        assert max(times[0]) <= times[1][0] <= min(times[2])


def test_leave_last_keeps_users_with_few_ratings_in_train() -> None:
    rows: list[Row] = [("few", f"m{i}", 3.0, i) for i in range(3)]
    rows += [("enough", f"m{i}", 3.0, i) for i in range(4)]
    splits = split(rows, SplitConfig(**KINDS[2]))

    assert splits["train"] == [("enough", "m0", 3.0, 0), *rows[:3]]


def test_predefined_goes_by_file_and_draws_validation_from_train() -> None:
    rows = random_rows(600)
    parts = [parsed(rows[:400], file=0), parsed(rows[400:], file=1)]
    ratings = arrange(parts).ratings
    config = SplitConfig(kind="predefined", train="a", test="b", validation=0.25)
    codes = assign_splits(ratings, SplitPlan(config, file_splits=("train", "test")))

    assert {RATING_SPLITS[code] for code in codes[ratings.file == 1]} == {"test"}
    assert 70 < (codes[ratings.file == 0] == 1).sum() < 130
    named = SplitConfig(kind="predefined", train="a", validation="c", test="b")
    codes = assign_splits(ratings, SplitPlan(named, file_splits=("train", "validation")))
    assert (codes == ratings.file).all()


@pytest.mark.parametrize("limit", [4, 16, 1000])
@pytest.mark.parametrize("parts", [1, 2, 7])
def test_merged_counts_do_not_depend_on_the_parts(limit: int, parts: int) -> None:
    rng = np.random.default_rng(3)
    times = rng.integers(-5_000, 10**6, 2_000)
    whole = count_times(times, limit)
    counts = [count_times(part, limit) for part in np.array_split(rng.permutation(times), parts)]
    # Also in two steps, as Beam combines.
    merged = merge_counts([merge_counts(counts[:1], limit), merge_counts(counts[1:], limit)], limit)

    assert merged.shift == whole.shift
    assert merged.buckets.tolist() == whole.buckets.tolist()
    assert merged.rows.tolist() == whole.rows.tolist()
    assert len(whole.buckets) <= limit
    assert whole.rows.sum() == 2_000


def test_cuts_are_the_quantiles() -> None:
    times = np.random.default_rng(0).permutation(1_000)
    cuts = find_cuts(count_times(times), (0.8, 0.9))

    assert cuts == [800, 900]


def test_the_nearest_bound_between_ties_is_taken() -> None:
    # 6 rows at time 1, 4 at time 2: no cut has 8 before it; 6 and 10 are as near, 6 is earlier.
    counts = count_times(np.repeat([1, 2], [6, 4]))
    assert find_cuts(counts, [0.8]) == [2]
    assert find_cuts(counts, [0.1]) == [1]


def test_coarse_buckets_cut_close_to_the_share() -> None:
    times = np.random.default_rng(1).integers(0, 10**9, 20_000)
    cut = find_cuts(count_times(times, limit=512), [0.8])[0]

    assert abs((times < cut).mean() - 0.8) < 1 / 256


def test_no_rows() -> None:
    assert find_cuts(
        merge_counts([count_times(np.zeros(0, np.int64)), merge_counts([])]), [0.5]
    ) == [0]

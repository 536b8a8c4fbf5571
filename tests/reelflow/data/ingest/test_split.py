"""Splits, and the temporal split's cuts."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from reelflow.base.columns import RATING_SPLITS
from reelflow.config import Repeated, SplitConfig, SplitKind
from reelflow.data.formats.source import Source
from reelflow.data.ingest.arrange import Policy, arrange, one_side
from reelflow.data.ingest.partition import partition_by_user
from reelflow.data.ingest.results import SplitChoice
from reelflow.data.ingest.split import (
    KnownCounts,
    SplitPlan,
    assign_splits,
    choose_split,
    count_known,
    count_times,
    find_cuts,
    held_out,
    merge_counts,
    merge_known,
    plan_split,
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
        arrange([part], Policy(repeated=Repeated.ALL)).ratings
        for part in partition_by_user(parsed(rows), partitions).values()
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


@pytest.mark.parametrize("options", KINDS)
def test_one_side_never_parts_a_pair(options: dict[str, Any]) -> None:
    rows: list[Row] = [("u", f"m{i}", 3.0, i + time) for i in range(50) for time in (1, 30)]
    ratings = arrange([parsed(rows)], Policy(repeated=Repeated.ALL)).ratings
    config = SplitConfig(**options)
    times = count_times(np.array([row[3] for row in rows]))
    cuts = find_cuts(times, temporal_shares(config)) if config.kind == "temporal" else [0, 0]
    splits = assign_splits(ratings, SplitPlan(config, cuts=(cuts[0], cuts[1])))
    kept = one_side(ratings, splits)
    sides: dict[str, set[int]] = defaultdict(set)
    for row, code in zip(rows_of(ratings.take(kept)), splits[kept], strict=True):
        sides[row[1]].add(int(code))
    assert len(sides) == 50
    assert all(len(some) == 1 for some in sides.values())


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


def test_last_takes_the_newest_shares_of_each_user() -> None:
    rows = random_rows(1_000)
    splits = split(rows, SplitConfig(kind="last", validation=0.1, test=0.2))
    for user in {row[0] for row in rows}:
        times = [[row[3] or 0 for row in splits[name] if row[0] == user] for name in RATING_SPLITS]
        count = sum(map(len, times))
        assert abs(len(times[1]) - 0.1 * count) <= 0.5
        assert abs(len(times[2]) - 0.2 * count) <= 0.5
        assert max(times[0]) <= min(times[1])
        assert max(times[1]) <= min(times[2])


def test_last_holds_out_one_at_least_and_keeps_the_first_in_train() -> None:
    counts = np.arange(41)
    for validation in (0.0, 0.1, 0.45):
        for test in (0.01, 0.1, 0.5):
            config = SplitConfig(kind="last", validation=validation, test=test)
            chosen, tested = held_out(counts, config, config.kind)
            assert not chosen[:3].any()
            assert not tested[:3].any()
            assert (tested[3:] >= 1).all()
            assert ((chosen[3:] >= 1) == (validation > 0)).all()
            assert (counts - chosen - tested)[3:].min() >= 1


def test_last_resolves_ties_as_leave_last_does() -> None:
    # All of a user at one time: the rows' order in the files decides.
    rows: list[Row] = [(f"u{i % 7}", f"m{i:02d}", 3.0, 5) for i in range(35)]
    last = split(rows, SplitConfig(kind="last", validation=0.2, test=0.2), partitions=3)
    assert last == split(rows, SplitConfig(kind="leave_last", validation=1, test=1))
    assert {row[1] for row in last["test"]} == {f"m{i}" for i in range(28, 35)}


def automatic(rows: list[Row], partitions: int = 1, **options: Any) -> SplitChoice:
    """What `auto` comes to, as the pipeline finds it out."""
    config = SplitConfig(**options)
    tables = partition_by_user(parsed(rows), partitions).values()
    parts = [arrange([part]).ratings for part in tables]
    times = [np.zeros(0, np.int64) if p.timestamp is None else p.timestamp for p in parts]
    merged = merge_counts(map(count_times, times))
    cuts = find_cuts(merged, temporal_shares(config))
    users = [part.user for part in parts]
    known = merge_known(count_known(u, t, cuts) for u, t in zip(users, times, strict=True))
    choice = choose_split(SplitPlan(config), merged, known).choice
    assert choice is not None
    assert choice.asked is SplitKind.AUTO
    return choice


def users_in_a_row(known: int) -> list[Row]:
    """Ten users of ten ratings, one after the other in time.

    The last ten ratings, which a cut in time tests, are shared by the last user, whom train does
    not know, and by the first one, who has `known` of them.
    """
    rows: list[Row] = [(f"u{i // 10}", f"m{i % 10}", 3.0, i) for i in range(90)]
    return rows + [("u0" if i < known else "u9", f"m{20 + i}", 3.0, 90 + i) for i in range(10)]


@pytest.mark.parametrize("partitions", [1, 2, 9])
@pytest.mark.parametrize(
    ("known", "required", "kind", "reason"),
    [
        (5, 0.5, "temporal", "known_users"),
        (4, 0.5, "last", "new_users"),
        (4, 0.4, "temporal", "known_users"),
        (0, 0.5, "last", "new_users"),
        (0, 0.0, "temporal", "known_users"),
        (9, 1.0, "last", "new_users"),
        (10, 1.0, "temporal", "known_users"),
    ],
)
def test_auto_asks_how_many_test_rows_are_of_known_users(
    partitions: int, known: int, required: float, kind: str, reason: str
) -> None:
    rows = users_in_a_row(known)
    for order in (rows, rows[::-1], [rows[i] for i in np.random.default_rng(0).permutation(100)]):
        choice = automatic(order, partitions, known_share=required)
        assert (choice.kind, choice.reason) == (kind, reason)
        assert choice.known_share == known / 10
        assert choice.required_share == required


def test_validation_alone_does_not_make_a_user_known() -> None:
    rows: list[Row] = [(f"u{i // 10}", f"m{i % 10}", 3.0, i) for i in range(80)]
    # Validation and test are of one user.
    rows += [("late", f"m{i}", 3.0, 80 + i) for i in range(20)]
    choice = automatic(rows, validation=0.1, test=0.1)
    assert (choice.kind, choice.known_share) == (SplitKind.LAST, 0)


def test_auto_without_a_use_for_times() -> None:
    same: list[Row] = [(f"u{i % 5}", f"m{i}", 3.0, 7) for i in range(50)]
    assert (automatic(same).kind, automatic(same).reason) == (SplitKind.RANDOM, "one_time")
    # Nine tenths at one time: no cut has ratings on both sides of validation.
    lumps: list[Row] = [(f"u{i % 5}", f"m{i}", 3.0, int(i >= 5)) for i in range(50)]
    choice = automatic(lumps)
    assert (choice.kind, choice.reason, choice.known_share) == (SplitKind.LAST, "no_test", None)
    # Every user comes twice and goes.
    brief: list[Row] = [(f"u{i // 2}", f"m{i % 9}", 3.0, i) for i in range(100)]
    choice = automatic(brief)
    assert (choice.kind, choice.reason, choice.known_share) == (SplitKind.RANDOM, "few_ratings", 0)


def test_a_plan_without_times_is_random_at_once() -> None:
    source = cast(Source, SimpleNamespace(has_timestamps=False, ratings_files=()))
    choice = plan_split(SplitConfig(), source).choice
    assert choice is not None
    assert (choice.kind, choice.reason) == (SplitKind.RANDOM, "no_times")
    timed = cast(Source, SimpleNamespace(has_timestamps=True, ratings_files=()))
    assert plan_split(SplitConfig(), timed).choice is None
    assert plan_split(SplitConfig(kind="last"), timed).kind is SplitKind.LAST


def test_known_counts_add_up() -> None:
    assert merge_known([]) == KnownCounts()
    assert merge_known([KnownCounts(1, 2, 3, 4), KnownCounts(10, 20, 30, 40)]) == KnownCounts(
        11, 22, 33, 44
    )
    assert count_known(np.zeros(0, np.int32), np.zeros(0, np.int64), (0, 0)) == KnownCounts()


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

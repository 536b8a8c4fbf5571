"""A partition is sorted by user and time, and keeps the first of exact duplicates."""

from __future__ import annotations

import pytest

from reelflow.data.ingest.partition import Ratings, arrange, partition_by_user
from tests.reelflow.data.ingest.tables import Row, parsed, random_rows


def rows_of(ratings: Ratings) -> list[Row]:
    times = [None] * len(ratings) if ratings.timestamp is None else ratings.timestamp.tolist()
    users = ratings.users.take(ratings.user).to_pylist()
    movies = ratings.movies.take(ratings.movie).to_pylist()
    return list(zip(users, movies, ratings.rating.tolist(), times, strict=True))


def test_order_is_user_time_place() -> None:
    parts = [
        parsed([("u2", "a", 1, 5), ("u10", "a", 2, 9), ("u2", "b", 3, 5)]),
        parsed([("u2", "c", 4, 1), ("u10", "c", 5, -9)], file=1),
    ]
    ratings, duplicates = arrange(parts)

    assert rows_of(ratings) == [
        ("u10", "c", 5.0, -9),
        ("u10", "a", 2.0, 9),
        ("u2", "c", 4.0, 1),
        ("u2", "a", 1.0, 5),
        ("u2", "b", 3.0, 5),
    ]
    assert ratings.file.tolist() == [1, 0, 1, 0, 0]
    assert duplicates.num_rows == 0


@pytest.mark.parametrize("time", [7, None])
def test_first_of_exact_duplicates_is_kept(time: int | None) -> None:
    other = None if time is None else 8
    rows: list[Row] = [("u", "a", 1, time), ("u", "b", 1, time), ("u", "a", 1, time)]
    parts = [parsed(rows), parsed([("u", "a", 1, time), ("u", "a", 2, time)], file=1)]
    ratings, duplicates = arrange([*parts, parsed([("u", "a", 1, other)], file=2)])

    places = {(row["file"], row["offset"]) for row in duplicates.to_pylist()}
    assert places == {(0, 20), (1, 0)} | ({(2, 0)} if time is None else set())
    assert len(ratings) == 4 if time else 3
    assert ratings.file.tolist().count(0) == 2


def test_times_too_wide_apart_for_one_key() -> None:
    far = 10**18 - 1
    rows: list[Row] = [
        ("u", "a", 1, far),
        ("u", "b", 1, -far),
        ("u", "a", 1, far),
        ("v", "a", 1, 0),
    ]
    rows += [(f"w{i}", "a", 1, 0) for i in range(20)]
    ratings, duplicates = arrange([parsed(rows)])

    assert rows_of(ratings)[:3] == [("u", "b", 1, -far), ("u", "a", 1, far), ("v", "a", 1, 0)]
    assert duplicates.num_rows == 1


def test_no_rows() -> None:
    for parts in ([], [parsed([])]):
        ratings, duplicates = arrange(parts)
        assert (len(ratings), len(ratings.users), duplicates.num_rows) == (0, 0, 0)


@pytest.mark.parametrize("partitions", [1, 3, 64])
def test_partitions_hold_whole_users(partitions: int) -> None:
    rows = random_rows(500)
    parts = partition_by_user(parsed(rows), partitions)
    users = [set(part.column("user_id").to_pylist()) for part in parts.values()]

    assert sum(part.num_rows for part in parts.values()) == 500
    assert sum(len(some) for some in users) == len(set().union(*users))
    joined = [row for part in parts.values() for row in rows_of(arrange([part])[0])]
    assert sorted(joined) == sorted(rows)


def test_a_user_is_in_the_same_partition_whoever_else_is_there() -> None:
    rows = random_rows(500)
    whole = partition_by_user(parsed(rows), 8)
    for name, part in partition_by_user(parsed(rows[::7]), 8).items():
        assert set(part.column("user_id").to_pylist()) <= set(whole[name]["user_id"].to_pylist())

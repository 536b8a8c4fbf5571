"""Stable hashes, partitions by user, and a partition in its final order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from reelflow.config import Feedback, Repeated
from reelflow.data.ingest.arrange import Policy, arrange
from reelflow.data.ingest.partition import (
    Ratings,
    combine,
    hash_strings,
    mix,
    partition_by_user,
    seeded,
    unit_interval,
)
from reelflow.data.quarantine import NAMES
from reelflow.data.scale import Bounds
from tests.reelflow.data.ingest.tables import Row, parsed, random_rows


def test_mix_is_splitmix64() -> None:
    # The first outputs of the reference implementation, seeded with 0 and with 1.
    assert mix(np.array([0, 1], np.uint64)).tolist() == [0xE220A8397B1DCDAF, 0x910A2DEC89025CC1]


def test_strings_have_stable_hashes() -> None:
    strings = pa.array(["", "1", "12345678", "123456789", "Zoë"])
    assert [f"{value:016x}" for value in hash_strings(strings).tolist()] == [
        "e220a8397b1dcdaf",
        "73af0a8167a25c39",
        "80e9b4059c19627a",
        "8c0373674b2fcb49",
        "4039545e948b9ddf",
    ]


def test_a_string_hashes_the_same_beside_others() -> None:
    strings = pa.array(["a", "b" * 50, "", "abcdefgh", "abcdefgh\0", "a\0"])
    alone = [hash_strings(pa.array([text.as_py()]))[0] for text in strings]

    assert hash_strings(strings).tolist() == alone
    assert hash_strings(strings.slice(2, 3)).tolist() == alone[2:5]
    assert len(set(alone)) == 6


def test_hashes_are_even() -> None:
    hashes = hash_strings(pa.array([str(i) for i in range(20_000)]))
    shares = unit_interval(combine(np.broadcast_to(seeded(42), hashes.shape), hashes))

    assert len(np.unique(hashes)) == 20_000
    assert np.abs(np.histogram(shares, 10, (0, 1))[0] / 2_000 - 1).max() < 0.1
    assert shares.min() >= 0
    assert shares.max() < 1


PLAYS: list[Row] = [
    ("u", "a", 2, 30),
    ("u", "a", 3, 10),
    ("u", "b", 1, 20),
    ("v", "a", 5, 10),
    ("u", "a", 3, 10),
]


@pytest.mark.parametrize(("feedback", "first"), [("events", 1), ("counts", 8)])
def test_repeated_events_are_one_row_the_first_in_time(feedback: str, first: float) -> None:
    arranged = arrange([parsed(PLAYS[:2]), parsed(PLAYS[2:], file=1)], Policy(Feedback(feedback)))

    value = {"events": 1.0, "counts": 5.0}[feedback]
    assert rows_of(arranged.ratings) == [
        ("u", "a", first, 10),
        ("u", "b", 1, 20),
        ("v", "a", value, 10),
    ]
    assert arranged.repeated == 2
    assert arranged.rejected.num_rows == 0


def test_repeated_events_without_times() -> None:
    rows: list[Row] = [(user, movie, 1, None) for user, movie, *_ in PLAYS]
    arranged = arrange([parsed(rows)], Policy(Feedback.EVENTS))
    assert [row[:2] for row in rows_of(arranged.ratings)] == [("u", "a"), ("u", "b"), ("v", "a")]
    assert arranged.repeated == 2


def test_what_no_scale_can_hold_is_rejected_with_its_place() -> None:
    arranged = arrange([parsed(PLAYS)], Policy(accepted=Bounds(2, 3), repeated=Repeated.ALL))
    assert [row[2] for row in rows_of(arranged.ratings)] == [3, 2]
    refused = [(row["offset"], NAMES[row["reason"]]) for row in arranged.rejected.to_pylist()]
    assert refused == [(20, "rating_range"), (30, "rating_range"), (40, "duplicate")]


def test_order_of_a_pair_matters() -> None:
    one, two = hash_strings(pa.array(["1"])), hash_strings(pa.array(["2"]))
    assert combine(one, two) != combine(two, one)


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
    arranged = arrange(parts)
    ratings, duplicates = arranged.ratings, arranged.rejected

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
    parts.append(parsed([("u", "a", 1, other)], file=2))
    arranged = arrange(parts, Policy(repeated=Repeated.ALL))
    ratings, duplicates = arranged.ratings, arranged.rejected

    places = {(row["file"], row["offset"]) for row in duplicates.to_pylist()}
    assert places == {(0, 20), (1, 0)} | ({(2, 0)} if time is None else set())
    assert len(ratings) == 4 if time else 3
    assert ratings.file.tolist().count(0) == 2


@pytest.mark.parametrize(
    ("repeated", "kept"),
    [
        (None, [("u", "b", 1, 2), ("u", "a", 4, 3), ("v", "a", 2, 1)]),
        ("last", [("u", "b", 1, 2), ("u", "a", 4, 3), ("v", "a", 2, 1)]),
        ("first", [("u", "a", 1, 1), ("u", "b", 1, 2), ("v", "a", 2, 1)]),
        ("mean", [("u", "b", 1, 2), ("u", "a", 2.5, 3), ("v", "a", 2, 1)]),
    ],
)
def test_one_row_of_a_pair_counts(repeated: str | None, kept: list[Row]) -> None:
    rows: list[Row] = [("u", "a", 4, 3), ("u", "b", 1, 2), ("u", "a", 1, 1), ("v", "a", 2, 1)]
    policy = Policy(repeated=None if repeated is None else Repeated(repeated))
    arranged = arrange([parsed(rows)], policy)
    assert rows_of(arranged.ratings) == kept
    assert (arranged.repeated, arranged.pairs, arranged.rejected.num_rows) == (1, 1, 0)


@pytest.mark.parametrize(("repeated", "count"), [("last", 5), ("mean", 3), ("all", None)])
def test_counts_by_policy(repeated: str, count: float | None) -> None:
    rows: list[Row] = [("u", "a", 1, 1), ("u", "a", 5, 2)]
    arranged = arrange([parsed(rows)], Policy(Feedback.COUNTS, repeated=Repeated(repeated)))
    expected = rows if count is None else [("u", "a", count, 2)]
    assert rows_of(arranged.ratings) == expected


@pytest.mark.parametrize("repeated", [None, *Repeated])
@pytest.mark.parametrize("time", [1, None])
def test_a_pair_stays_in_the_first_split_of_its_files(
    repeated: Repeated | None, time: int | None
) -> None:
    train: list[Row] = [("u", "a", 1, time), ("u", "b", 1, time)]
    test: list[Row] = [("u", "b", 3, time), ("u", "c", 3, time), ("u", "c", 2, time)]
    policy = Policy(repeated=repeated, sides=(2, 0))
    arranged = arrange([parsed(test), parsed(train, file=1)], policy)
    files = {row[1]: set() for row in train + test}
    for row, file in zip(rows_of(arranged.ratings), arranged.ratings.file, strict=True):
        files[row[1]].add(int(file))
    assert files == {"a": {1}, "b": {1}, "c": {0}}
    assert arranged.repeated == (1 if repeated is Repeated.ALL else 2)
    assert arranged.pairs == 2


def test_rows_that_files_share_are_counted() -> None:
    whole: list[Row] = [("u", f"m{i}", 1, i) for i in range(10)]
    sample = [*whole[2:5], whole[2]]
    arranged = arrange([parsed(whole), parsed(sample, file=1), parsed([("u", "x", 1, 1)], file=2)])
    assert arranged.shared == {(0, 1): 3}
    assert arranged.file_rows == (10, 3, 1)
    assert arranged.rejected.num_rows == 4


def test_ratings_come_back_from_their_bytes() -> None:
    for rows in (random_rows(50), [], [("u", "a", 1, None)]):
        ratings = arrange([parsed(rows)]).ratings
        again = Ratings.from_bytes(ratings.to_bytes())
        assert rows_of(again) == rows_of(ratings)
        assert (again.timestamp is None) == (ratings.timestamp is None)
        assert again.users.equals(ratings.users)


def test_times_too_wide_apart_for_one_key() -> None:
    far = 10**18 - 1
    rows: list[Row] = [
        ("u", "a", 1, far),
        ("u", "b", 1, -far),
        ("u", "a", 1, far),
        ("v", "a", 1, 0),
    ]
    rows += [(f"w{i}", "a", 1, 0) for i in range(20)]
    arranged = arrange([parsed(rows)])
    ratings, duplicates = arranged.ratings, arranged.rejected

    assert rows_of(ratings)[:3] == [("u", "b", 1, -far), ("u", "a", 1, far), ("v", "a", 1, 0)]
    assert duplicates.num_rows == 1


def test_no_rows() -> None:
    for parts in ([], [parsed([])]):
        arranged = arrange(parts)
        ratings, duplicates = arranged.ratings, arranged.rejected
        assert (len(ratings), len(ratings.users), duplicates.num_rows) == (0, 0, 0)


@pytest.mark.parametrize("partitions", [1, 3, 64])
def test_partitions_hold_whole_users(partitions: int) -> None:
    rows = random_rows(500)
    parts = partition_by_user(parsed(rows), partitions)
    users = [set(part.column("user_id").to_pylist()) for part in parts.values()]

    assert sum(part.num_rows for part in parts.values()) == 500
    assert sum(len(some) for some in users) == len(set().union(*users))
    joined = [row for part in parts.values() for row in rows_of(arrange([part]).ratings)]
    assert sorted(joined) == sorted(rows)


def test_a_user_is_in_the_same_partition_whoever_else_is_there() -> None:
    rows = random_rows(500)
    whole = partition_by_user(parsed(rows), 8)
    for name, part in partition_by_user(parsed(rows[::7]), 8).items():
        assert set(part.column("user_id").to_pylist()) <= set(whole[name]["user_id"].to_pylist())

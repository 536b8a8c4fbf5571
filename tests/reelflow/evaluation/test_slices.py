"""Slices of the test rows, and groups by user attributes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from reelflow.evaluation.slices import (
    age_group,
    by_genre,
    by_knowledge,
    movie_popularity,
    user_activity,
    user_groups,
)


@pytest.mark.parametrize(
    ("counts", "label"),
    [((0,), "0"), ((1, 19), "1-19"), ((20, 49), "20-49"), ((50, 199), "50-199"),
     ((200, 10**6), "200+")],
)  # fmt: skip
def test_edges_of_activity(counts: tuple[int, ...], label: str) -> None:
    assert set(user_activity(np.array(counts, np.int32))) == {label}


@pytest.mark.parametrize(
    ("counts", "label"),
    [((0,), "0"), ((1, 4), "1-4"), ((5, 19), "5-19"), ((20, 99), "20-99"), ((100, 10**6), "100+")],
)
def test_edges_of_popularity(counts: tuple[int, ...], label: str) -> None:
    assert set(movie_popularity(np.array(counts, np.int32))) == {label}


@pytest.mark.parametrize("slices", [user_activity, movie_popularity])
def test_labels_say_what_is_inside(slices) -> None:  # type: ignore[no-untyped-def]
    counts = np.arange(400, dtype=np.int32)
    for count, label in zip(counts, slices(counts), strict=True):
        low, _, high = label.removesuffix("+").partition("-")
        assert int(low) <= count <= int(high or (10**6 if label.endswith("+") else low))


def test_a_movie_counts_in_each_of_its_genres() -> None:
    genres = [["Drama", "War"], [], ["War"]]
    found = by_genre(genres, np.array([0, 1, 2, 3, 0], np.int32))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "Drama": [True, False, False, False, True],
        "War": [True, False, True, False, True],
        "(none)": [False, True, False, False, False],
    }


def test_genres_without_a_row_are_left_out() -> None:
    assert set(by_genre([["Drama"], ["War"]], np.array([1], np.int32))) == {"War"}


def test_ages_have_groups_and_the_unknown_their_own() -> None:
    assert age_group([3, 18, 24, 56, None]).tolist() == [
        "0-17",
        "18-24",
        "18-24",
        "56+",
        "(unknown)",
    ]


IDS = np.array(["1", "2", "3", "stranger"], object)


def _users(**attributes: list[object]) -> pa.RecordBatch:
    ids = [[b"1"], [b"2"], [b"3"]]
    return pa.RecordBatch.from_pydict({"user_id": ids, **attributes})


def test_everybody_is_in_one_group_each() -> None:
    users = _users(gender=[[b"F"], [b"M"], None], age=[[17], None, [56]])
    groups = user_groups([users], IDS)
    assert groups["gender"].tolist() == ["F", "M", "(unknown)", "(unknown)"]
    assert groups["age"].tolist() == ["0-17", "(unknown)", "56+", "(unknown)"]


def test_without_attributes_there_are_no_groups() -> None:
    assert user_groups([_users()], IDS) == {}
    assert user_groups([], IDS) == {}


def test_new_users_and_new_movies_may_be_the_same_rows() -> None:
    found = by_knowledge(np.array([3, 0, 0, 1], np.int32), np.array([1, 2, 0, 0], np.int32))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "known users": [True, False, False, True],
        "new users": [False, True, True, False],
        "new movies": [False, False, True, True],
    }
    assert list(by_knowledge(np.ones(2, np.int32), np.ones(2, np.int32))) == ["known users"]

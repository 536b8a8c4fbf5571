"""Knowledge as of the cut, and live histories, by hand."""

from __future__ import annotations

import numpy as np

from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.knowledge import as_of_the_cut, is_by_time, live_histories, numbered
from reelflow.evaluation.predictions import TestRows
from tests.encoded_data import Row, encoded

TRAIN: list[Row] = [("a", "m0", 5.0, 1), ("b", "m1", 4.0, 2), ("a", "m2", 3.0, 3)]
VALIDATION: list[Row] = [("new", "m0", 2.0, 5), ("a", "m1", 1.0, 5), ("new", "lost", 2.0, 6)]
TEST: list[Row] = [
    ("a", "m3", 4.0, 7), ("newer", "m0", 4.0, 9), ("new", "m1", 4.0, 8), ("a", "m4", 2.0, 8),
    ("a", "m5", 3.0, 8), ("nothing", "lost", 3.0, 8), ("a", "m6", 5.0, 9),
]  # fmt: skip
MOVIES = [f"m{i}" for i in range(7)]
DATA = encoded(TRAIN, VALIDATION, TEST, MOVIES)


def _rows(test: list[Row], data: EncodedData) -> TestRows:
    ids = np.array([row[:2] for row in test], object)
    return TestRows(ids[:, 0], ids[:, 1], data.test)


def test_validation_is_known_its_new_users_too_and_test_is_not() -> None:
    known = as_of_the_cut(DATA)
    # Users: a and b of train, then new and newer in order; of newer nothing is known.
    assert known.sizes.users == 4
    assert known.offsets.tolist() == [0, 3, 4, 5, 5, 5]
    assert known.train.movie_index.tolist() == [0, 2, 1, 1, 0]
    assert len(known.validation) == 0
    users = numbered(_rows(TEST, DATA), DATA).encoded.user_index
    assert users.tolist() == [0, 3, 2, 0, 0, 4, 0]


def test_without_new_users_the_numbers_are_those_of_train() -> None:
    data = encoded(TRAIN, VALIDATION[1:2], TEST[:1], MOVIES)
    assert as_of_the_cut(data).sizes == data.sizes
    rows = _rows(TEST[:1], data)
    assert numbered(rows, data).encoded.user_index.tolist() == [0]


def _by_time(train: list[Row], validation: list[Row], test: list[Row]) -> bool:
    data = encoded(train, validation, test, MOVIES)
    return is_by_time(numbered(_rows(test, data), data).encoded, as_of_the_cut(data))


def test_a_split_is_by_time_if_no_test_row_is_earlier_than_what_is_known_of_its_user() -> None:
    assert _by_time(TRAIN, VALIDATION, TEST)
    assert _by_time(TRAIN, VALIDATION, [("a", "m3", 4.0, 5)])
    assert not _by_time(TRAIN, VALIDATION, [*TEST, ("a", "m3", 4.0, 4)])
    # Another user's later ratings are no obstacle, a new user's own validation rating is one.
    assert _by_time(TRAIN, VALIDATION, [("b", "m3", 4.0, 3)])
    assert not _by_time(TRAIN, VALIDATION, [("new", "m3", 4.0, 4)])
    timeless = [(*row[:3], 0) for row in TRAIN]
    assert not _by_time(timeless, [], [("a", "m3", 4.0, 0)])


def test_live_histories_are_strictly_earlier_test_ratings_of_the_same_user() -> None:
    found = live_histories(_rows(TEST, DATA), np.array([6, 4, 0, 2]))
    assert found is not None
    assert found.history.tolist() == [["m3", "m4", "m5"], ["m3", "", ""], [""] * 3, [""] * 3]
    nan = np.nan
    np.testing.assert_array_equal(
        found.stars, np.array([[4, 2, 3], [4, nan, nan], [nan] * 3, [nan] * 3], np.float32)
    )
    few = found.take(np.array([1, 2]))
    assert few.history.tolist() == [["m3"], [""]]


def test_the_newest_of_a_long_history_are_kept() -> None:
    found = live_histories(_rows(TEST, DATA), np.array([6]), length=2)
    assert found is not None
    assert found.history.tolist() == [["m4", "m5"]]


def test_one_moment_a_user_has_no_live_history() -> None:
    data = encoded(TRAIN, [], TEST[:3], MOVIES)
    assert live_histories(_rows(TEST[:3], data), np.arange(3)) is None

"""Timelines and batches against loops over the ratings."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.timelines import Batches, Timelines, sample_rows
from tests.encoded_data import encoded, random_rows, same

MOVIES = [f"m{i:02d}" for i in range(14)]
UNKNOWN = len(MOVIES)


@pytest.fixture(scope="module")
def data() -> EncodedData:
    return encoded(random_rows(70, 3), test=random_rows(50, 4, users=12), movies=MOVIES)


@pytest.fixture(scope="module")
def timelines(data: EncodedData) -> Timelines:
    train = data.train
    return Timelines(train.movie_index, train.timestamp, data.offsets, unknown=UNKNOWN)


def _slice(data: EncodedData, user: int) -> slice:
    return slice(data.offsets[user], data.offsets[user + 1])


@pytest.mark.parametrize("length", [0, 1, 3, 50])
def test_recent_movies_are_the_tail_of_the_history(
    data: EncodedData, timelines: Timelines, length: int
) -> None:
    for split in (data.train, data.test):
        found = timelines.recent(split.user_index, split.history_end, length).numpy()
        assert found.shape == (len(split), length)
        assert found.dtype == np.int32
        for row, user, end in zip(found, split.user_index, split.history_end, strict=True):
            history = data.train.movie_index[data.offsets[user] : end].tolist()
            wanted = history[-length:] if length else []
            assert row.tolist() == [UNKNOWN] * (length - len(wanted)) + wanted


def test_ends_before_agrees_with_the_encoder(data: EncodedData, timelines: Timelines) -> None:
    for split in (data.train, data.test):
        ends = timelines.ends_before(tf.constant(split.user_index), tf.constant(split.timestamp))
        np.testing.assert_array_equal(ends, split.history_end)


def test_ends_now_are_the_ends_of_the_slices(data: EncodedData, timelines: Timelines) -> None:
    users = tf.range(data.sizes.users + 1)
    np.testing.assert_array_equal(timelines.ends_now(users), data.offsets[1:])


def test_seen_movies_are_those_of_the_slice(data: EncodedData, timelines: Timelines) -> None:
    users = [4, 0, data.sizes.users, 4]
    cells = timelines.seen(tf.constant(users)).numpy()
    expected = [
        (row, movie)
        for row, user in enumerate(users)
        for movie in data.train.movie_index[_slice(data, user)].tolist()
    ]
    assert cells.tolist() == [list(cell) for cell in expected]


def test_nobody_has_seen_nothing(timelines: Timelines) -> None:
    assert timelines.seen(tf.zeros([0], tf.int32)).shape == (0, 2)


def test_a_movie_rated_twice_is_seen_once() -> None:
    rows = [("a", "m01", 3.0, 1), ("a", "m00", 3.0, 2), ("a", "m01", 5.0, 3), ("b", "m01", 1.0, 1)]
    data = encoded(rows, movies=MOVIES)
    train = data.train
    timelines = Timelines(train.movie_index, train.timestamp, data.offsets, unknown=UNKNOWN)
    cells = timelines.seen(tf.constant([1, 0])).numpy()
    assert sorted(cells.tolist()) == [[0, 1], [1, 0], [1, 1]]
    assert timelines.counts(tf.constant([0])).numpy().tolist() == [3]


ROWS = encoded(random_rows(50, 0)).train


def _epoch(batches: Batches) -> np.ndarray:
    columns = (f.USER_INDEX, f.MOVIE_INDEX, f.RATING, f.HISTORY_END)
    parts = [batches[i] for i in range(len(batches))]
    return np.stack([np.concatenate([part[name] for part in parts]) for name in columns], axis=1)


def _in_order(rows: EncodedRatings) -> np.ndarray:
    return np.stack([rows.user_index, rows.movie_index, rows.rating, rows.history_end], axis=1)


def test_without_a_seed_rows_keep_their_order() -> None:
    batches = Batches(ROWS, 8, None)
    assert [len(batches[i][f.RATING]) for i in range(len(batches))] == [8] * 6 + [2]
    for _ in range(2):
        np.testing.assert_array_equal(_epoch(batches), _in_order(ROWS))
        batches.on_epoch_end()


def test_every_row_comes_once_an_epoch_in_a_new_order() -> None:
    batches = Batches(ROWS, 8, 1)
    first = _epoch(batches)
    batches.on_epoch_end()
    second = _epoch(batches)
    assert not np.array_equal(first, second)
    for epoch in (first, second):
        expected = _in_order(ROWS)
        assert sorted(epoch.tolist()) == sorted(expected.tolist())


def test_the_seed_decides_the_order() -> None:
    assert np.array_equal(_epoch(Batches(ROWS, 8, 1)), _epoch(Batches(ROWS, 8, 1)))
    assert not np.array_equal(_epoch(Batches(ROWS, 8, 1)), _epoch(Batches(ROWS, 8, 2)))


def test_a_sample_keeps_the_order_and_depends_on_the_seed() -> None:
    sample = sample_rows(ROWS, 20, 3)
    assert len(sample) == 20
    assert same(sample, sample_rows(ROWS, 20, 3))
    assert not same(sample, sample_rows(ROWS, 20, 4))
    order = [_in_order(ROWS).tolist().index(row) for row in _in_order(sample).tolist()]
    assert order == sorted(order)
    assert sample_rows(ROWS, 50, 3) is ROWS

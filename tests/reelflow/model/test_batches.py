"""Batches: every row once an epoch, columns together, order by seed."""

from __future__ import annotations

import numpy as np

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedRatings
from reelflow.model.timelines import Batches, sample_rows
from tests.encoded_data import encoded, random_rows, same

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

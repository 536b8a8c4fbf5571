"""Ragged ranges against a loop over the rows."""

from __future__ import annotations

import pytest
import tensorflow as tf

from reelflow.model.layers import ranges


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ([], []),
        ([3], [3]),
        ([3], [5]),
        ([0, 2, 2, 7, 1], [2, 2, 5, 7, 4]),
        ([5, 0, 4], [5, 0, 4]),
        ([5, 0, 4], [5, 1, 4]),
    ],
)
def test_ranges_of_all_rows(starts: list[int], ends: list[int]) -> None:
    rows, positions = ranges(tf.constant(starts, tf.int64), tf.constant(ends, tf.int64))
    expected = [
        (row, at)
        for row, (start, end) in enumerate(zip(starts, ends, strict=True))
        for at in range(start, end)
    ]
    assert list(zip(rows.numpy().tolist(), positions.numpy().tolist(), strict=True)) == expected

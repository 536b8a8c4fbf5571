"""Ratings in order: by blocks the same as at once; test_timelines has what requests read."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.model.histories import Histories, Ordered
from tests.encoded_data import encoded, random_rows

MOVIES = [f"m{i:02d}" for i in range(14)]
VALIDATION_ROWS = [*random_rows(40, 6, users=12), ("new validation", "m01", 2.0, 3)]
TEST_ROWS = [
    *random_rows(50, 7, users=12),
    ("new", "m02", 4.0, 9),
    ("new", "m02", 2.0, 4),  # the same movie again, earlier
]


@pytest.mark.parametrize("hidden", [(), ("test",), ("validation", "test")], ids=str)
@pytest.mark.parametrize("block", [1, 7, 40])
def test_blocks_change_nothing(block: int, hidden: tuple[str, ...]) -> None:
    data = encoded(random_rows(70, 5), VALIDATION_ROWS, TEST_ROWS, MOVIES)
    histories = Histories.of_all(data, hidden)
    parts, whole = Ordered(histories, block), Ordered(histories)
    assert whole.again.any()
    assert (whole.by_time is None) == (not hidden)
    assert vars(parts).keys() == vars(whole).keys()
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(parts, name), values, err_msg=name)
    np.testing.assert_array_equal(parts.opinions(block), whole.opinions())


def test_without_ratings() -> None:
    empty = np.zeros(0, np.int32)
    nothing = Ordered(
        Histories(empty, empty, empty.astype(np.float32), empty.astype(np.int64), empty > 0, 3, 14)
    )
    np.testing.assert_array_equal(nothing.offsets, np.zeros(4))
    assert np.isnan(nothing.own_means).all()
    assert (nothing.star_mean, nothing.star_deviation, len(nothing.opinions())) == (0.0, 0.0, 0)

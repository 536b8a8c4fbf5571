"""Popularity of late, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines.popularity import Popularity
from reelflow.baselines.recent_popularity import ALL_TIME_SHARE, RecentPopularity, recent_shares
from tests.encoded_data import encoded

DAY = 86_400
ROWS = [
    ("a", "m0", 4.0, 0), ("b", "m0", 4.0, 0), ("c", "m0", 2.0, 10 * DAY),
    ("a", "m1", 5.0, 20 * DAY), ("b", "m2", 1.0, 10 * DAY), ("c", "m2", 1.0, 20 * DAY),
]  # fmt: skip


def test_a_rating_weighs_half_after_each_half_life() -> None:
    shares = recent_shares(encoded(ROWS), half_life=10.0)
    # Ages are 20, 20 and 10 days; 0; 10 and 0.
    expected = np.array([1 / 4 + 1 / 4 + 1 / 2, 1.0, 1 / 2 + 1.0]) / 3.5
    all_time = np.array([3, 1, 2]) / 6
    assert shares == pytest.approx((1 - ALL_TIME_SHARE) * expected + ALL_TIME_SHARE * all_time)


def test_what_is_too_old_to_weigh_is_ordered_by_all_of_it() -> None:
    baseline = RecentPopularity(half_life=0.01)
    baseline.fit(encoded(ROWS, movies=["m0", "m1", "m2", "m3"]))
    [scores] = baseline.scores(np.zeros(1, np.int32))
    assert np.argsort(-scores).tolist() == [2, 1, 0, 3]


def test_without_times_it_is_popularity() -> None:
    data = encoded([(*row[:3], None) for row in ROWS])
    recent, plain = RecentPopularity(), Popularity()
    recent.fit(data)
    plain.fit(data)
    users = np.zeros(2, np.int32)
    assert np.argsort(-recent.scores(users)).tolist() == np.argsort(-plain.scores(users)).tolist()
    assert recent.stars(users, users).tolist() == plain.stars(users, users).tolist()

"""Bootstrap by user: what is drawn, in pairs, and how wide the intervals are."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation import bootstrap
from reelflow.evaluation.bootstrap import interval, resample

USERS = np.repeat(np.arange(200, dtype=np.int32), 5)
RANDOM = np.random.default_rng(0)


def test_users_are_drawn_not_rows() -> None:
    of_users = RANDOM.random(200)
    means = resample({"x": np.repeat(of_users, 5)}, USERS, seed=1, resamples=4000)["x"]
    # A user's five equal rows tell no more than one of them would.
    assert means.std() == pytest.approx(of_users.std() / np.sqrt(200), rel=0.05)
    assert means.mean() == pytest.approx(of_users.mean(), abs=0.005)


def test_users_with_more_rows_count_more() -> None:
    users = np.array([7, 7, 7, 3], np.int32)
    means = resample({"x": np.array([1.0, 1.0, 1.0, 0.0])}, users, seed=1)["x"]
    # Both drawn once, or one of them twice.
    assert set(np.round(means, 6)) == {0.0, 0.75, 1.0}


def test_the_same_seed_draws_pairs() -> None:
    values = RANDOM.random(len(USERS))
    one = resample({"x": values}, USERS, seed=1)["x"]
    better = resample({"x": values + 0.1, "y": values}, USERS, seed=1)["x"]
    assert interval(better - one) == pytest.approx((0.1, 0.1))
    assert not np.allclose(resample({"x": values}, USERS, seed=2)["x"], one)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x": RANDOM.random(len(USERS))}
    whole = resample(values, USERS, seed=1)["x"]
    monkeypatch.setattr(bootstrap, "BLOCK_CELLS", 7 * 200)
    np.testing.assert_allclose(resample(values, USERS, seed=1)["x"], whole)


def test_one_user_alone_has_no_interval() -> None:
    means = resample({"x": np.array([0.0, 1.0])}, np.zeros(2, np.int32), seed=1)["x"]
    assert interval(means) == (0.5, 0.5)


def test_an_infinite_error_stays_one() -> None:
    means = resample({"x": np.array([np.inf, 1.0])}, np.zeros(2, np.int32), seed=1)["x"]
    assert interval(means)[1] == np.inf


def test_interval_is_the_middle_share() -> None:
    assert interval(np.linspace(0, 1, 1001), confidence=0.9) == pytest.approx((0.05, 0.95))

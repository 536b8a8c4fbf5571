"""Bootstrap by user: resamples, intervals of all rows and of slices."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation import bootstrap
from reelflow.evaluation.bootstrap import SLICED, interval, intervals, resample, slice_intervals
from reelflow.evaluation.metrics import row_columns
from tests.reelflow.evaluation.figures import LIKED, predictions, stars

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


def test_rows_that_do_not_count_are_left_out_of_every_draw() -> None:
    """Of each user's five rows two count."""
    values = np.tile([1.0, np.nan, 0.0, np.nan, np.nan], 200)
    found = resample({"x": values, "y": np.ones(1000)}, USERS, seed=1)
    assert found["x"] == pytest.approx(0.5)
    assert found["y"] == pytest.approx(1.0)


def test_a_draw_without_a_row_that_counts_is_no_number() -> None:
    users = np.array([0, 1], np.int32)
    found = resample({"x": np.array([1.0, np.nan])}, users, seed=1)["x"]
    assert set(found[~np.isnan(found)]) == {1.0}
    assert np.isnan(found).mean() == pytest.approx(1 / 4, abs=0.05)
    assert intervals({"x": np.full(2, np.nan)}, users, seed=1) == {}


def test_interval_is_the_middle_share() -> None:
    assert interval(np.linspace(0, 1, 1001), confidence=0.9) == pytest.approx((0.05, 0.95))


ROW_USERS = np.repeat(np.arange(12, dtype=np.int32), 5)


def test_names_are_those_of_the_metrics_and_the_mean_lies_inside() -> None:
    columns = row_columns(predictions(0), stars(0), LIKED)
    found = intervals(columns, ROW_USERS, seed=0)
    assert {"raw/top_1", "unseen/top_100", "unseen/ndcg_10", "rmse", "mae"} <= set(found)
    assert not {"squared_error", "absolute_error"} & set(found)
    for name in ("unseen/top_100", "raw/mrr"):
        low, high = found[name]
        assert low < columns[name].mean() < high
    low, high = found["rmse"]
    assert low < np.sqrt(columns["squared_error"].mean()) < high


def test_a_slice_of_all_rows_is_the_whole_and_an_alike_slice_has_no_width() -> None:
    columns = row_columns(predictions(0), stars(1), LIKED)
    slices = {"all": np.ones(60, np.bool_), "hits": columns["raw/top_100"] == 1}
    found = slice_intervals(columns, slices, ROW_USERS, seed=3)
    whole = intervals(columns, ROW_USERS, seed=3)
    for name in ("raw/top_10", "unseen/top_100", "rmse"):
        assert found["all"][name] == pytest.approx(whole[name])
    assert found["hits"]["raw/top_100"] == (1, 1)
    assert len(found["hits"]) == len(SLICED)


def test_draws_without_a_row_of_the_slice_are_left_out() -> None:
    columns = row_columns(predictions(0), stars(0), LIKED)
    one_user = ROW_USERS == 4  # a third of the draws have no row of it
    found = slice_intervals(columns, {"one": one_user}, ROW_USERS, seed=0)["one"]
    mean = columns["unseen/top_100"][one_user].mean()
    assert found["unseen/top_100"] == pytest.approx((mean, mean))


def test_a_diverged_model_is_infinitely_wrong_in_each_slice() -> None:
    columns = row_columns(predictions(0), stars(0), LIKED)
    columns["squared_error"] = np.full(60, np.inf)
    found = slice_intervals(columns, {"some": ROW_USERS < 6}, ROW_USERS, seed=0)["some"]
    assert found["rmse"] == (np.inf, np.inf)


def test_no_slices_no_intervals() -> None:
    assert (
        slice_intervals(row_columns(predictions(0), stars(0), LIKED), {}, ROW_USERS, seed=0) == {}
    )

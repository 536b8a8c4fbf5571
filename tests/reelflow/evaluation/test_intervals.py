"""Intervals: of everything, and of slices from the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation.bootstrap import SLICED, intervals, slice_intervals
from reelflow.evaluation.metrics import row_columns
from tests.reelflow.evaluation.figures import predictions, stars

USERS = np.repeat(np.arange(12, dtype=np.int32), 5)


def test_names_are_those_of_the_metrics_and_the_mean_lies_inside() -> None:
    columns = row_columns(predictions(0), stars(0))
    found = intervals(columns, USERS, seed=0)
    assert {"raw/top_1", "unseen/top_100", "unseen/ndcg_10", "rmse", "mae"} <= set(found)
    assert not {"squared_error", "absolute_error"} & set(found)
    for name in ("unseen/top_100", "raw/mrr"):
        low, high = found[name]
        assert low < columns[name].mean() < high
    low, high = found["rmse"]
    assert low < np.sqrt(columns["squared_error"].mean()) < high


def test_a_slice_of_all_rows_is_the_whole_and_an_alike_slice_has_no_width() -> None:
    columns = row_columns(predictions(0), stars(0))
    slices = {"all": np.ones(60, np.bool_), "hits": columns["raw/top_100"] == 1}
    found = slice_intervals(columns, slices, USERS, seed=3)
    whole = intervals(columns, USERS, seed=3)
    for name in ("raw/top_10", "unseen/top_100", "rmse"):
        assert found["all"][name] == pytest.approx(whole[name])
    assert found["hits"]["raw/top_100"] == (1, 1)
    assert len(found["hits"]) == len(SLICED)


def test_draws_without_a_row_of_the_slice_are_left_out() -> None:
    columns = row_columns(predictions(0), stars(0))
    one_user = USERS == 4  # a third of the draws have no row of it
    found = slice_intervals(columns, {"one": one_user}, USERS, seed=0)["one"]
    mean = columns["unseen/top_100"][one_user].mean()
    assert found["unseen/top_100"] == pytest.approx((mean, mean))


def test_a_diverged_model_is_infinitely_wrong_in_each_slice() -> None:
    columns = row_columns(predictions(0), stars(0))
    columns["squared_error"] = np.full(60, np.inf)
    found = slice_intervals(columns, {"some": USERS < 6}, USERS, seed=0)["some"]
    assert found["rmse"] == (np.inf, np.inf)


def test_no_slices_no_intervals() -> None:
    assert slice_intervals(row_columns(predictions(0), stars(0)), {}, USERS, seed=0) == {}

"""Metrics by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reelflow.evaluation.metrics import Predictions, ranking_columns, row_columns, summarise
from tests.reelflow.evaluation.figures import predictions, stars


def _predictions(raw: list[int], unseen: list[int], said: list[float]) -> Predictions:
    return Predictions(
        np.array(said, np.float32), np.array(raw, np.int32), np.array(unseen, np.int32)
    )


def test_ranking_metrics_of_one_row() -> None:
    columns = ranking_columns(np.array([1, 2, 5, 10, 11, 100, 101], np.int32))
    assert columns["top_1"].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert columns["top_5"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert columns["top_10"].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert columns["top_50"].tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert columns["top_100"].tolist() == [1, 1, 1, 1, 1, 1, 0]
    expected = [1, 1 / math.log2(3), 1 / math.log2(6), 1 / math.log2(11), 0, 0, 0]
    np.testing.assert_allclose(columns["ndcg_10"], expected)
    np.testing.assert_allclose(columns["mrr"], [1, 1 / 2, 1 / 5, 1 / 10, 1 / 11, 1 / 100, 1 / 101])


def test_means_of_both_protocols() -> None:
    ratings = np.array([4.0, 2.0, 1.0, 5.0], np.float32)
    found = summarise(
        row_columns(_predictions([2, 7, 200, 60], [1, 3, 90, 60], [5, 2, 2, 5]), ratings)
    )
    assert found.raw["top_1"] == 0
    assert found.raw["top_5"] == 0.25
    assert found.raw["top_100"] == 0.75
    assert found.unseen["top_1"] == 0.25
    assert found.unseen["top_5"] == 0.5
    assert found.unseen["top_100"] == 1
    assert found.unseen["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 90 + 1 / 60) / 4)
    assert found.rmse == pytest.approx(math.sqrt(0.5))
    assert found.mae == pytest.approx(0.5)


def test_means_of_some_rows() -> None:
    columns = row_columns(predictions(0), stars(0))
    inside = np.arange(60) % 3 == 0
    part = summarise(columns, inside)
    assert part.raw["top_50"] == pytest.approx(columns["raw/top_50"][::3].mean())
    assert part.rmse == pytest.approx(np.sqrt(columns["squared_error"][::3].mean()))


@pytest.mark.parametrize("said", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_infinitely_wrong(said: float) -> None:
    found = summarise(row_columns(_predictions([1, 1], [1, 1], [said, 3.0]), np.full(2, 3.0, "f")))
    assert found.rmse == found.mae == float("inf")

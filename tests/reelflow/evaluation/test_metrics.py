"""Metrics by hand: ranks, errors, likes, calibration, coverage and novelty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reelflow.evaluation.metrics import (
    BINS,
    Predictions,
    calibration,
    coverage,
    like_hits,
    like_metrics,
    like_threshold,
    novelty,
    ranking_columns,
    row_columns,
    summarise,
)
from reelflow.evaluation.results import Bin
from reelflow.saved_model.files import ModelInfo, StarScale
from tests.encoded_data import encoded
from tests.reelflow.evaluation.figures import LIKED, predictions, stars


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
        row_columns(_predictions([2, 7, 200, 60], [1, 3, 90, 60], [5, 2, 2, 5]), ratings, LIKED)
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
    columns = row_columns(predictions(0), stars(0), LIKED)
    inside = np.arange(60) % 3 == 0
    part = summarise(columns, inside)
    assert part.raw["top_50"] == pytest.approx(columns["raw/top_50"][::3].mean())
    assert part.rmse == pytest.approx(np.sqrt(columns["squared_error"][::3].mean()))


def test_three_protocols_by_hand() -> None:
    """Two users: the first has a liked and a disliked movie, the second a liked one."""
    ratings = _ratings(5.0, 2.0, 4.0)
    users = np.array([3, 3, 8], np.int32)
    found = summarise(
        row_columns(_predictions([20, 2, 3], [11, 1, 2], [4, 4, 4]), ratings, LIKED), users=users
    )
    assert found.raw["top_10"] == pytest.approx(2 / 3)
    assert found.unseen["top_1"] == pytest.approx(1 / 3)
    # Of the liked rows, at ranks 11 and 2, one is among the first ten.
    assert found.liked["top_10"] == 1 / 2
    assert found.liked["ndcg_10"] == pytest.approx(1 / math.log2(3) / 2)
    assert found.liked["mrr"] == pytest.approx((1 / 11 + 1 / 2) / 2)
    assert found.liked_rows == 2
    # The hits are the disliked movie and the second user's.
    assert found.stars_of_hits_10 == 3.0
    assert found.over_users["unseen/top_10"] == (1 / 2 + 1) / 2
    assert found.over_users["liked/top_10"] == (0 + 1) / 2
    assert found.over_users["stars_of_hits_10"] == (2 + 4) / 2
    assert found.over_users["mae"] == pytest.approx((3 / 2 + 0) / 2)
    assert found.over_users["rmse"] == pytest.approx(math.sqrt((5 / 2 + 0) / 2))


def test_no_likes_and_no_hits_are_no_figures() -> None:
    columns = row_columns(_predictions([20, 20], [20, 11], [4, 4]), _ratings(1, 2), LIKED)
    found = summarise(columns, users=np.zeros(2, np.int32))
    assert (found.liked, found.liked_rows, found.stars_of_hits_10) == ({}, 0, None)
    assert found.value("liked/top_10") is None
    assert not [path for path in found.over_users if path.startswith(("liked", "stars"))]


def test_like_threshold_is_the_models_or_at_a_share_of_the_range() -> None:
    data = encoded([("a", "m", 0.0, 1), ("b", "m", 10.0, 2)])
    scale = StarScale(
        lowest=0, highest=10, mean=5, deviation=5, like_threshold=6, liked=10, disliked=0
    )
    assert like_threshold(ModelInfo(stars=scale, model={"like_threshold": 8.0}), data) == 6.0
    assert like_threshold(ModelInfo(model={"like_threshold": 8.0}), data) == 8.0
    assert like_threshold(ModelInfo(model={"like_threshold": None}), data) == 7.0
    assert like_threshold(ModelInfo(), data) == 7.0


@pytest.mark.parametrize("said", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_infinitely_wrong(said: float) -> None:
    threes = np.full(2, 3.0, "f")
    found = summarise(row_columns(_predictions([1, 1], [1, 1], [said, 3.0]), threes, LIKED))
    assert found.rmse == found.mae == float("inf")


def _said(stars: list[float], likes: list[float] | None = None) -> Predictions:
    ranks = np.ones(len(stars), np.int32)
    probabilities = None if likes is None else np.array(likes, np.float32)
    return Predictions(np.array(stars, np.float32), ranks, ranks, probabilities)


def _ratings(*stars: float) -> np.ndarray:
    return np.array(stars, np.float32)


def test_liked_is_from_the_threshold_on() -> None:
    hits = like_hits(_said([3.5, 3.4, 5.0, np.nan]), _ratings(3.5, 5, 1, 1), LIKED)
    assert hits.tolist() == [1, 0, 0, 0]


def test_a_probability_decides_where_there_is_one() -> None:
    hits = like_hits(_said([1, 1, 5, 5], [0.5, 0.49, 0.2, 0.9]), _ratings(4, 4, 1, 1), LIKED)
    assert hits.tolist() == [1, 0, 1, 0]


def test_metrics_by_hand() -> None:
    """Told as liked: the first three, of whom two are; of three liked, one is missed."""
    ratings = _ratings(5, 1, 4, 4.5, 2)
    found = like_metrics(_said([4.5, 4.0, 3.6, 3.0, 1.0]), ratings, LIKED)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    # Pairs (liked, disliked) in the right order: 5 over both, 4 and 4.5 over the last one.
    assert found["auc"] == pytest.approx(4 / 6)
    assert found["threshold"] == 3.5


def test_ties_count_half_and_no_number_comes_last() -> None:
    assert like_metrics(_said([3, 3, 3, 3]), _ratings(5, 5, 1, 1), LIKED)["auc"] == 0.5
    assert like_metrics(_said([np.nan, 3.0]), _ratings(5, 1), LIKED)["auc"] == 0.0


def test_what_cannot_be_counted_is_none() -> None:
    found = like_metrics(_said([1.0, 2.0]), _ratings(1, 2), LIKED)
    assert (found["precision"], found["recall"], found["auc"]) == (None, None, None)
    assert found["accuracy"] == 1.0


def test_the_threshold_is_the_models() -> None:
    assert like_metrics(_said([2.6, 2.4]), _ratings(2.5, 2.0), 2.5)["accuracy"] == 1.0


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_near_predictions_share_a_bin() -> None:
    found = calibration(_floats(3.0, 3.125, 4.0), _floats(2, 4, 5))
    assert found == [Bin(2, 3.0625, 3.0, 1.0), Bin(1, 4.0, 5.0, 0.0)]


def test_every_row_is_in_one_bin_and_bins_ascend() -> None:
    random = np.random.default_rng(0)
    predicted = random.uniform(0.5, 5, 500).astype(np.float32)
    found = calibration(predicted, predicted)
    assert sum(part.rows for part in found) == 500
    means = [part.predicted for part in found]
    assert means == sorted(means)
    assert np.allclose(means, [part.actual for part in found])


@pytest.mark.parametrize("scale", [(0.5, 5), (1, 5), (0, 1), (0, 10), (-10, 10), (0, 100)])
def test_bins_are_as_many_whatever_the_scale(scale: tuple[float, float]) -> None:
    predicted = np.linspace(*scale, 5000, dtype=np.float32)
    assert BINS / 2 <= len(calibration(predicted, predicted)) <= BINS + 2


def test_ratings_that_do_not_vary_have_bins_by_the_predictions() -> None:
    assert len(calibration(_floats(0.9, 1.1), _floats(1, 1))) == 2
    assert calibration(_floats(1, 1), _floats(1, 1)) == [Bin(2, 1.0, 1.0, 0.0)]


def test_what_is_no_number_is_left_out() -> None:
    assert calibration(_floats(np.nan, np.inf), _floats(3, 3)) == []


LISTS = np.array([[0, 1], [0, -1]], np.int32)


def test_coverage_is_the_share_of_movies_recommended() -> None:
    assert coverage(LISTS, movies=4) == 0.5


def test_novelty_is_mean_self_information() -> None:
    # Movie 0 is known to all 8 users: 0 bits, twice; movie 1 to two of them: 2 bits.
    assert novelty(LISTS, np.array([8, 2, 1, 0]), users=8) == pytest.approx(2 / 3)


def test_a_movie_that_nobody_rated_is_as_novel_as_can_be() -> None:
    assert novelty(np.array([[3]], np.int32), np.array([8, 2, 1, 0]), users=8) == 3.0


def test_empty_lists() -> None:
    nothing = np.full((2, 3), -1, np.int32)
    assert coverage(nothing, 4) == 0
    assert novelty(nothing, np.ones(4, np.int64), 8) == 0

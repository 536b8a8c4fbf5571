"""Likes told from dislikes, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation.metrics import Predictions, like_hits, like_metrics


def _said(stars: list[float], likes: list[float] | None = None) -> Predictions:
    ranks = np.ones(len(stars), np.int32)
    probabilities = None if likes is None else np.array(likes, np.float32)
    return Predictions(np.array(stars, np.float32), ranks, ranks, probabilities)


def _ratings(*stars: float) -> np.ndarray:
    return np.array(stars, np.float32)


def test_liked_is_from_three_and_a_half_stars() -> None:
    hits = like_hits(_said([3.5, 3.4, 5.0, np.nan]), _ratings(3.5, 5, 1, 1))
    assert hits.tolist() == [1, 0, 0, 0]


def test_a_probability_decides_where_there_is_one() -> None:
    hits = like_hits(_said([1, 1, 5, 5], [0.5, 0.49, 0.2, 0.9]), _ratings(4, 4, 1, 1))
    assert hits.tolist() == [1, 0, 1, 0]


def test_metrics_by_hand() -> None:
    """Told as liked: the first three, of whom two are; of three liked, one is missed."""
    ratings = _ratings(5, 1, 4, 4.5, 2)
    found = like_metrics(_said([4.5, 4.0, 3.6, 3.0, 1.0]), ratings)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    # Pairs (liked, disliked) in the right order: 5 over both, 4 and 4.5 over the last one.
    assert found["auc"] == pytest.approx(4 / 6)
    assert found["threshold"] == 3.5


def test_ties_count_half_and_no_number_comes_last() -> None:
    assert like_metrics(_said([3, 3, 3, 3]), _ratings(5, 5, 1, 1))["auc"] == 0.5
    assert like_metrics(_said([np.nan, 3.0]), _ratings(5, 1))["auc"] == 0.0


def test_what_cannot_be_counted_is_none() -> None:
    found = like_metrics(_said([1.0, 2.0]), _ratings(1, 2))
    assert (found["precision"], found["recall"], found["auc"]) == (None, None, None)
    assert found["accuracy"] == 1.0


def test_the_threshold_is_the_models() -> None:
    assert like_metrics(_said([2.6, 2.4]), _ratings(2.5, 2.0), 2.5)["accuracy"] == 1.0

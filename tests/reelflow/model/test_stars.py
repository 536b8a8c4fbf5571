"""The scale of the ratings, on scales that are not stars at all."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.config import ModelConfig
from reelflow.model.stars import like_threshold, star_scale

CONFIG = ModelConfig()


@pytest.mark.parametrize(
    ("ratings", "threshold"),
    [
        ([0.5, 3.0, 5.0], 3.65),
        ([1, 2, 5], 3.8),
        ([-10, 0, 10], 4.0),
        ([0, 50, 100], 70.0),
        ([0, 10], 7.0),
        ([-3, -1], -1.6),
        ([3, 3], 3.0),
    ],
)
def test_a_like_begins_at_70_percent_of_the_range(ratings: list[float], threshold: float) -> None:
    given = np.array(ratings, np.float32)
    assert like_threshold(given, CONFIG) == pytest.approx(threshold)
    assert star_scale(given, CONFIG).like_threshold == pytest.approx(threshold)
    assert like_threshold(given, ModelConfig(like_threshold=2.5)) == 2.5


def test_liked_and_disliked_are_the_means_on_both_sides() -> None:
    scale = star_scale(np.array([-10, -4, 2, 8, 10, 10], np.float32), CONFIG)
    assert (scale.lowest, scale.highest) == (-10, 10)
    assert scale.mean == pytest.approx(16 / 6)
    assert scale.deviation == pytest.approx(np.std([-10, -4, 2, 8, 10, 10]))
    assert scale.liked == pytest.approx(28 / 3)
    assert scale.disliked == pytest.approx(-4)


@pytest.mark.parametrize(("threshold", "liked", "disliked"), [(9.0, 3.0, 3.0), (0.0, 3.0, 3.0)])
def test_a_side_without_ratings_stands_for_the_mean(
    threshold: float, liked: float, disliked: float
) -> None:
    config = ModelConfig(like_threshold=threshold)
    scale = star_scale(np.array([1, 3, 5], np.float32), config)
    assert (scale.liked, scale.disliked) == (liked, disliked)


def test_ratings_that_do_not_vary() -> None:
    scale = star_scale(np.full(7, 10 / 3, np.float32), CONFIG)
    assert scale.deviation == pytest.approx(0.0, abs=1e-6)
    assert scale.lowest == scale.highest
    assert scale.liked == scale.disliked == pytest.approx(10 / 3)

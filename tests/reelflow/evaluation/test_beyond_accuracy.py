"""Coverage and novelty, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation.recommendations import coverage, novelty

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

"""Popularity by hand."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.popularity import DAMPING, Popularity
from tests.encoded_data import encoded

ROWS = [("a", "m0", 5.0, 1), ("b", "m0", 4.0, 2), ("b", "m2", 0.5, 3)]


def test_scores_are_counts_and_stars_damped_means() -> None:
    baseline = Popularity()
    baseline.fit(encoded(ROWS, movies=["m0", "m1", "m2"]))
    assert baseline.scores(np.array([1, 2], np.int32)).tolist() == [[2, 0, 1]] * 2
    mean = 9.5 / 3
    expected = [(9 + DAMPING * mean) / (2 + DAMPING), mean, (0.5 + DAMPING * mean) / (1 + DAMPING)]
    movies = np.array([0, 1, 2, 3], np.int32)
    np.testing.assert_allclose(baseline.stars(movies * 0, movies), [*expected, mean], rtol=1e-6)

"""Damped biases, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines.biases import Biases
from tests.encoded_data import encoded

DATA = encoded([("u0", "m0", 5.0, 1), ("u0", "m1", 4.0, 2), ("u1", "m0", 3.0, 3)])


def test_movies_first_then_what_is_left_of_the_users() -> None:
    biases = Biases.of(DATA, damping=1.0)
    assert biases.mean == pytest.approx(4.0)
    # m0: (1 - 1) / (2 + 1); m1: 0 / (1 + 1); u0: (1 + 0) / (2 + 1); u1: -1 / (1 + 1).
    np.testing.assert_allclose(biases.movies, [0, 0, 0])
    np.testing.assert_allclose(biases.users, [1 / 3, -1 / 2, 0], rtol=1e-6)


def test_the_unknown_side_is_an_average_one() -> None:
    biases = Biases.of(DATA, damping=1.0)
    stars = biases.stars(np.array([2, 0], np.int32), np.array([2, 2], np.int32))
    np.testing.assert_allclose(stars, [4, 4 + 1 / 3], rtol=1e-6)


def test_stars_stay_inside_the_scale() -> None:
    # u0 alone likes m1, and everybody likes m0: both biases of the pair are high.
    rows = [("u0", "m0", 5.0, 1), ("u1", "m0", 5.0, 1)]
    rows += [("u0", "m1", 5.0, 2), ("u1", "m1", 1.0, 2), ("u2", "m1", 1.0, 2)]
    biases = Biases.of(encoded(rows), damping=0.1)
    pair = np.array([0], np.int32), np.array([0], np.int32)
    assert biases.raw(*pair)[0] > 5
    assert biases.stars(*pair)[0] == 5

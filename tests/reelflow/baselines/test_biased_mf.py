"""Factors find what biases cannot."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines.biased_mf import BiasedMF
from reelflow.baselines.biases import Biases
from tests.encoded_data import Row, encoded

USERS, MOVIES = 30, 24


def _two_tastes() -> tuple[list[Row], list[Row]]:
    """Even users give even movies 5 stars and odd ones 1, odd users the reverse: no biases."""
    rows = [
        (f"u{u:02d}", f"m{m:02d}", 5.0 if (u + m) % 2 == 0 else 1.0, 1)
        for u in range(USERS)
        for m in range(MOVIES)
    ]
    held_out = np.random.default_rng(0).random(len(rows)) < 0.2
    train = [row for row, out in zip(rows, held_out, strict=True) if not out]
    return train, [row for row, out in zip(rows, held_out, strict=True) if out]


def test_stars_of_two_tastes() -> None:
    train, test = _two_tastes()
    data = encoded(train, test=test)
    model = BiasedMF(factors=4, l2=1.0)
    model.fit(data)
    pairs = data.test.user_index, data.test.movie_index
    assert np.abs(model.stars(*pairs) - data.test.rating).max() < 0.5
    assert np.abs(Biases.of(data).stars(*pairs) - data.test.rating).min() > 1.0


def test_popularity_is_shifted_by_taste() -> None:
    train, _ = _two_tastes()
    model = BiasedMF(factors=4, l2=1.0)
    model.fit(encoded(train))
    even, stranger = model.scores(np.array([0, USERS], np.int32))
    assert even[::2].min() > even[1::2].max()
    raters = np.bincount([int(movie[1:]) for _, movie, _, _ in train], minlength=MOVIES)
    np.testing.assert_allclose(stranger, np.log1p(raters), rtol=1e-6)


def test_a_pair_that_is_there_twice_counts_twice() -> None:
    once = [("u0", "m0", 5.0, 1), ("u0", "m1", 1.0, 2), ("u1", "m0", 3.0, 3)]
    users, movies = np.array([0, 0, 1], np.int32), np.array([0, 1, 1], np.int32)
    both = []
    for rows, l2 in ((once, 1.0), (once * 2, 2.0)):
        model = BiasedMF(factors=2, l2=l2, bias_l2=l2, iterations=100)
        model.fit(encoded(rows))
        both.append(model.stars(users, movies))
    assert both[0] == pytest.approx(both[1], abs=1e-3)

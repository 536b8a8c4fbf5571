"""EASE by recency against EASE: the same weights, other histories."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.ease import EASE
from reelflow.baselines.recency_ease import FLOOR, RecencyEASE
from tests.encoded_data import encoded, random_rows

DATA = encoded(random_rows(90, 2, users=8, movies=14, times=90))


def test_a_long_half_life_is_ease() -> None:
    plain, recent = EASE(ridge=5.0), RecencyEASE(ridge=5.0, half_life=1e9)
    users = np.arange(8, dtype=np.int32)
    for one in (plain, recent):
        one.fit(DATA)
    unseen = np.ones([8, len(DATA.catalogue)], np.bool_)
    unseen[DATA.train.user_index, DATA.train.movie_index] = False
    found, expected = recent.scores(users), (1 + FLOOR) * plain.scores(users)
    np.testing.assert_allclose(found[unseen], expected[unseen], rtol=1e-3, atol=1e-5)
    assert recent.parameters == plain.parameters


def test_the_last_movie_decides_with_a_short_half_life() -> None:
    baseline = RecencyEASE(ridge=5.0, half_life=1e-3)
    baseline.fit(DATA)
    weights = baseline._weights
    for user in range(3):
        own = DATA.train.movie_index[DATA.offsets[user] : DATA.offsets[user + 1]]
        expected = weights[own[-1]] + FLOOR * weights[own].sum(axis=0)
        found = baseline.scores(np.array([user], np.int32))[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)

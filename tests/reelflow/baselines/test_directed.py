"""The directed baseline on a world in which one movie follows another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from reelflow.baselines.directed import HALF_LIVES, Directed, _sums
from tests.encoded_data import Row, encoded

ROUND: list[Row] = [
    (f"u{user}", f"m{(user + at) % 8}", 3.0, at) for user in range(8) for at in range(6)
]
"""All users go round the same circle of movies, from different starts."""


def test_what_always_follows_is_first() -> None:
    data = encoded(ROUND)
    baseline = Directed(ridge=0.1)
    baseline.fit(data)
    scores = baseline.scores(np.arange(8, dtype=np.int32))
    assert scores.argmax(axis=1).tolist() == [(user + 6) % 8 for user in range(8)]


def test_movies_beyond_the_most_rated_share_the_lowest_score() -> None:
    rows: list[Row] = [*ROUND, ("u0", "rare", 3.0, 9), ("u1", "rarer", 3.0, 9)]
    data = encoded(rows)
    baseline = Directed(movies_max=8)
    baseline.fit(data)
    scores = baseline.scores(np.array([3], np.int32))[0]
    assert scores[8] == scores[9] == scores.min()
    assert baseline.parameters == 2 * 8 * 8


def test_sums_are_those_of_rows_with_decayed_histories() -> None:
    random = np.random.default_rng(0)
    users = [random.permutation(12)[:count].astype(np.int32) for count in (1, 0, 12, 7, 2)]
    gram, following = _sums(users, 12)
    rows, nexts = [], []
    for own in users:
        oldest_first, state = own[::-1], np.zeros((2, 12))
        for movie, after in pairwise(oldest_first):
            state *= np.exp2(-1 / np.array(HALF_LIVES))[:, None]
            state[:, movie] += 1.0
            rows.append(len(own) ** -0.25 * state.ravel())
            nexts.append(len(own) ** -0.25 * np.eye(12)[after])
    x, y = np.stack(rows), np.stack(nexts)
    np.testing.assert_allclose(gram, x.T @ x, atol=1e-5)
    np.testing.assert_allclose(following, x.T @ y, atol=1e-5)

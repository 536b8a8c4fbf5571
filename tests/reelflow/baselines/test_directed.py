"""The directed baseline on a world in which one movie follows another."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.directed import Directed
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

"""iALS finds the two camps of the checkerboard."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.ials import IALS
from tests.encoded_data import checkerboard, colour


def test_own_colour_comes_first() -> None:
    board = checkerboard()
    data = board.data
    model = IALS()
    model.fit(data)
    scores = model.scores(np.arange(len(board.users), dtype=np.int32))
    for user, row in zip(board.users, scores, strict=True):
        own = np.array([colour(movie.movie_id) == colour(user) for movie in board.movies])
        assert row[own].min() > row[~own].max()


def test_the_seed_decides() -> None:
    data = checkerboard().data
    users = np.arange(5, dtype=np.int32)
    same, again, other = IALS(seed=1), IALS(seed=1), IALS(seed=2)
    for model in (same, again, other):
        model.fit(data)
    np.testing.assert_array_equal(same.scores(users), again.scores(users))
    assert not np.array_equal(same.scores(users), other.scores(users))

"""EASE against the formula of the paper, whichever way it is solved."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines import base
from reelflow.baselines.base import rated
from reelflow.baselines.ease import EASE
from tests.encoded_data import encoded, random_rows

RIDGE = 3.0


def _by_hand(ones: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(ones.T @ ones + RIDGE * np.eye(ones.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return ones @ weights


@pytest.mark.parametrize(("users", "movies"), [(9, 30), (30, 9), (12, 12)])
def test_scores_of_both_ways(users: int, movies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BLOCK_CELLS", 40)  # several blocks, the last one smaller
    data = encoded(random_rows(100, seed=2, users=users, movies=movies))
    ones = rated(data).toarray().astype(np.float64)[:-1]
    model = EASE(RIDGE)
    model.fit(data)
    scores = model.scores(np.arange(len(ones), dtype=np.int32))
    np.testing.assert_allclose(scores, _by_hand(ones), atol=1e-5)


def test_too_many_movies_leave_the_least_rated_out() -> None:
    rows = [(f"u{u}", f"m{m}", 4.0, 1) for u in range(8) for m in range(8) if (u + m) % 3]
    rows += [("u0", "m8", 4.0, 1)]
    data = encoded(rows)
    model = EASE(RIDGE, movies_max=8)
    model.fit(data)
    ones = rated(data).toarray().astype(np.float64)[:-1, :8]
    scores = model.scores(np.arange(8, dtype=np.int32))
    np.testing.assert_allclose(scores[:, :8], _by_hand(ones), atol=1e-5)
    np.testing.assert_array_equal(scores[:, 8], scores.min(axis=1))
    assert model.parameters == 8 * 7

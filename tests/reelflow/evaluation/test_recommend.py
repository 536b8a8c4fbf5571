"""Recommended lists of baselines and models: unseen movies only, in blocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reelflow.baselines import Popularity
from reelflow.evaluation import recommendations
from reelflow.evaluation.recommendations import lists_of_baseline, lists_of_model
from tests.encoded_data import encoded

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_popular_movies_that_a_user_has_not_seen(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "BLOCK_CELLS", cells)
    rows = [("a", "m0", 5.0, 1), ("b", "m0", 4.0, 1), ("a", "m1", 2.0, 2), ("c", "m2", 3.0, 2)]
    data = encoded([*rows, ("c", "m0", 3.0, 1), ("b", "m1", 3.0, 1)])
    baseline = Popularity()
    baseline.fit(data)
    lists = lists_of_baseline(baseline, np.arange(4, dtype=np.int32), data, k=2)
    # The last user is unknown; the others have one movie left.
    assert lists.tolist() == [[2, -1], [2, -1], [1, -1], [0, 1]]


@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_the_models_lists_are_the_right_answers(
    model: Trained, saved_model: Path, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "BLOCK_CELLS", cells)
    board = model.board
    users = np.array(board.users[:5], object)
    lists = lists_of_model(saved_model, users, model.data, k=2)
    assert lists.shape == (5, 2)
    for user, movies in zip(users, lists, strict=True):
        assert {board.movies[movie].movie_id for movie in movies} <= board.right_answers(user)

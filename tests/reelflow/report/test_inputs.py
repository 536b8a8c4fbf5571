"""Asking a real SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


def test_a_model_answers_with_reasons_and_directions(model: Trained, saved_model: Path) -> None:
    from reelflow.report.inputs import recommend
    from reelflow.saved_model.client import Signatures

    exported = Signatures.load(saved_model)
    assert exported.movie_directions is not None
    assert exported.movie_directions.shape == (len(model.board.movies), 8)
    assert np.linalg.norm(exported.movie_directions, axis=1) == pytest.approx(1, abs=1e-4)
    user = model.board.users[0]
    answers = recommend(exported, user, 2)
    assert {answer.movie_id for answer in answers} <= model.board.right_answers(user)
    board = model.board
    rated = {row[1] for row in [*board.train, *board.validation, *board.test] if row[0] == user}
    for answer in answers:
        assert {reason.movie_id for reason in answer.reasons} <= rated
        assert all(0.5 <= reason.rating <= 5 for reason in answer.reasons)
        assert 0.5 <= answer.stars <= 5
    assert any(answer.reasons for answer in answers)


def test_more_than_there_are_is_no_failure(model: Trained, saved_model: Path) -> None:
    from reelflow.report.inputs import recommend
    from reelflow.saved_model.client import Signatures

    answers = recommend(Signatures.load(saved_model), "unknown", len(model.board.movies))
    assert all(answer.reasons == () for answer in answers)

"""`score`, `explain` and `timeline` against `serving_default` and the training data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reelflow.saved_model.golden import call
from tests.reelflow.trained import trained


def _ask(name: str, **inputs: Any) -> dict[str, Any]:
    return call(trained().serving.signatures()[name], inputs)


@pytest.mark.parametrize("history", [[[""]], [["", "first"]]])
def test_score_is_what_the_recommendations_are_made_of(history: list[list[str]]) -> None:
    model = trained()
    films = [*model.data.catalogue.movie_id]
    history = [[film if film in films else films[0] if film else "" for film in history[0]]]
    users = [model.board.users[0], "nobody"]
    whole = _ask("score", user_id=users, history=history)
    best = _ask("serving_default", user_id=users, history=history, k=len(films))
    assert whole["source"] == best["source"]
    for row in range(len(users)):
        unseen = np.where(whole["seen"][row], -np.inf, whole["score"][row])
        order = [films[i] for i in np.argsort(-unseen, kind="stable") if np.isfinite(unseen[i])]
        assert order == [film for film in best["movie_id"][row] if film]
        np.testing.assert_allclose(
            -np.sort(-unseen)[: len(order)], best["score"][row][: len(order)]
        )


def test_an_explanation_sums_to_the_score() -> None:
    model = trained()
    films = [*model.data.catalogue.movie_id]
    for user, history in [(model.board.users[1], ""), ("nobody", films[2]), ("nobody", "")]:
        named = [[history, films[0] if history else ""]]
        whole = _ask("score", user_id=[user], history=named)
        why = _ask("explain", user_id=[user] * len(films), movie_id=films, history=named)
        sums = np.sum(why["weight"], axis=1) + why["rest"]
        np.testing.assert_allclose(sums, whole["score"][0], rtol=1e-4, atol=1e-4)


def test_an_explanation_names_the_history_and_nothing_else() -> None:
    films = [*trained().data.catalogue.movie_id]
    why = _ask(
        "explain", user_id=["nobody"], movie_id=films[:1], history=[["", films[3], films[5]]]
    )
    assert {film for film in why["movie_id"][0] if film} == {films[3], films[5]}
    weights = why["weight"][0]
    assert weights[0] >= weights[1]
    assert not any(weights[2:])
    unknown = _ask("explain", user_id=["nobody"], movie_id=["nothing"], history=[[films[3]]])
    assert not any(unknown["movie_id"][0])
    assert unknown["rest"] == [0.0]


def test_a_timeline_is_what_the_user_rated_newest_first() -> None:
    model = trained()
    train, catalogue = model.data.train, model.data.catalogue
    mine = train.movie_index[train.user_index == 0]
    answer = _ask("timeline", user_id=[model.board.users[0], "nobody"], k=3)
    assert answer["movie_id"][0] == [catalogue.movie_id[m] for m in mine[::-1][:3]]
    assert answer["movie_id"][1] == ["", "", ""]
    assert answer["count"] == [len(mine), 0]

"""`score`, `explain` and `timeline` against `serving_default` and the training data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reelflow.saved_model.client import Signatures
from tests.reelflow.trained import trained


def _ask(name: str, **inputs: Any) -> dict[str, Any]:
    return Signatures(trained().serving.signatures()).ask(name, inputs)


@pytest.mark.parametrize("history", [[[""]], [["", "first"]]])
def test_score_is_what_the_recommendations_are_made_of(history: list[list[str]]) -> None:
    model = trained()
    movies = [*model.data.catalogue.movie_id]
    history = [[movie if movie in movies else movies[0] if movie else "" for movie in history[0]]]
    users = [model.board.users[0], "nobody"]
    whole = _ask("score", user_id=users, history=history)
    best = _ask("serving_default", user_id=users, history=history, k=len(movies))
    assert whole["source"] == best["source"]
    for row in range(len(users)):
        unseen = np.where(whole["seen"][row], -np.inf, whole["score"][row])
        order = [movies[i] for i in np.argsort(-unseen, kind="stable") if np.isfinite(unseen[i])]
        assert order == [movie for movie in best["movie_id"][row] if movie]
        np.testing.assert_allclose(
            -np.sort(-unseen)[: len(order)], best["score"][row][: len(order)]
        )


def test_an_explanation_sums_to_the_score() -> None:
    model = trained()
    movies = [*model.data.catalogue.movie_id]
    for user, history in [(model.board.users[1], ""), ("nobody", movies[2]), ("nobody", "")]:
        named = [[history, movies[0] if history else ""]]
        whole = _ask("score", user_id=[user], history=named)
        why = _ask("explain", user_id=[user] * len(movies), movie_id=movies, history=named)
        sums = np.sum(why["weight"], axis=1) + why["rest"]
        np.testing.assert_allclose(sums, whole["score"][0], rtol=1e-4, atol=1e-4)


def test_an_explanation_names_the_history_and_nothing_else() -> None:
    movies = [*trained().data.catalogue.movie_id]
    why = _ask(
        "explain", user_id=["nobody"], movie_id=movies[:1], history=[["", movies[3], movies[5]]]
    )
    assert {movie for movie in why["movie_id"][0] if movie} == {movies[3], movies[5]}
    weights = why["weight"][0]
    assert weights[0] >= weights[1]
    assert not any(weights[2:])
    unknown = _ask("explain", user_id=["nobody"], movie_id=["nothing"], history=[[movies[3]]])
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

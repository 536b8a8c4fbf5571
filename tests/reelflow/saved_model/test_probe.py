"""Every promise of the signatures, kept and broken, as the probe finds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from reelflow.saved_model.client import Signatures
from reelflow.saved_model.probe import Ask, Subjects, broken_promises
from tests import tiny_model

SUBJECTS = Subjects(user="1", titles=dict(zip(tiny_model.MOVIES, tiny_model.TITLES, strict=True)))
Answer = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> tiny_model.TinyModel:
    return tiny_model.TinyModel()


@pytest.fixture(scope="module")
def ask(model: tiny_model.TinyModel) -> Ask:
    return Signatures(model.signatures()).ask


def test_a_good_model_keeps_every_promise(ask: Ask) -> None:
    assert list(broken_promises(ask, SUBJECTS)) == []


def _without(name: str) -> Callable[[Ask], Ask]:
    """A model that does not heed an input."""
    return lambda ask: (
        lambda signature, inputs: ask(
            signature, {key: value for key, value in inputs.items() if key != name}
        )
    )


def _changed(signature: str, change: Callable[[Answer], Answer]) -> Callable[[Ask], Ask]:
    """A model whose answers are wrong."""

    def wrap(ask: Ask) -> Ask:
        def answer(name: str, inputs: Mapping[str, Any]) -> Answer:
            given = ask(name, inputs)
            return {**given, **change(given)} if name == signature else given

        return answer

    return wrap


def _unmasked(ask: Ask) -> Ask:
    """A model that recommends what the user has seen."""

    def answer(name: str, inputs: Mapping[str, Any]) -> Answer:
        if name != "serving_default" or inputs.get("k", 10) < len(tiny_model.MOVIES):
            return ask(name, inputs)
        padding = inputs["k"] - len(tiny_model.MOVIES)
        scores = [float(-place) for place in range(12)]
        return {
            "movie_id": [[*tiny_model.MOVIES, *[""] * padding]],
            "title": [[*tiny_model.TITLES, *[""] * padding]],
            "score": [[*scores, *[tiny_model.LOWEST] * padding]],
            "rating": [[3.0] * inputs["k"]],
            "seen": [[True] * 12 + [False] * padding],
            "source": ["user"],
        }

    return answer


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_without("exclusions"), "excluded movies are recommended"),
        (_without("history"), "are answered from"),
        (_without("k"), "ids, 10 titles"),
        (_without("include_seen"), "include_seen does not give every movie"),
        (_without("allowed"), "other movies than the allowed ones"),
        (
            _changed("serving_default", lambda a: {"rating": [r[::-1] for r in a["rating"]]}),
            "by stars the order is",
        ),
        (_without("min_rating"), "min_rating ="),
        (
            _changed("serving_default", lambda a: {"seen": [[False] * len(r) for r in a["seen"]]}),
            "no movie of user 1 is marked as seen",
        ),
        (
            _changed("evaluate", lambda a: {"rank_unseen": a["rank_unseen"][::-1]}),
            "in the list it is at",
        ),
        (_unmasked, "movies that user 1 has rated are recommended"),
        (
            _changed("serving_default", lambda a: {"source": ["user"] * len(a["source"])}),
            "are answered from ['user', 'user', 'user']",
        ),
        (
            _changed("serving_default", lambda a: {"title": [["?"] * len(r) for r in a["title"]]}),
            "titles that are not the catalogue's",
        ),
        (
            _changed("serving_default", lambda a: {"score": [r[::-1] for r in a["score"]]}),
            "scores that are not in descending order",
        ),
        (
            _changed(
                "serving_default", lambda a: {"movie_id": [r[:1] * len(r) for r in a["movie_id"]]}
            ),
            "a movie twice",
        ),
        (
            _changed("serving_default", lambda a: {"movie_id": [r[::-1] for r in a["movie_id"]]}),
            "gaps between the movies",
        ),
        (
            _changed("serving_default", lambda a: {"movie_id": [["x"] for _ in a["movie_id"]]}),
            "1 ids",
        ),
        (
            _changed("serving_default", lambda a: {"score": [[1.0] * len(r) for r in a["score"]]}),
            "padding without the lowest score",
        ),
        (_changed("rate", lambda _: {"rating": [float("nan")] * 3}), "rate: ratings are [nan"),
        (_changed("rate", lambda _: {"known_user": [True] * 3}), "rate: known_user"),
        (_changed("similar", lambda a: {"score": [[9.0] * 5] * 2}), "scores are no cosines"),
        (_changed("similar", lambda a: {"title": [["x"]] * 2}), "gives lists of [1, 5]"),
        (_changed("evaluate", lambda _: {"rank_raw": [0, 13]}), "rank_raw of a known"),
        (_changed("evaluate", lambda _: {"rank_unseen": [1, 12]}), "rank_unseen of a known"),
    ],
)
def test_a_broken_promise_is_told(ask: Ask, spoil: Callable[[Ask], Ask], complaint: str) -> None:
    assert complaint in "\n".join(broken_promises(spoil(ask), SUBJECTS))


def test_a_model_without_a_history_tower_answers_from_popularity(ask: Ask) -> None:
    """Movies of the history are masked all the same."""
    without = dataclasses.replace(SUBJECTS, history=False)

    def answer(name: str, inputs: Mapping[str, Any]) -> Answer:
        if name != "serving_default":
            return ask(name, inputs)
        named = {"exclusions": inputs.get("history", [[""]])}
        return ask(name, {**named, **inputs, "history": [[""]]})

    assert list(broken_promises(answer, without)) == []
    assert "instead of ['user', 'history'" in "\n".join(broken_promises(answer, SUBJECTS))


def test_a_k_beyond_the_catalogue_may_be_cut(ask: Ask) -> None:
    def answer(name: str, inputs: Mapping[str, Any]) -> Answer:
        k = min(inputs.get("k", 10), len(tiny_model.MOVIES))
        return ask(name, {**inputs, "k": k})

    assert list(broken_promises(answer, SUBJECTS)) == []


def test_movies_outside_the_catalogue_are_told(ask: Ask) -> None:
    fewer = Subjects("1", {"1": "Toy Story (1995)", "2": "Jumanji (1995)"})
    assert "movies that are not in the catalogue" in "\n".join(broken_promises(ask, fewer))

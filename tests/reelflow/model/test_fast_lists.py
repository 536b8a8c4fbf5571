"""Fast is plain: ready lists, narrow matrices and the index against what they save."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model import inverted_file, items
from reelflow.model.mixing import LEARNERS
from reelflow.model.ranking import standardised
from reelflow.model.signatures import ServingModel
from reelflow.model.tower_term import Towers
from reelflow.saved_model.client import Signatures
from tests.encoded_data import encoded, random_rows, user_vocabulary
from tests.reelflow.model.untrained import served, untrained

MOVIES = [f"m{number:02d}" for number in range(60)]
ROWS = random_rows(200, 4, users=20, movies=40)
DATA = encoded(ROWS, movies=MOVIES)
USERS = user_vocabulary(ROWS)
ASKED = {"user_id": [*USERS[:5], "nobody"]}


Both = tuple[Signatures, Signatures]


def _model(**config: Any) -> ServingModel:
    return served(untrained(DATA, **config), DATA, USERS, **config)


def _both(plain: ServingModel, fast: ServingModel) -> Both:
    fast.prepare()
    return Signatures(plain.signatures()), Signatures(fast.signatures())


@pytest.fixture(scope="module")
def listed() -> Both:
    """A model without ready lists, and with them."""
    return _both(_model(), _model())


@pytest.fixture(scope="module")
def indexed() -> Both:
    """A model that looks at each movie, and one whose index finds them all."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BUCKET": 6, "USUAL": 4}.items():
            patch.setattr(inverted_file, name, value)
        config = {"item_movies": 8, "ready_lists": 0}
        return _both(_model(**config), _model(**config, approximate_from=60, probed_buckets=99))


def _compare(both: Both, inputs: dict[str, Any]) -> None:
    plain, fast = (one.call("serving_default", {**ASKED, **inputs}) for one in both)
    for name, expected in plain.items():
        if expected.dtype == np.float32:
            np.testing.assert_allclose(fast[name], expected, rtol=1e-3, atol=1e-4)
        else:
            np.testing.assert_array_equal(fast[name], expected)


@pytest.mark.parametrize(("wide", "kept"), [(0, 15), (9, 15)])
def test_a_mixture_is_the_sum_of_standard_scores(
    wide: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a column of weights for each movie, or for those alone that take part."""
    monkeypatch.setattr(items, "WIDE", wide)
    config = {"item_movies": kept}
    model = _model(**config)
    knowledge = model._knowledge
    users, hide = knowledge.users(tf.constant(ASKED["user_id"])), tf.fill([6], False)
    history = tf.constant([["", "m07"]]), tf.constant([[np.nan]], tf.float32)
    asked, _ = knowledge.asked(users, *history, hide)
    terms = {"towers": Towers(untrained(DATA, **config)), **model.ranker._matrices}
    terms |= {name: one for name, one in model.ranker._projected.items() if name in LEARNERS}
    weights = model.ranker._weights
    assert {*weights} == {"towers", *LEARNERS}
    plain = sum(
        weight * standardised(terms[name].scores(asked))[0] for name, weight in weights.items()
    )
    found = model.ranker.scores(asked)[:, : len(MOVIES)]
    np.testing.assert_allclose(found, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("inputs", [{}, {"k": 3}, {"order": "anything"}, {"history": [["", ""]]}])
def test_ready_lists_are_those_that_would_be_computed(listed: Both, inputs: dict[str, Any]) -> None:
    _compare(listed, inputs)


REQUESTS: list[dict[str, Any]] = [
    {"history": [["m03", "m09"]]},
    {"history": [["m03"]], "exclusions": [["m03", "m09"]]},
    {"order": "retrieval"},
    {"min_rating": 3.0},
    {"include_seen": [True, False, True, False, False, False]},
    {"allowed": [[True, False] * 30]},
    {"allowed": [[False]]},
    {"as_judged": True},
    {"k": 50},
]


@pytest.mark.parametrize("inputs", REQUESTS)
def test_what_a_request_says_is_heard_beside_ready_lists(
    listed: Both, inputs: dict[str, Any]
) -> None:
    _compare(listed, inputs)


@pytest.mark.parametrize("inputs", REQUESTS)
def test_an_index_whose_buckets_are_all_looked_into_changes_nothing(
    indexed: Both, inputs: dict[str, Any]
) -> None:
    _compare(indexed, inputs)


def test_too_few_found_are_searched_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BUCKET": 30, "USUAL": 25}.items():
        monkeypatch.setattr(inverted_file, name, value)
    config = {"item_movies": 1, "ready_lists": 0}
    both = _both(_model(**config), _model(**config, approximate_from=1, probed_buckets=1))
    # All but a few movies are left out, of whatever bucket.
    _compare(both, {"exclusions": [MOVIES[:48]], "k": 10, "user_id": [USERS[0]]})


def test_what_is_made_goes_by_size() -> None:
    model = _model(approximate_from=61, ready_lists=3)
    model.prepare()
    assert model.ready_lists is None
    assert model.ranker._index is None


def test_where_nearly_all_movies_are_in_matrices_there_is_no_index() -> None:
    both = _both(_model(item_movies=60), _model(item_movies=60, approximate_from=1))
    _compare(both, {"history": [MOVIES[:3]], "k": 10, "user_id": [USERS[0]]})

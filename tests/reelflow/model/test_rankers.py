"""Retrieval scores against their parts, put together in numpy from the ratings' rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig
from reelflow.model.items import ItemLearner
from reelflow.model.rankers import MixRanker
from reelflow.model.ranking import LOWEST, standardised
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Asked
from reelflow.model.timelines import Past
from tests.encoded_data import encoded, random_rows, user_vocabulary
from tests.reelflow.model.untrained import SMALL, untrained

MOVIES = 14
LENGTH = SMALL["history_length"]
ROWS = random_rows(70, 3, times=30)
DATA = encoded(ROWS, movies=[f"m{i:02d}" for i in range(MOVIES)])
UNKNOWN_USER = len(user_vocabulary(ROWS))
RIDGE, SHARE, OPINION = 5.0, 0.3, 0.25
SETTINGS = {"ridge": RIDGE, "half_life": 0.0, "opinion": OPINION}

HISTORIES: list[tuple[int, list[int], list[float]]] = [
    (3, [5, 2, 9], [0.5, -1.0, 0.0]),
    (0, [], []),
    (UNKNOWN_USER, [1, 2, 3, 4, 5, 6, 7], [1.0, 0, 0, -2.0, 0, 0, 0.5]),
    (UNKNOWN_USER, [], []),
    (UNKNOWN_USER, [13], [0.0]),
]
"""User, movies in order of time, opinions."""


def _asked() -> Asked:
    recent = [[MOVIES] * LENGTH + movies for _, movies, _ in HISTORIES]
    felt = [[0.0] * LENGTH + opinions for _, _, opinions in HISTORIES]
    users = tf.constant([user for user, _, _ in HISTORIES])
    rows = [(at, m) for at, (_, movies, _) in enumerate(HISTORIES) for m in movies]
    return Asked(
        users=users,
        recent=Past(
            tf.constant([row[-LENGTH:] for row in recent]),
            tf.constant([row[-LENGTH:] for row in felt], tf.float32),
            tf.zeros([len(HISTORIES), LENGTH], tf.int32),
        ),
        rated_rows=tf.constant([at for at, _ in rows]),
        rated_movies=tf.constant([movie for _, movie in rows]),
        rated_opinions=tf.constant([o for _, _, opinions in HISTORIES for o in opinions]),
        rated_ages=tf.constant(
            [len(movies) - 1 - at for _, movies, _ in HISTORIES for at in range(len(movies))]
        ),
        is_known=users < UNKNOWN_USER,
        has_rated=tf.constant([bool(movies) for _, movies, _ in HISTORIES]),
    )


LEARNER = ItemLearner(DATA, ModelConfig())


def _ranker(share: float = SHARE, **config: Any) -> tuple[MixRanker, JointModel]:
    joint = untrained(DATA, **config)
    items = LEARNER.learn(SETTINGS)
    return MixRanker(joint, {"items": items}, {"towers": 1 - share, "items": share}), joint


def _z(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean()) / scores.std()


@pytest.mark.parametrize("config", [{}, {"query_bag": False}, {"history_stars": False}], ids=str)
def test_scores_are_both_parts_in_standard_deviations(config: dict[str, Any]) -> None:
    ranker, joint = _ranker(**config)
    asked = _asked()
    scores = ranker.scores(asked).numpy()
    weights = LEARNER.solve(RIDGE)
    whole = np.zeros([MOVIES, MOVIES])
    whole[np.ix_(weights.movies, weights.movies)] = weights.weights
    candidates = joint.candidate_tower.served().numpy()
    for at, (user, movies, opinions) in enumerate(HISTORIES):
        bag = None
        if joint.query_tower.uses_bag:
            rows = tf.zeros([len(movies)], tf.int32)
            bag = joint.query_tower.sums_at(rows, tf.constant(movies, tf.int32), tf.constant(1))
        inputs = Past(*(column[at : at + 1] for column in asked.recent)), bag
        query = joint.query_tower(tf.constant([user]), *inputs).numpy()[0]
        towers = candidates @ query
        if user == UNKNOWN_USER and not movies:
            towers = np.log(joint.popularity.numpy())
        expected = _z(towers)
        if movies:
            felt = 1 + OPINION * np.array(opinions)
            expected = (1 - SHARE) * expected + SHARE * _z(felt @ whole[movies])
        np.testing.assert_allclose(scores[at], expected, rtol=1e-3, atol=1e-4)


def test_a_history_alone_needs_something_that_reads_it() -> None:
    for share, config, uses in [
        (0.0, {}, True),
        (0.0, {"query": "user_id"}, False),
        (0.3, {"query": "user_id"}, True),
        (0.0, {"history_length": 1, "query_bag": False}, True),
    ]:
        assert _ranker(share, **config)[0].uses_histories is uses


def test_a_user_id_tower_leaves_new_users_to_the_items() -> None:
    """And to popularity, which stands in for what the towers cannot know."""
    ranker, joint = _ranker(query="user_id")
    asked = _asked()
    asked = replace(asked, recent=Past.nothing(len(HISTORIES)))
    scores = ranker.scores(asked).numpy()
    popular = _z(np.log(joint.popularity.numpy()))
    items = standardised(LEARNER.learn(SETTINGS).scores(asked))[0].numpy()
    np.testing.assert_allclose(scores[3], popular, rtol=1e-3, atol=1e-4)
    expected = (1 - SHARE) * popular + SHARE * items[2]
    np.testing.assert_allclose(scores[2], expected, rtol=1e-3, atol=1e-4)


def test_padding_has_the_lowest_score(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _ranker()[0].scores(_asked()).numpy()
    monkeypatch.setattr("reelflow.model.rankers.block_size", lambda movies: 8)
    ranker = _ranker()[0]
    found = ranker.scores(_asked()).numpy()
    assert found.shape == (len(HISTORIES), 16)
    np.testing.assert_allclose(found[:, :MOVIES], plain, rtol=1e-5, atol=1e-6)
    assert (found[:, MOVIES:] == LOWEST).all()


def test_a_term_without_weight_is_no_part_of_the_model() -> None:
    with_items, _ = _ranker(0.3)
    for share in (0.0, 1.0):
        ranker, _ = _ranker(share)
        sizes = [
            sum(v.shape.num_elements() for v in each.variables) for each in (ranker, with_items)
        ]
        assert sizes[0] < sizes[1]


def test_without_towers_popularity_answers_who_has_rated_nothing() -> None:
    ranker, joint = _ranker(1.0)
    scores = ranker.scores(_asked()).numpy()
    popular = _z(np.log(joint.popularity.numpy()))
    for at, (_, movies, _) in enumerate(HISTORIES):
        if not movies:
            np.testing.assert_allclose(scores[at], popular, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_explained_scores_are_the_scores(share: float) -> None:
    """And what a movie adds to a linear term is lost without it."""
    ranker, _ = _ranker(share)
    asked = _asked()
    rated = tf.constant([[*movies, *[MOVIES] * 7][:7] for _, movies, _ in HISTORIES])
    movies = tf.constant([1, 3, 5, 7, 9])
    explained = ranker.explained(asked, rated, movies[:, None])
    shares, scores = (x.numpy()[:, 0] for x in explained)
    expected = ranker.scores(asked).numpy()[np.arange(5), movies.numpy()]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert (shares[rated.numpy() == MOVIES] == 0).all()
    if share == 1.0:
        part = LEARNER.learn(SETTINGS)
        raw = part.scores(asked).numpy()
        whole = raw[[0, 1, 2, 3, 4], movies.numpy()][[0, 2, 4]]
        found = shares.sum(axis=1)[[0, 2, 4]] * raw.std(axis=1)[[0, 2, 4]]
        np.testing.assert_allclose(found, whole, rtol=1e-3, atol=1e-5)

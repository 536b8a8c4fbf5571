"""Towers against sums of embeddings in numpy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import Tokens
from reelflow.model.candidates import CandidateTower, genre_shares
from reelflow.model.layers import Bags
from reelflow.model.timelines import Past
from reelflow.model.towers import QueryTower
from tests.encoded_data import Movie, encoded

USERS, MOVIES, LENGTH = 5, 7, 3
SIZE = 4


def _query_tower(query: str = "both", **config: Any) -> QueryTower:
    keras.utils.set_random_seed(0)
    tower = QueryTower(
        USERS, MOVIES, LENGTH, ModelConfig(embedding_size=SIZE, query=query, **config)
    )
    tower(tf.constant([0]), _past(tf.fill([1, tower.history_length], MOVIES)))
    for weight in tower.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    return tower


def _past(movies: Any, opinions: Any = None, gaps: Any = None) -> Past:
    """Last movies; without opinions and gaps, unless they are given."""
    movies = tf.constant(movies, tf.int32)
    return Past(
        movies,
        tf.zeros(movies.shape) if opinions is None else tf.constant(opinions),
        tf.zeros_like(movies) if gaps is None else tf.constant(gaps),
    )


def _weights(tower: keras.layers.Layer) -> dict[str, np.ndarray]:
    return {
        w.name.split("/")[-2 if "embeddings" in w.name else -1]: w.numpy() for w in tower.weights
    }


RECENT = np.array([[MOVIES, 2, 4], [MOVIES, MOVIES, MOVIES], [6, 0, 0]])
OPINIONS = np.array([[0, -1.5, 0.5], [0, 0, 0], [2, 0, -0.25]], np.float32)


@pytest.mark.parametrize("stars", [True, False])
def test_query_is_the_user_and_the_weighted_history(stars: bool) -> None:
    tower = _query_tower(history_stars=stars)
    table = _weights(tower)
    users = np.array([3, 0, USERS])
    bag = np.random.default_rng(4).normal(size=(3, SIZE)).astype(np.float32)
    inputs = tf.constant(users), _past(RECENT, OPINIONS)
    for extra in (None, bag):
        found = tower(*inputs, extra).numpy()
        for row, user in enumerate(users):
            expected = table["user"][user].copy()
            past = zip(table["position_weights:0"], RECENT[row], OPINIONS[row], strict=True)
            for weight, movie, opinion in past:
                if movie != MOVIES:
                    expected += weight * table["history"][movie]
                    if stars:
                        expected += weight * opinion * table["opinion"][movie]
            if extra is not None:
                expected += bag[row]
            np.testing.assert_allclose(found[row], [*expected, 1.0], rtol=1e-4, atol=1e-5)
    assert ("opinion" in table) is stars


def test_opinions_add_nothing_before_they_are_learned() -> None:
    tower = QueryTower(USERS, MOVIES, LENGTH, ModelConfig(embedding_size=SIZE))
    users = tf.constant([3, 0, 1])
    np.testing.assert_array_equal(
        tower(users, _past(RECENT, OPINIONS)), tower(users, _past(RECENT))
    )


def test_padding_does_not_count() -> None:
    tower = _query_tower()
    inputs = tf.constant([1]), _past([[MOVIES, MOVIES, 2]])
    before = tower(*inputs).numpy()
    history = next(w for w in tower.weights if "history" in w.name)
    changed = history.numpy()
    changed[MOVIES] += 100.0
    history.assign(changed)
    np.testing.assert_array_equal(tower(*inputs), before)


RATED = [(0, 2), (0, 4), (0, 2), (2, 6), (3, 1)]
"""User and movie; a movie twice."""


def test_the_bag_is_the_sum_over_all_rated_movies_by_the_root_of_their_number() -> None:
    tower = _query_tower()
    table = _weights(tower)["bag:0"]
    owners, members = (np.array(column, np.int32) for column in zip(*RATED, strict=True))
    bags = Bags(owners, members, USERS + 1)
    users = np.array([3, 0, 1, USERS, 0], np.int32)
    found = tower.sums_of(bags, tf.constant(users), None).numpy()
    rows = [(at, m) for at, user in enumerate(users) for u, m in RATED if u == user]
    at, movies = (tf.constant(column, tf.int32) for column in zip(*rows, strict=True))
    served = tower.sums_at(at, movies, tf.constant(len(users))).numpy()
    for row, user in enumerate(users):
        mine = [movie for owner, movie in RATED if owner == user]
        expected = table[mine].sum(axis=0) / np.sqrt(max(len(mine), 1))
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(served[row], expected, rtol=1e-5, atol=1e-6)


def test_in_training_a_bag_is_without_its_target() -> None:
    tower = _query_tower()
    table = _weights(tower)["bag:0"]
    owners, members = (np.array(column, np.int32) for column in zip(*RATED, strict=True))
    bags = Bags(owners, members, USERS + 1)
    users, targets = tf.constant([0, 0, 2]), tf.constant([2, 4, 6])
    found = tower.sums_of(bags, users, targets).numpy()
    expected = [table[4], 2 * table[2] / np.sqrt(2), np.zeros(SIZE)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_bag_shares_are_the_terms_of_the_sum() -> None:
    tower = _query_tower()
    candidates = np.random.default_rng(3).normal(size=(2, SIZE + 1)).astype(np.float32)
    rated = tf.constant([[2, 4, 6], [1, MOVIES, MOVIES]])
    parts = tower.bag_parts(rated, tf.constant([3.0, 1.0]))
    shares = tf.linalg.matvec(parts, candidates[:, :-1]).numpy()
    rows, movies = tf.constant([0, 0, 0, 1]), tf.constant([2, 4, 6, 1])
    bag = tower.sums_at(rows, movies, tf.constant(2)).numpy()
    whole = (bag * candidates[:, :-1]).sum(axis=1)
    np.testing.assert_allclose([shares[0].sum(), shares[1, 0]], whole, rtol=1e-4)


@pytest.mark.parametrize(("query", "knows_user", "knows_history"), [
    ("user_id", True, False), ("history", False, True), ("both", True, True),
])  # fmt: skip
def test_what_a_query_knows(query: str, knows_user: bool, knows_history: bool) -> None:
    tower = _query_tower(query)

    def ask(user: int, movie: int) -> np.ndarray:
        recent = [[MOVIES, MOVIES, movie]] if tower.history_length else [[]]
        return tower(tf.constant([user]), _past(recent)).numpy()

    assert tower.uses_histories is tower.uses_bag is knows_history
    assert tower.history_length == (LENGTH if knows_history else 0)
    assert np.array_equal(ask(0, 1), ask(1, 1)) is not knows_user
    assert np.array_equal(ask(0, 1), ask(0, 2)) is not knows_history


def test_the_newest_movie_weighs_most_at_first() -> None:
    config = ModelConfig(embedding_size=SIZE)
    tower = QueryTower(USERS, MOVIES, LENGTH, config)
    tower(tf.constant([0]), _past(tf.fill([1, tower.history_length], MOVIES)))
    np.testing.assert_allclose(_weights(tower)["position_weights:0"], [1 / 3, 1 / 2, 1])


def test_training_hides_some_users_and_drops_out() -> None:
    tower = _query_tower(query_dropout=0.0)
    users, nothing = tf.fill([4000], 2), _past(tf.fill([4000, LENGTH], MOVIES))
    found = tower(users, nothing, training=True).numpy()[:, :-1]
    table = _weights(tower)["user"]
    hidden = (found == table[USERS]).all(axis=1)
    assert ((found == table[2]).all(axis=1) | hidden).all()
    assert hidden.mean() == pytest.approx(0.1, abs=0.02)
    dropped = _query_tower(query_dropout=0.5)(users, nothing, training=True).numpy()
    assert (dropped[:, :-1] == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (dropped[:, -1] == 1).all()


CATALOGUE = [Movie("a", ("War", "Drama"), 1990), Movie("b"), Movie("c", ("Drama",), 2020)]
DATA = encoded([("u", "a", 3.0, 1), ("u", "c", 3.0, 2)], movies=CATALOGUE)  # nobody rated b
SHARES = np.array([[0.5, 0.5], [0, 0], [1, 0]])  # Drama, War
HAS_RATINGS = np.array([[1], [0], [1]])


def _candidate_tower(**config: Any) -> CandidateTower:
    keras.utils.set_random_seed(0)
    tower = CandidateTower(DATA, ModelConfig(embedding_size=SIZE, **config))
    tower.catalogue()
    for weight in tower.weights:
        weight.assign(np.random.default_rng(2).normal(size=weight.shape))
    return tower


def test_genre_shares() -> None:
    np.testing.assert_array_equal(genre_shares(DATA.catalogue, 2), SHARES)


@pytest.mark.parametrize("genres", [True, False])
@pytest.mark.parametrize("year", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_candidates_are_movie_genres_year_and_bias(genres: bool, year: bool, bias: bool) -> None:
    tower = _candidate_tower(genres=genres, year=year, movie_bias=bias)
    table = {w.name.removesuffix(":0").split("/")[-1]: w.numpy() for w in tower.weights}
    assert set(table) == {"movie"} | ({"genres"} if genres else set()) | (
        {"year"} if year else set()
    ) | ({"bias", "unrated_bias"} if bias else set())
    expected = HAS_RATINGS * table["movie"]
    if genres:
        expected += SHARES @ table["genres"]
    if year:
        expected += DATA.catalogue.year_scaled[:, None] * table["year"]
    biases = np.zeros([3, 1])
    if bias:
        biases = np.where(HAS_RATINGS == 1, table["bias"], table["unrated_bias"])
    expected = np.concatenate([expected, biases], axis=1)
    np.testing.assert_allclose(tower.catalogue(), expected, rtol=1e-5)
    np.testing.assert_allclose(tower(tf.constant([2, 0, 2])), expected[[2, 0, 2]], rtol=1e-5)


def test_movies_that_nobody_rated_stand_where_their_features_put_them() -> None:
    """What their own rows hold has no say."""
    tower = _candidate_tower()
    before = tower.catalogue().numpy()
    for weight in tower.weights:
        if weight.name in ("movie:0", "bias:0"):
            weight.assign(weight + tf.constant(1.0 - HAS_RATINGS, tf.float32))
    np.testing.assert_array_equal(tower.catalogue(), before)


def test_dense_layers_end_in_the_size_of_the_last() -> None:
    query = _query_tower(query_layers=(6, 3), candidate_layers=(3,))
    inputs = tf.constant([0, 1]), _past([[MOVIES, 2, 4], [MOVIES, MOVIES, 1]], OPINIONS[:2])
    found = query(*inputs).numpy()
    table = {w.name: w.numpy() for w in query.weights}
    first, last = ("query_layers/dense_0", "query_layers/dense_1")
    plain = _query_tower()
    for mine, theirs in zip(plain.weights, query.weights, strict=False):
        mine.assign(theirs)
    hidden = plain(*inputs).numpy()[:, :-1]
    kernels = {name: next(v for k, v in table.items() if k.endswith(name)) for name in (
        f"{first}/kernel:0", f"{first}/bias:0", f"{last}/kernel:0", f"{last}/bias:0"
    )}  # fmt: skip
    hidden = np.maximum(hidden @ kernels[f"{first}/kernel:0"] + kernels[f"{first}/bias:0"], 0)
    expected = hidden @ kernels[f"{last}/kernel:0"] + kernels[f"{last}/bias:0"]
    np.testing.assert_allclose(found[:, :-1], expected, rtol=1e-4)
    assert (found[:, -1] == 1).all()
    assert _candidate_tower(query_layers=(3,), candidate_layers=(5, 3)).catalogue().shape == (3, 4)


def test_layers_drop_out_in_training_only() -> None:
    tower = _candidate_tower(query_layers=(8,), candidate_layers=(8,), layer_dropout=0.5)
    served = tower.catalogue().numpy()
    np.testing.assert_array_equal(tower.catalogue(), served)
    assert not np.array_equal(tower.catalogue(training=True), served)


@pytest.mark.parametrize("layers", [{}, {"query_layers": (6, SIZE)}], ids=["sum", "dense"])
def test_parts_and_rest_sum_to_the_query(layers: dict[str, Any]) -> None:
    tower = _query_tower(**layers)
    users = tf.constant([3, 0, USERS])
    past = _past(RECENT, OPINIONS)
    candidates = tf.constant(np.random.default_rng(3).normal(size=(3, SIZE + 1)), tf.float32)
    queries, parts = tower(users, past), tower.parts(users, past)
    if not layers:
        nothing = tower(users, past._replace(movies=tf.fill([3, LENGTH], MOVIES)))[:, :-1]
        whole = nothing + tf.reduce_sum(parts, axis=1)
        np.testing.assert_allclose(whole, queries[:, :-1], rtol=1e-4)
    scores = tf.reduce_sum(queries * candidates, axis=1).numpy()
    shares = tf.linalg.matvec(parts, candidates[:, :-1]).numpy()
    assert (shares[RECENT == MOVIES] == 0).all()
    # A movie's share is what the score loses without it.
    without = tower(users, _past([[MOVIES, MOVIES, 4]] * 3, OPINIONS))
    lost = scores[0] - float(tf.reduce_sum(without[0] * candidates[0]))
    assert shares[0, 1] == pytest.approx(lost, rel=1e-3)


@pytest.mark.parametrize("layers", [{"query_layers": (8, 3)}, {"candidate_layers": (5,)}])
def test_towers_that_do_not_meet_are_refused(layers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must end alike"):
        ModelConfig(embedding_size=SIZE, **layers)


WORDS = ["gender=F", "age=25-34"]
# User 0 has both words, user 2 one.
ATTRIBUTES = Tokens.from_pairs(WORDS, np.array([0, 0, 2]), np.array([0, 1, 1]), USERS)


@pytest.mark.parametrize("query", ["user_id", "history"])
def test_attributes_are_part_of_the_query_and_frozen_they_stay(query: str) -> None:
    config = ModelConfig(embedding_size=SIZE, query=query)
    tower = QueryTower(USERS, MOVIES, LENGTH, config, ATTRIBUTES)
    inputs = tf.range(USERS + 1), _past(tf.fill([USERS + 1, LENGTH], MOVIES))
    tower(*inputs)
    for weight in tower.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    table = _weights(tower)
    words = table.pop("features:0") if "features:0" in table else table.pop("features")
    expected = np.zeros([USERS + 1, SIZE]) if query == "history" else table["user"].copy()
    expected[0] += (words[0] + words[1]) / np.sqrt(2)
    expected[2] += words[1]
    found = tower(*inputs).numpy()
    np.testing.assert_allclose(found[:, :-1], expected, rtol=1e-5)
    tower.freeze()
    for weight in tower.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    np.testing.assert_array_equal(tower(*inputs), found)


def test_declared_features_are_part_of_the_candidate() -> None:
    words = Tokens.from_pairs(["star=A", "star=B"], np.array([1, 1, 2]), np.array([0, 1, 1]), 3)
    data = dataclasses.replace(DATA, movie_features=words)
    config = ModelConfig(embedding_size=SIZE, genres=False, year=False)
    tower = CandidateTower(data, config)
    for weight in tower.weights:
        weight.assign(np.random.default_rng(2).normal(size=weight.shape))
    table = {w.name.removesuffix(":0").split("/")[-1]: w.numpy() for w in tower.weights}
    expected = HAS_RATINGS * table["movie"]
    expected[1] += table["features"].sum(axis=0) / np.sqrt(2)
    expected[2] += table["features"][1]
    np.testing.assert_allclose(tower.catalogue()[:, :-1], expected, rtol=1e-5)
    np.testing.assert_allclose(tower(tf.constant([1]))[:, :-1], expected[[1]], rtol=1e-5)
    without = CandidateTower(data, config.model_copy(update={"movie_features": False}))
    assert not any("features" in weight.name for weight in without.weights)

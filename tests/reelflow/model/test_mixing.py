"""Mixing weights on made-up worlds whose right choice is known."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig, TrainConfig
from reelflow.config.learning import Term
from reelflow.encoding.encode import with_validation
from reelflow.encoding.encoded import EncodedData
from reelflow.model.mixing import (
    BLENDS,
    FALLBACK_BLEND,
    LEARNERS,
    LEAST_UNSEEN,
    Choice,
    choose,
    refit,
)
from reelflow.model.tasks import JointModel
from reelflow.report.sections.order import TERM_LABELS
from tests.encoded_data import Row, encoded, user_vocabulary
from tests.reelflow.model.untrained import untrained

GROUPS, SIZE, USERS = 4, 10, 40
MOVIES = [f"m{i:02d}" for i in range(GROUPS * SIZE)]
TRAIN = TrainConfig(seeds=1)
LIKED = 3.8


def _world(held_out: int = 2) -> tuple[list[Row], list[Row]]:
    """Each user has rated 7 of the 10 movies of a group, and turns to others of it.

    Movies with an even number have 5 stars, the others 2, whoever rates.
    """
    random = np.random.default_rng(0)
    train: list[Row] = []
    validation: list[Row] = []
    for user in range(USERS):
        own = random.permutation(SIZE)[: 7 + held_out] + user % GROUPS * SIZE
        rows: list[Row] = [
            (f"u{user:02d}", MOVIES[movie], 5.0 if movie % 2 == 0 else 2.0, 10 + at)
            for at, movie in enumerate(own.tolist())
        ]
        train += rows[:7]
        validation += rows[7:]
    return train, validation


ROWS, HELD_OUT = _world()
DATA = encoded(ROWS, HELD_OUT, movies=MOVIES)
NAMES = user_vocabulary(ROWS)


def _towers(data: EncodedData, knowing: bool, **config: object) -> tuple[JointModel, ModelConfig]:
    """Towers that know each user's group, or nothing."""
    section = {"query": "user_id", "embedding_size": GROUPS, "genres": False, "year": False}
    section = {**section, **config}
    joint = untrained(data, **section)
    for tower in (joint.query_tower, joint.candidate_tower):
        for weight in tower.trainable_weights:
            weight.assign(tf.zeros_like(weight))
    random = np.random.default_rng(1)
    movie = np.repeat(np.eye(GROUPS), SIZE, axis=0)
    [user_table] = [w for w in joint.query_tower.weights if "user" in w.name]
    groups = np.eye(GROUPS)[[int(name[1:]) % GROUPS for name in NAMES]]
    users = np.concatenate([groups, np.zeros([1, GROUPS])])
    if not knowing:
        users = random.normal(size=users.shape)
    user_table.assign(users)
    [movies] = [w for w in joint.candidate_tower.weights if w.name.startswith("movie")]
    movies.assign(movie if knowing else random.normal(size=movie.shape))
    defaults = {"rating_embedding_size": 3, "candidates": 10}
    return joint, ModelConfig(**{**defaults, **section})


def _choose(data: EncodedData, knowing: bool, **config: object) -> Choice:
    keras.utils.set_random_seed(0)
    joint, section = _towers(data, knowing, **config)
    return choose(joint, data, NAMES, section, TRAIN, LIKED)


def test_where_the_towers_know_nothing_the_items_rank() -> None:
    choice = _choose(DATA, knowing=False)
    assert choice.mix is not None
    assert choice.mix.weights.get("towers", 0.0) < 0.5
    assert choice.mixture.weights == choice.mix.weights
    alone = {
        name: trial.metrics["unseen/top_10"]
        for trial in choice.mix.trials
        if len(trial.weights) == 1
        for name in trial.weights
    }
    assert alone["items"] == 1.0  # three movies of the group are left, and two of them are right
    assert alone["towers"] < 0.6


def test_where_the_items_know_nothing_the_towers_rank() -> None:
    """Users of one group never rate the same movie: no two movies are rated by the same user."""
    rows: list[Row] = [(f"u{i:02d}", MOVIES[i], 5.0 if i % 2 else 2.0, 10) for i in range(USERS)]
    after: list[Row] = [
        (f"u{i:02d}", MOVIES[i % GROUPS * SIZE + (i // GROUPS + 1) % SIZE], 5.0, 20)
        for i in range(USERS)
    ]
    data = encoded(rows, after, movies=MOVIES)
    choice = _choose(data, knowing=True)
    assert choice.mix is not None
    assert choice.mix.weights == {"towers": 1.0}
    assert choice.mixture.terms == {}
    alone = next(trial for trial in choice.mix.trials if trial.weights == {"towers": 1.0})
    assert alone.metrics["unseen/top_10"] == 1.0


def test_the_best_ridge_is_kept() -> None:
    choice = _choose(DATA, knowing=False, item_ridge=(1e7, 5.0))
    assert choice.mix is not None
    ridges = {
        trial.settings["items"]["ridge"]: trial.gain
        for trial in choice.mix.trials
        if trial.weights == {"items": 1.0}
    }
    assert {*ridges} == {1e7, 5.0}
    chosen = choice.mix.settings["items"]["ridge"]
    assert ridges[chosen] == max(ridges.values())


class _ByMovie(tf.Module):
    """Predicts the stars that the movies have in the made-up world."""

    gives_likes = False
    directions = tf.zeros([len(MOVIES), 2])

    def stars(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        return tf.where(movies % 2 == 0, 5.0, 2.0) + 0.0 * tf.cast(users, tf.float32)

    def stars_of_lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        return self.stars(users[:, None], movies)


def _blended(held_out: list[Row], monkeypatch: pytest.MonkeyPatch, **config: object) -> Choice:
    monkeypatch.setattr(JointModel, "frozen_ratings", lambda self: _ByMovie())
    data = encoded(ROWS, held_out, movies=MOVIES)
    return _choose(data, knowing=True, **config)


def test_where_liked_movies_are_among_those_watched_stars_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Retrieval knows the group, stars which of its movies are liked: together they are right."""
    choice = _blended(HELD_OUT, monkeypatch)
    assert choice.blend is not None
    trials = {trial.weight: trial.metrics for trial in choice.blend.trials}
    assert list(trials) == list(BLENDS)
    assert choice.blend.weight > 0
    chosen = trials[choice.blend.weight]
    assert chosen["liked/ndcg_10"] > trials[0.0]["liked/ndcg_10"]
    assert chosen["liked/ndcg_10"] == max(
        one["liked/ndcg_10"]
        for one in trials.values()
        if one["unseen/top_10"] >= LEAST_UNSEEN * trials[0.0]["unseen/top_10"]
    )


def test_a_weight_that_loses_more_than_a_tenth_is_no_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One row is liked, all others are not: by stars alone these would be lost."""
    disliked = [row for row in HELD_OUT if row[2] == 2.0]
    liked = [row for row in HELD_OUT if row[2] == 5.0][:1]
    choice = _blended([*disliked, *liked], monkeypatch)
    trials = {trial.weight: trial.metrics for trial in choice.blend.trials}
    least = LEAST_UNSEEN * trials[0.0]["unseen/top_10"]
    assert trials[choice.blend.weight]["unseen/top_10"] >= least


def test_mean_stars_of_hits_are_those_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = _blended(HELD_OUT, monkeypatch)
    plain = choice.blend.trials[0].metrics
    assert plain["unseen/top_10"] == 1.0  # three movies of the group are left to each user
    assert plain["stars_of_hits_10"] == pytest.approx(np.mean([row[2] for row in HELD_OUT]))
    assert plain["liked/top_10"] == 1.0


def test_without_validation_ratings_the_weights_are_the_usual_ones() -> None:
    data = encoded(ROWS, movies=MOVIES)
    choice = _choose(data, knowing=True)
    assert choice.mix.weights == {"towers": 0.5, "items": 0.5}
    assert {*choice.mixture.terms} == {"items"}
    assert choice.blend.weight == FALLBACK_BLEND
    assert choice.mix.trials == choice.blend.trials == []
    assert choice.mix.settings["items"]["ridge"] == ModelConfig().item_ridge[0]
    assert choice.mix.settings["items"]["half_life"] == 0.0


def test_weights_that_are_set_are_not_searched() -> None:
    mix = {"towers": 1.4, "items": 0.6}
    choice = _choose(
        DATA, knowing=False, mix=mix, blend_weight=0.7, item_ridge=(5.0,), item_opinion=(0.25,)
    )
    assert choice.mixture.weights == {"towers": 0.7, "items": 0.3}
    assert choice.mixture.blend == 0.7
    mixtures = [trial.weights for trial in choice.mix.trials if len(trial.weights) > 1]
    assert mixtures == [{"towers": 0.7, "items": 0.3}]
    assert choice.blend.trials == []


@pytest.mark.parametrize(
    ("config", "mix", "blend"),
    [
        ({"item_movies": 0}, {"towers": 1.0}, True),
        ({"mix": {"towers": 2.0}}, {"towers": 1.0}, True),
        ({"mix": {"items": 2.0}}, {"items": 1.0}, True),
        (
            {"rating_weight": 0.0, "mix": {"items": 1, "towers": 1}},
            {"towers": 0.5, "items": 0.5},
            False,
        ),
        ({"retrieval_weight": 0.0}, None, False),
    ],
)
def test_parts_that_are_not_there_have_no_weight(
    config: dict[str, Any], mix: dict[str, float] | None, blend: bool
) -> None:
    joint = untrained(DATA, **config)
    section = ModelConfig(embedding_size=4, rating_embedding_size=3, history_length=5, **config)
    choice = choose(joint, DATA, NAMES, section, TRAIN, LIKED)
    assert (None if choice.mix is None else choice.mix.weights) == mix
    assert (choice.blend is not None) is blend
    assert {*choice.mixture.terms} == {*(mix or {})} - {"towers"}
    if not blend:
        assert choice.mixture.blend == 0.0


def test_a_refit_learns_the_items_anew_by_the_same_ridge_and_share() -> None:
    config = ModelConfig()
    choice = _choose(DATA, knowing=False, mix={"items": 1.0})
    everything = with_validation(DATA)
    mixture = refit(choice, everything, config)
    [name] = list(choice.mix.settings)
    expected = LEARNERS[name](everything, config).learn(choice.mix.settings[name]).variables
    found = mixture.terms[name].variables
    before = choice.mixture.terms[name].variables
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert any(
        one.shape != other.shape or (one.numpy() != other.numpy()).any()
        for one, other in zip(found, before, strict=True)
    )
    assert (mixture.weights, mixture.blend) == (choice.mixture.weights, choice.mixture.blend)
    without = _choose(DATA, knowing=True, item_movies=0)
    assert refit(without, everything, config) == without.mixture


def test_the_configuration_and_the_report_know_the_same_terms() -> None:
    assert get_args(Term) == ("towers", *LEARNERS) == tuple(TERM_LABELS)
    assert all(learner.name == name for name, learner in LEARNERS.items())

"""The joint model: what a query may know, what the losses are, who owns which weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encode import with_whole_histories
from reelflow.encoding.encoded import EncodedData
from reelflow.model import towers
from reelflow.model.retrieval import popularity
from reelflow.model.tasks import RATING_LOSS, RETRIEVAL_LOSS, JointModel
from reelflow.model.timelines import Batches
from tests.encoded_data import Row, encoded, random_rows

MOVIES = [f"m{i:02d}" for i in range(14)]


def _joint(data: EncodedData, **config: Any) -> JointModel:
    keras.utils.set_random_seed(0)
    joint = JointModel(data, ModelConfig(embedding_size=4, rating_embedding_size=3, **config))
    joint.query(tf.constant([0]), tf.constant([0], tf.int64))
    return joint


def _batch(data: EncodedData) -> dict[str, tf.Tensor]:
    return {k: tf.constant(v) for k, v in Batches(data.train, 1000, None)[0].items()}


def _scattered(joint: JointModel) -> JointModel:
    for seed, tower in enumerate((joint.query_tower, joint.candidate_tower, joint.rating_model)):
        random = np.random.default_rng(seed)  # the same whichever of the others are trained
        for weight in tower.trainable_weights:
            weight.assign(random.normal(size=weight.shape))
    return joint


@pytest.mark.parametrize("whole", [False, True], ids=["past", "whole"])
@pytest.mark.parametrize("at", range(0, 40, 5))
def test_a_query_does_not_see_its_target(
    at: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another movie in the target's place, at the same time, makes no other query in training."""
    monkeypatch.setattr(towers, "UNKNOWN_USER_RATE", 0.0)
    rows = random_rows(40, 7, movies=14, times=1 if not whole else 10**6)
    user, target, stars, time = rows[at]
    taken = {m for u, m, _, _ in rows if u == user}
    other: Row = (user, next(m for m in MOVIES if m not in taken), stars, time)

    def query(rows: list[Row], movie: str) -> np.ndarray:
        data = encoded(rows, movies=MOVIES)
        data = with_whole_histories(data) if whole else data
        train = data.train
        at = np.flatnonzero(
            (train.user_index == int(user[1:])) & (train.movie_index == int(movie[1:]))
        )
        columns = train.user_index, train.history_end, train.movie_index
        inputs = (tf.constant(column[at]) for column in columns)
        joint = _scattered(_joint(data, query_dropout=0.0))
        return joint.query(*inputs, training=True).numpy()

    with_other = query([*rows[:at], other, *rows[at + 1 :]], other[1])
    np.testing.assert_allclose(query(rows, target), with_other, rtol=1e-4, atol=1e-5)
    # Of another movie of the user the query does depend.
    own = [row for i, row in enumerate(rows) if row[0] == user and i != at]
    fewer = [row for row in rows if row != own[0]]
    assert not np.allclose(query(rows, target), query(fewer, target), rtol=1e-3)


def test_a_whole_history_is_that_of_serving_but_for_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(towers, "UNKNOWN_USER_RATE", 0.0)
    data = with_whole_histories(encoded(random_rows(40, 7, times=10**6), movies=MOVIES))
    joint, train = _scattered(_joint(data, query_dropout=0.0)), data.train
    served = joint.query(tf.constant(train.user_index), tf.constant(train.history_end)).numpy()
    for user in range(data.sizes.users):
        mine = served[train.user_index == user]
        np.testing.assert_array_equal(mine, np.repeat(mine[:1], len(mine), axis=0))
    columns = train.user_index, train.history_end, train.movie_index
    trained = joint.query(*(tf.constant(c) for c in columns), training=True).numpy()
    assert not np.isclose(trained[:, :-1], served[:, :-1]).all(axis=1).any()


@pytest.mark.parametrize("mask_seen", [True, False])
def test_at_the_start_the_loss_is_that_of_guessing(mask_seen: bool) -> None:
    """Nothing learned: all movies that compete are alike; the loss is the log of their number."""
    data = encoded(random_rows(60, 0), movies=MOVIES)
    joint = _joint(data, mask_seen=mask_seen, rating_weight=0)
    loss = float(joint.compute_loss(_batch(data)))
    counts = np.bincount(data.train.user_index)[data.train.user_index]
    rivals = len(MOVIES) - counts + 1 if mask_seen else np.full(60, len(MOVIES))
    assert loss == pytest.approx(np.log(rivals).mean(), abs=0.02)


def test_in_batch_loss_is_for_training_only() -> None:
    data = encoded(random_rows(60, 0), movies=MOVIES)
    batch = _batch(data)
    config = {"rating_weight": 0, "query_dropout": 0.0}
    full = _scattered(_joint(data, **config))
    sampled = _scattered(_joint(data, loss="in_batch_softmax", **config))
    assert float(sampled.compute_loss(batch)) == float(full.compute_loss(batch))
    in_training = float(sampled.compute_loss(batch, training=True))
    assert in_training != pytest.approx(float(full.compute_loss(batch, training=True)))


def test_the_joint_loss_is_the_weighted_sum() -> None:
    data = encoded(random_rows(60, 0), movies=MOVIES)
    losses = {
        weights: float(
            _scattered(
                _joint(data, retrieval_weight=weights[0], rating_weight=weights[1])
            ).compute_loss(_batch(data))
        )
        for weights in ((1, 0), (0, 1), (2, 0.5))
    }
    expected = 2 * losses[1, 0] + 0.5 * losses[0, 1]
    assert losses[2, 0.5] == pytest.approx(expected, rel=1e-5)


def test_retrieval_may_be_summed_over_the_batch() -> None:
    data = encoded(random_rows(60, 0), movies=MOVIES)
    mean = float(_scattered(_joint(data, rating_weight=0)).compute_loss(_batch(data)))
    summed = _scattered(_joint(data, rating_weight=0, retrieval_reduction="sum"))
    assert float(summed.compute_loss(_batch(data))) == pytest.approx(60 * mean, rel=1e-5)


def test_the_rating_loss_is_the_mean_square_in_standard_deviations() -> None:
    data = encoded(random_rows(60, 0), movies=MOVIES)
    joint = _scattered(_joint(data, retrieval_weight=0))
    batch = _batch(data)
    pairs = batch[f.USER_INDEX], batch[f.MOVIE_INDEX], batch[f.TIMESTAMP]
    ratings = data.train.rating
    standardised = (ratings - ratings.mean()) / ratings.std()
    expected = np.mean((joint.rating_model(*pairs).numpy() - standardised) ** 2)
    assert float(joint.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def test_tasks_share_no_weights() -> None:
    joint = _joint(encoded(random_rows(30, 0), movies=MOVIES))
    everything = {id(weight) for weight in joint.trainable_weights}
    assert list(joint.stages) == [RETRIEVAL_LOSS, RATING_LOSS]
    ids = []
    for tasks in joint.stages.values():
        joint.learn(tasks)
        ids.append({id(weight) for weight in joint.trainable_weights})
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == everything


def test_the_loss_is_that_of_the_tasks_that_learn() -> None:
    data = encoded(random_rows(60, 0), movies=MOVIES)
    joint, batch = _scattered(_joint(data)), _batch(data)
    losses = []
    for tasks in (joint.tasks, *joint.stages.values()):
        joint.learn(tasks)
        losses.append(float(joint.compute_loss(batch)))
    assert losses[0] == pytest.approx(losses[1] + losses[2], rel=1e-5)


@pytest.mark.parametrize(
    ("config", "active"),
    [({"rating_weight": 0}, RETRIEVAL_LOSS), ({"retrieval_weight": 0}, RATING_LOSS)],
)
def test_a_task_of_weight_0_is_off(config: dict[str, float], active: str) -> None:
    assert list(_joint(encoded(random_rows(30, 0)), **config).stages) == [active]


@pytest.mark.parametrize("query", ["user_id", "both"])
def test_without_timestamps_there_is_no_history(query: str) -> None:
    rows: list[Row] = [(u, m, s, None) for u, m, s, _ in random_rows(30, 0)]
    assert _joint(encoded(rows), query=query).query_tower.history_length == 0


def test_popularity_is_the_share_of_ratings() -> None:
    rows: list[Row] = [("a", "m0", 3.0, 1), ("b", "m0", 3.0, 1), ("b", "m2", 3.0, 1)]
    shares = popularity(encoded(rows, movies=["m0", "m1", "m2"])).numpy()
    np.testing.assert_allclose(shares, np.array([2, 0.1, 1]) / 3.1, rtol=1e-6)

"""The retrieval task beyond the softmax: which negatives count, what is added, what is divided."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model import layers, seen, towers
from reelflow.model.retrieval import RETRIEVAL_LOSSES, popularity, recent_popularity
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Batches
from tests.encoded_data import Row, encoded, random_rows

MOVIES = [f"m{i:02d}" for i in range(14)]
DATA = encoded(random_rows(60, 0), movies=MOVIES)


def test_names_of_the_losses() -> None:
    assert tuple(RETRIEVAL_LOSSES) == get_args(ModelConfig.model_fields["loss"].annotation)


def _joint(data: EncodedData = DATA, **config: Any) -> JointModel:
    keras.utils.set_random_seed(0)
    sizes = {"embedding_size": 4, "rating_weight": 0, "query_dropout": 0.0}
    joint = JointModel(data, ModelConfig.model_validate({**sizes, **config}))
    joint.query(tf.constant([0]), tf.constant([0], tf.int64))
    random = np.random.default_rng(0)
    for weight in (*joint.query_tower.weights, *joint.candidate_tower.weights):
        weight.assign(random.normal(size=weight.shape))
    return joint


def _batch(data: EncodedData = DATA) -> dict[str, tf.Tensor]:
    return {k: tf.constant(v) for k, v in Batches(data.train, 1000, None)[0].items()}


def _scores(joint: JointModel, batch: dict[str, tf.Tensor]) -> np.ndarray:
    queries = joint.query(batch[f.USER_INDEX], batch[f.HISTORY_END])
    scores: np.ndarray = (queries @ tf.transpose(joint.candidate_tower.catalogue())).numpy()
    return scores


@pytest.mark.parametrize("table", [True, False], ids=["table", "looked up"])
@pytest.mark.parametrize("negatives", ["uniform", "popularity"])
@pytest.mark.parametrize("mask_seen", [True, False])
def test_validation_takes_the_expectation_of_bpr(
    mask_seen: bool, negatives: str, table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not table:
        monkeypatch.setattr(seen, "SEEN_TABLE_BYTES", 0)
    joint, batch = _joint(loss="bpr", negatives=negatives, mask_seen=mask_seen), _batch()
    users, targets = batch[f.USER_INDEX].numpy(), batch[f.MOVIE_INDEX].numpy()
    popularity = np.maximum(np.bincount(targets, minlength=14), 0.1)
    weights = np.tile(popularity if negatives == "popularity" else np.ones(14), (len(users), 1))
    for row, user in enumerate(users):
        if mask_seen:
            weights[row, targets[users == user]] = 0
    weights[np.arange(len(users)), targets] = 0
    scores = _scores(joint, batch)
    losses = np.log1p(np.exp(scores - scores[np.arange(len(users)), targets][:, None]))
    expected = (weights * losses).sum() / weights.sum()
    assert float(joint.compute_loss(batch)) == pytest.approx(expected, rel=1e-4)


def test_sampled_bpr_comes_to_its_expectation() -> None:
    joint, batch = _joint(loss="bpr", negative_count=500, query="user_id"), _batch()
    tf.random.set_seed(1)
    sampled = float(joint.compute_loss(batch, training=True))
    assert sampled == pytest.approx(float(joint.compute_loss(batch)), rel=0.05)


def test_l2_is_added_in_training_alone() -> None:
    config = {"query": "user_id", "mask_seen": False}
    plain, with_l2, batch = _joint(**config), _joint(**config, tower_l2=0.5), _batch()
    assert float(with_l2.compute_loss(batch)) == float(plain.compute_loss(batch))
    added = float(with_l2.compute_loss(batch, training=True) - plain.compute_loss(batch))
    queries = plain.query(batch[f.USER_INDEX], batch[f.HISTORY_END])[:, :-1]
    positives = plain.candidate_tower(batch[f.MOVIE_INDEX])[:, :-1]
    squares = sum(float(tf.reduce_mean(tf.reduce_sum(x**2, axis=1))) for x in (queries, positives))
    assert added == pytest.approx(0.5 * squares, rel=1e-3)


def test_temperature_divides_the_scores() -> None:
    batch, config = _batch(), {"mask_seen": False}
    scores = _scores(_joint(**config), batch) / 0.2
    of_targets = scores[np.arange(60), batch[f.MOVIE_INDEX].numpy()]
    expected = np.mean(np.log(np.exp(scores).sum(axis=1)) - of_targets)
    found = float(_joint(**config, temperature=0.2).compute_loss(batch))
    assert found == pytest.approx(expected, rel=1e-4)


def test_recent_ratings_count_more() -> None:
    day = 86_400
    rows: list[Row] = [("a", "m0", 3.0, day), ("b", "m0", 3.0, day), ("b", "m1", 3.0, 11 * day)]
    data = encoded(rows, movies=["m0", "m1", "m2"])
    plain = popularity(data).numpy()
    recent = recent_popularity(data, 10.0).numpy()
    expected = np.array([0.5 + 0.5, 1, 0]) / 2  # ten days ago counts half
    np.testing.assert_allclose(recent, 0.999 * expected + 0.001 * plain, rtol=1e-5)
    np.testing.assert_array_equal(recent_popularity(data, 0), plain)
    timeless: list[Row] = [(u, m, s, None) for u, m, s, _ in rows]
    bare = encoded(timeless, movies=["m0", "m1", "m2"])
    np.testing.assert_array_equal(recent_popularity(bare, 10.0), plain)


def test_without_logq_validation_takes_popular_negatives() -> None:
    """The in-batch softmax's own expectation: negatives come as often as they are rated."""
    config = {"mask_seen": False, "loss": "in_batch_softmax", "logq": False, "temperature": 2.0}
    joint, batch = _joint(**config), _batch()
    scores = _scores(joint, batch) / 2.0 + np.log(popularity(DATA).numpy())
    of_targets = scores[np.arange(60), batch[f.MOVIE_INDEX].numpy()]
    expected = np.mean(np.log(np.exp(scores).sum(axis=1)) - of_targets)
    assert float(joint.compute_loss(batch)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("table", [True, False], ids=["table", "looked up"])
@pytest.mark.parametrize("mask_seen", [True, False])
def test_a_sampled_softmax_sums_to_the_full_one_on_average(
    mask_seen: bool, table: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it adds to the target's power, over many samples; and its own movies are left out."""
    if not table:
        monkeypatch.setattr(seen, "SEEN_TABLE_BYTES", 0)
    if large:
        monkeypatch.setattr(layers, "LARGE", 0)
    config = {"mask_seen": mask_seen, "query": "user_id", "temperature": 2.0}
    sampled = _joint(loss="sampled_softmax", sampled_movies=6, **config)
    full = _joint(loss="full_softmax", **config)
    monkeypatch.setattr(towers, "UNKNOWN_USER_RATE", 0.0)
    batch = {name: column[:1] for name, column in _batch().items()}
    tf.random.set_seed(1)
    sums = [np.expm1(float(sampled.compute_loss(batch, training=True))) for _ in range(600)]
    expected = np.expm1(float(full.compute_loss(batch, training=True)))
    assert np.mean(sums) == pytest.approx(expected, rel=0.1)
    assert np.std(sums) > 0
    # All movies are drawn where the sample is half of them.
    whole = _joint(loss="sampled_softmax", sampled_movies=7, **config)
    loss = float(whole.compute_loss(batch, training=True))
    assert loss == pytest.approx(float(full.compute_loss(batch, training=True)), rel=1e-5)

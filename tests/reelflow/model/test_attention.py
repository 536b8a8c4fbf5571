"""Causal self-attention: nothing sees the future, all positions at once are what is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from pydantic import ValidationError

from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encode import with_whole_histories
from reelflow.model.attention import TimelineEncoder
from reelflow.model.fit import fit
from reelflow.model.sequences import Sequences, Windows
from reelflow.model.tasks import JointModel
from reelflow.saved_model.contract import EXPLAIN, RECOMMEND
from tests.encoded_data import Row, encoded, random_rows
from tests.reelflow.model.untrained import signatures_of, untrained

ORDER = {"query": "sequence", "query_bag": False, "item_movies": 0, "rating_weight": 0}
MOVIES = [f"m{i:02d}" for i in range(14)]
ROWS = random_rows(60, 0, times=1000)


def _encoder(length: int = 5) -> TimelineEncoder:
    keras.utils.set_random_seed(0)
    encoder = TimelineEncoder(ModelConfig(embedding_size=4, query="sequence"), length)
    encoder(tf.zeros([1, 2, 4]), tf.ones([1, 2], tf.bool))
    random = np.random.default_rng(0)
    for weight in encoder.weights:
        weight.assign(random.normal(size=weight.shape))
    return encoder


def _timeline(seed: int, count: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, count, 4)).astype(np.float32)


def test_nothing_sees_the_future() -> None:
    encoder, movies, known = _encoder(), _timeline(1), np.ones([1, 6], bool)
    before = encoder(movies, known).numpy()
    changed = np.concatenate([movies[:, :4], -movies[:, 4:]], axis=1)
    after = encoder(changed, known).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).min() > 1e-4


def test_padding_is_nothing_and_places_count_from_the_newest() -> None:
    encoder, movies = _encoder(), _timeline(1, 3)
    alone = encoder(movies, np.ones([1, 3], bool)).numpy()
    padded = np.concatenate([7 * _timeline(2, 2), movies], axis=1)
    found = encoder(padded, np.array([[False, False, True, True, True]])).numpy()
    np.testing.assert_allclose(found[:, 2:], alone, atol=1e-5)


def test_users_of_one_row_are_strangers() -> None:
    encoder, movies = _encoder(), _timeline(1)
    owners, known = np.array([[0, 0, 1, 1, 1, 1]]), np.ones([1, 6], bool)
    found = encoder(movies, known, owners).numpy()
    second = encoder(movies[:, 2:], known[:, 2:]).numpy()
    np.testing.assert_allclose(found[:, 2:], second, atol=1e-5)


def test_order_and_distance_matter() -> None:
    encoder, movies, known = _encoder(), _timeline(1, 4), np.ones([1, 4], bool)
    swapped = movies[:, [1, 0, 2, 3]]
    assert np.abs((encoder(movies, known) - encoder(swapped, known))[:, -1]).max() > 1e-3
    blind = _encoder(length=1)
    alone = blind(movies[:, -1:], known[:, :1])
    np.testing.assert_allclose(blind(movies, known)[:, -1], alone[:, -1], atol=1e-5)


def test_all_positions_at_once_are_the_queries_that_are_served() -> None:
    """Of timelines that are no longer than the history."""
    data = encoded(ROWS, movies=MOVIES)
    config = {**ORDER, "history_length": 14, "query_dropout": 0.0}
    joint = untrained(data, **config)
    batch = Windows(data.train, 14, 30, 15, seed=0)[0]
    tensors = {key: tf.constant(value) for key, value in batch.items()}
    at_once = joint.query_tower.along(Sequences.of(tensors, joint.timelines)).numpy()
    rows = {
        (user, movie): end
        for user, movie, end in zip(
            *(
                getattr(data.train, c).tolist()
                for c in ("user_index", "movie_index", "history_end")
            ),
            strict=True,
        )
    }
    users, movies = batch[f.USER_INDEX].ravel(), batch[f.MOVIE_INDEX].ravel()
    ends = [rows[pair] for pair in zip(users.tolist(), movies.tolist(), strict=True)]
    one_by_one = joint.query(tf.constant(users), tf.constant(ends, tf.int64))
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-4, atol=1e-5)


def test_histories_that_reach_beyond_are_trained_rating_by_rating() -> None:
    data = encoded(ROWS, movies=MOVIES)
    assert JointModel(data, ModelConfig(**ORDER)).learns_on_timelines()
    assert not JointModel(with_whole_histories(data), ModelConfig(**ORDER)).learns_on_timelines()


def test_it_learns_what_follows(tmp_path: Path) -> None:
    """Everybody goes round a circle of movies, from anywhere."""
    rows: list[Row] = [
        (f"u{user:02d}", f"m{(user + step) % 14:02d}", 4.0, 100 + step)
        for user in range(28)
        for step in range(9)
    ]
    data = encoded(rows, movies=MOVIES)
    config = {**ORDER, "history_length": 5, "embedding_size": 16, "mask_seen": False}
    train = TrainConfig(epochs=40, learning_rate=0.01, batch_size=64, seeds=1)
    model = ModelConfig.model_validate({**config, "query_dropout": 0.0})
    joint, _ = fit(data, model, train, tmp_path)
    users = tf.range(28)
    queries = joint.query(users, joint.timelines.ends_now(users))
    scores = tf.matmul(queries, joint.candidate_tower.catalogue(), transpose_b=True)
    assert np.mean(np.argmax(scores, axis=1) == (np.arange(28) + 9) % 14) > 0.9


def test_signatures_answer_and_explain_by_leaving_out() -> None:
    data = encoded(ROWS, movies=MOVIES)
    found = signatures_of(data, [f"u{i}" for i in range(9)], **ORDER)
    named: dict[str, Any] = {f.USER_ID: ["nobody"], f.HISTORY: [["m01", "m02"]]}
    first, turned = (
        found.call(RECOMMEND, {**named, f.HISTORY: [history], f.K: 5})
        for history in (["m01", "m02"], ["m02", "m01"])
    )
    assert first[f.SOURCE][0] == b"history"
    assert np.abs(first[f.SCORE] - turned[f.SCORE]).max() > 1e-4
    reasons = found.call(EXPLAIN, {**named, f.MOVIE_ID: ["m05"]})
    assert {movie for movie in reasons[f.MOVIE_ID][0].tolist() if movie} == {b"m01", b"m02"}


def test_gaps_tell_movies_apart() -> None:
    data = encoded(ROWS, movies=MOVIES)
    joint = untrained(data, **ORDER)
    tower, users = joint.query_tower, tf.range(9)
    past = joint.timelines.recent(users, joint.timelines.ends_now(users), tower.history_length)
    before = tower(users, past).numpy()
    slower = tower(users, past._replace(gaps=past.gaps + 1)).numpy()
    assert np.abs(slower - before).max() > 1e-4


def test_a_later_model_may_begin_with_all_of_its_weights() -> None:
    joint = untrained(encoded(ROWS, movies=MOVIES), **ORDER)
    kept = {id(weight.variable) for weight in joint.query_tower.named_weights().values()}
    assert {id(weight) for weight in joint.query_tower.trainable_weights} == kept


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of attention_heads"):
        ModelConfig(query="sequence", embedding_size=5)
    timeless: list[Row] = [(user, movie, stars, None) for user, movie, stars, _ in ROWS]
    with pytest.raises(BadInput, match="need timestamps"):
        JointModel(encoded(timeless, movies=MOVIES), ModelConfig(**ORDER))

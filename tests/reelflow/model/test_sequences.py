"""Training on windows of timelines is training on their ratings, only at once."""

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
from reelflow.model.sequences import PAST, PAST_COUNT, PAST_END, WEIGHT, Windows
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Batches
from tests.encoded_data import encoded, random_rows

MOVIES = [f"m{i:02d}" for i in range(14)]
LENGTH = 5


def _data(whole: bool, times: int = 6) -> EncodedData:
    """Users of few and of many ratings, with many equal times."""
    rows = [row for row in random_rows(90, 3, times=times) if row[0] != "u3"]
    data = encoded([*rows, ("u3", "m02", 4.0, 2)], movies=MOVIES)
    return with_whole_histories(data) if whole else data


def _histories(windows: Windows, epochs: int) -> list[list[list[tuple[Any, ...]]]]:
    """Rows of each batch of each epoch: user, movie and the positions of its history."""
    found = []
    for _ in range(epochs):
        batches = []
        for index in range(len(windows)):
            batch, rows = windows[index], []
            for at in np.argwhere(batch[WEIGHT] > 0):
                end, count = (int(batch[name][tuple(at)]) for name in (PAST_END, PAST_COUNT))
                past = batch[PAST][at[0], end - count : end]
                columns = (int(batch[name][tuple(at)]) for name in (f.USER_INDEX, f.MOVIE_INDEX))
                rows.append((*columns, *past.tolist()))
            batches.append(rows)
        found.append(batches)
        windows.on_epoch_end()
    return found


@pytest.mark.parametrize("whole", [False, True], ids=["past", "whole"])
@pytest.mark.parametrize("times", [1, 2, 6, 10**6])
@pytest.mark.parametrize(("batch_size", "length"), [(24, 8), (7, 100), (1000, 3), (1000, 1000)])
def test_an_epoch_has_each_rating_once_with_its_own_history(
    whole: bool, times: int, batch_size: int, length: int
) -> None:
    data = _data(whole, times)
    train, offsets = data.train, data.offsets
    expected = sorted(
        (int(user), int(movie), *range(max(int(end) - LENGTH, int(offsets[user])), int(end)))
        for user, movie, end in zip(
            train.user_index, train.movie_index, train.history_end, strict=True
        )
    )
    windows = Windows(train, LENGTH, batch_size, length, seed=1)
    first, second, third = _histories(windows, 3)
    for epoch in (first, second, third):
        assert sorted(row for batch in epoch for row in batch) == expected
    assert first != second != third or len(windows) == 1
    assert _histories(Windows(train, LENGTH, batch_size, length, seed=1), 1) == [first]
    shapes = {name: {windows[i][name].shape for i in range(len(windows))} for name in windows[0]}
    assert all(len(found) == 1 for found in shapes.values())


def _joint(data: EncodedData, **config: Any) -> JointModel:
    keras.utils.set_random_seed(0)
    usual = {"embedding_size": 4, "history_length": LENGTH, "query_dropout": 0.0}
    joint = JointModel(data, ModelConfig(**{**usual, "rating_weight": 0.0, **config}))
    joint.query(tf.constant([0]), tf.constant([0], tf.int64))
    random = np.random.default_rng(0)
    for weight in joint.trainable_weights:
        weight.assign(random.normal(size=weight.shape))
    return joint


def _step(joint: JointModel, batches: keras.utils.Sequence) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients of the only batch."""
    (batch,) = ({k: tf.constant(v) for k, v in batches[i].items()} for i in range(len(batches)))
    with tf.GradientTape() as tape:
        loss = joint.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, joint.trainable_weights)
    return float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize("whole", [False, True], ids=["past", "whole"])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"query_bag": False},
        {"history_stars": False},
        {"query": "history"},
        {"query": "user_id"},
        {"mask_seen": False, "temperature": 0.5},
        {"query_layers": (6, 4), "candidate_layers": (4,), "tower_l2": 0.01},
        {"retrieval_reduction": "sum"},
        {"loss": "sampled_softmax"},
    ],
    ids=str,
)
def test_loss_and_gradients_are_those_of_the_ratings(
    config: dict[str, Any], whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(towers, "UNKNOWN_USER_RATE", 0.0)
    data = _data(whole)
    joint = _joint(data, **{"loss": "full_softmax", **config})
    length = joint.query_tower.history_length
    windows = Windows(data.train, length, 7 * (len(data.train) // 7 + 1), 7, seed=1)
    loss, gradients = _step(joint, windows)
    plain, plain_gradients = _step(joint, Batches(data.train, 1000, None))
    assert loss == pytest.approx(plain, rel=1e-5)
    for one, other in zip(gradients, plain_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)

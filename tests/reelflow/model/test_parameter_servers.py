"""Towers by parameter servers: processes of their own on the loopback, and what needs none."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.base.common import notices_to
from reelflow.base.errors import BadInput
from reelflow.config import Config, ModelConfig, TrainConfig
from reelflow.config.loading import load
from reelflow.model.fit import VALIDATION, fit
from reelflow.model.parameter_servers import launch
from reelflow.model.parameter_servers.files import read_part, write_part
from reelflow.model.steps import held_out_batches, steps_of
from reelflow.model.tasks import RETRIEVAL_LOSS, JointModel
from tests.distributed.verify import kill_some
from tests.encoded_data import checkerboard
from tests.reelflow.model.test_fit import assert_solved

MODEL = ModelConfig(embedding_size=8, query_bag=False, rating_weight=0.0, query_dropout=0.5)
TRAIN = TrainConfig(
    distribution="parameter_servers",
    optimizer="adagrad",
    learning_rate=0.5,
    epochs=10,
    batch_size=16,
    workers=1,
    servers=2,
    shard_bytes=64,
)


@pytest.mark.slow
def test_the_checkerboard_is_learned_though_a_server_is_lost(tmp_path: Path) -> None:
    board = checkerboard()
    data = board.data
    killer = threading.Thread(target=kill_some, args=(tmp_path, {"ps": 2}, sys.stdout), daemon=True)
    notices: list[str] = []
    killer.start()
    with notices_to(notices.append):
        joint, history = fit(data, MODEL, TRAIN, tmp_path)
    assert ["server was lost" in notice for notice in notices] == [True]
    assert_solved(board, joint)
    # The weights are those that the coordinator had read from the servers and judged.
    held_out = held_out_batches(data, TRAIN)
    loss = joint.evaluate(held_out, verbose=0, return_dict=True)[RETRIEVAL_LOSS]
    losses = history[VALIDATION + RETRIEVAL_LOSS]
    assert loss == pytest.approx(min(losses), abs=1e-5)
    assert joint.best_epochs[RETRIEVAL_LOSS] == 1 + int(np.argmin(losses))
    assert len(losses) == len(history[RETRIEVAL_LOSS]) == TRAIN.epochs
    assert not list(tmp_path.iterdir())


def test_a_step_by_rows_is_a_step_on_whole_tables() -> None:
    data = checkerboard().data
    losses, gradients = [], []
    for by_rows in (False, True):
        keras.utils.set_random_seed(1)
        joint = JointModel(data, MODEL.model_copy(update={"query_dropout": 0.0}), by_rows)
        joint.query_tower._hide_some = lambda users: users
        batch = steps_of(joint, data.train, TRAIN, RETRIEVAL_LOSS).batches[0]
        with tf.GradientTape() as tape:
            loss = joint.compute_loss(
                {name: tf.constant(column) for name, column in batch.items()}, training=True
            )
        weights = joint.trainable_variables
        losses.append(float(loss))
        gradients.append([tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for whole, rows in zip(*gradients, strict=True):
        np.testing.assert_allclose(whole, rows, atol=1e-7)


def test_batches_come_back_from_their_files(tmp_path: Path) -> None:
    joint = JointModel(checkerboard().data, MODEL)
    batches = steps_of(joint, checkerboard().data.train, TRAIN, RETRIEVAL_LOSS).batches
    chosen = [batches[0], batches[1]]
    write_part(tmp_path / "part", chosen)
    read = list(read_part(tf.constant(str(tmp_path / "part")), chosen[0]))
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    for there, here in zip(read, chosen, strict=True):
        assert list(there) == list(here)
        for name, column in here.items():
            np.testing.assert_array_equal(there[name], column)
            assert there[name].dtype.as_numpy_dtype == column.dtype


@pytest.mark.parametrize("text", ["", "[]", '{"cluster": {"worker": ["a:1"]}}'])
def test_a_cluster_without_servers_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="TF_CONFIG"):
        launch.checked(text)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.loss=full_softmax", "sampled_softmax"),
        ("model.query_bag=true", "query_bag"),
        ("model.query=sequence", "attention"),
        ("model.retrieval_weight=0", "retrieval_weight"),
        ("tuner.trials=3", "tune on one machine"),
    ],
)
def test_what_servers_cannot_train_is_refused(override: str, words: str) -> None:
    assert load(preset="parameter-servers").train.distribution == "parameter_servers"
    with pytest.raises(BadInput, match=words):
        load(overrides=[override], preset="parameter-servers")
    assert Config().train.distribution is None

"""Losses and ranks held against TensorFlow Recommenders' own, on the same small data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.config.loading import load
from reelflow.model.losses import in_batch_softmax
from reelflow.model.ranking import exact_ranks
from reelflow.model.rating.outputs import LikeOutput, MeanOutput
from reelflow.model.retrieval import TfrsRetrieval
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Batches
from tests.encoded_data import encoded, random_rows
from tests.reelflow.model.untrained import untrained

RANDOM = np.random.default_rng(0)
BATCH, MOVIES, SIZE = 40, 9, 4
QUERIES = RANDOM.normal(size=(BATCH, SIZE)).astype(np.float32)
CANDIDATES = RANDOM.normal(size=(MOVIES, SIZE)).astype(np.float32)
TARGETS = RANDOM.choice(MOVIES, BATCH).astype(np.int32)
SHARES = RANDOM.dirichlet(np.ones(MOVIES)).astype(np.float32)
NAMES = [f"m{i:02d}" for i in range(14)]
DATA = encoded(random_rows(60, 0), movies=NAMES)


@pytest.mark.parametrize("logq", [True, False])
def test_the_in_batch_softmax_is_that_of_tfrs(logq: bool) -> None:
    queries, table = tf.Variable(QUERIES), tf.Variable(CANDIDATES)
    theirs = tfrs.tasks.Retrieval(remove_accidental_hits=True)
    with tf.GradientTape(persistent=True) as tape:
        candidates = tf.gather(table, TARGETS)
        shares = tf.constant(SHARES) if logq else None
        found = in_batch_softmax(queries, candidates, TARGETS, shares)
        expected = theirs(
            queries,
            candidates,
            candidate_ids=TARGETS,
            candidate_sampling_probability=tf.gather(SHARES, TARGETS) if logq else None,
        )
        expected /= BATCH
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    for variable in (queries, table):
        gradients = (tf.convert_to_tensor(tape.gradient(x, variable)) for x in (found, expected))
        np.testing.assert_allclose(*gradients, atol=1e-6)


def test_without_repeated_movies_it_is_the_tutorials_task() -> None:
    """The tutorials leave accidental hits in, which are other copies of the target."""
    targets = np.arange(MOVIES, dtype=np.int32)
    queries = QUERIES[:MOVIES]
    expected = tfrs.tasks.Retrieval()(tf.constant(queries), tf.constant(CANDIDATES)) / MOVIES
    found = in_batch_softmax(queries, CANDIDATES, targets, None)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def _loss(**config: Any) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients of a training step as Keras runs it."""
    joint = untrained(DATA, rating_weight=0, query_dropout=0.0, query="user_id", **config)
    batch = {k: tf.constant(v) for k, v in Batches(DATA.train, 1000, None)[0].items()}

    @tf.function(autograph=False)
    def step() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = joint.compute_loss(batch, training=True)
        gradients = tape.gradient(loss, joint.trainable_variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    loss, gradients = step()
    return float(loss), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("logq", [True, False])
def test_both_names_of_the_loss_train_alike(logq: bool, reduction: str) -> None:
    options = {"logq": logq, "retrieval_reduction": reduction, "temperature": 0.7}
    ours, theirs = (_loss(loss=name, **options) for name in ("in_batch_softmax", "tfrs_retrieval"))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    for found, expected in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_tutorials_presets_train_by_tfrs() -> None:
    for name in ("retrieval-basic", "retrieval-only", "joint-basic", "two-tower-deep"):
        assert load(preset=name).model.loss == "tfrs_retrieval"
    joint = JointModel(DATA, ModelConfig(loss="tfrs_retrieval"))
    loss = joint._retrieval_task._loss
    assert isinstance(loss, TfrsRetrieval)
    assert isinstance(loss._task, tfrs.tasks.Retrieval)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_raw_ranks_give_the_accuracy_of_factorized_top_k(k: int) -> None:
    joint = untrained(DATA, rating_weight=0)
    rows = {key: tf.constant(value) for key, value in Batches(DATA.train, 1000, None)[0].items()}
    targets = rows[f.MOVIE_INDEX]
    queries = joint.query(rows[f.USER_INDEX], rows[f.HISTORY_END])
    candidates = joint.candidate_tower.catalogue()
    scores = tf.matmul(queries, candidates, transpose_b=True)
    raw, _ = exact_ranks(scores, targets, tf.zeros([0, 2], tf.int32))
    # By ids: scores of the same pair from two products differ in their last digits.
    movies = tf.data.Dataset.from_tensor_slices((tf.range(len(NAMES)), candidates)).batch(4)
    metric = tfrs.metrics.FactorizedTopK(movies, ks=[k])
    of_targets = tf.gather(candidates, targets)
    metric.update_state(queries, of_targets, true_candidate_ids=targets)
    assert float(np.mean(raw <= k)) == pytest.approx(float(metric.result()[0]))


def test_the_squared_error_is_that_of_tfrs() -> None:
    ratings = np.array([1.0, 2.0, 4.0, 5.0], np.float32)
    output, utilities = MeanOutput(ratings), np.array([-0.5, 0.1, 0.3, 2.0], np.float32)
    stars = output.stars(tf.constant(utilities)).numpy()
    task = tfrs.tasks.Ranking(loss=keras.losses.MeanSquaredError())
    expected = float(task(labels=ratings, predictions=stars)) / ratings.var()
    assert float(output.loss(utilities, ratings)) == pytest.approx(expected, rel=1e-5)


def test_the_cross_entropy_is_that_of_tfrs() -> None:
    ratings = np.array([1.0, 2.0, 4.0, 5.0], np.float32)
    utilities = np.array([-0.5, 0.1, 0.3, 2.0], np.float32)
    output = LikeOutput(ratings, like_threshold=4.0)
    expected = tfrs.tasks.Ranking()(labels=ratings >= 4, predictions=output.likes(utilities))
    assert float(output.loss(utilities, ratings)) == pytest.approx(float(expected), rel=1e-4)

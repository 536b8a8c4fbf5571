"""Losses against the formula in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model import losses
from reelflow.model.losses import (
    bayesian_personalised_ranking,
    draw_negatives,
    draw_once,
    full_softmax,
    in_batch_softmax,
)
from reelflow.model.retrieval import odds

RANDOM = np.random.default_rng(0)
BATCH, MOVIES, SIZE = 6, 9, 4
QUERIES = RANDOM.normal(size=(BATCH, SIZE)).astype(np.float32)
CANDIDATES = RANDOM.normal(size=(MOVIES, SIZE)).astype(np.float32)
TARGETS = np.array([0, 3, 3, 8, 1, 0], np.int32)
# Row 0 has seen its target as well, row 1 has seen a movie twice, row 5 nothing.
SEEN = np.array([[0, 0], [0, 5], [1, 4], [1, 4], [2, 1], [3, 0], [4, 2]], np.int32)


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    logits = logits.astype(np.float64)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    return float(np.mean(log_sums - logits[np.arange(len(targets)), targets]))


def _seen(rows: np.ndarray | None) -> tf.Tensor:
    return tf.constant(np.zeros([0, 2], np.int32) if rows is None else rows)


def _plain(queries: tf.Tensor, candidates: tf.Tensor, out: np.ndarray) -> tf.Tensor:
    """The formula, with TensorFlow's own gradient."""
    logits = tf.where(out, -1e9, tf.matmul(queries, candidates, transpose_b=True))
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits)
    return tf.reduce_mean(each)


def _left_out(seen: np.ndarray | None) -> np.ndarray:
    out = np.zeros([BATCH, MOVIES], bool)
    if seen is not None:
        out[seen[:, 0], seen[:, 1]] = True
    out[np.arange(BATCH), TARGETS] = False
    return out


@pytest.mark.parametrize("seen", [None, SEEN], ids=["unmasked", "masked"])
def test_full_softmax(seen: np.ndarray | None) -> None:
    loss = full_softmax(*map(tf.constant, (QUERIES, CANDIDATES, TARGETS)), _seen(seen))
    logits = np.where(_left_out(seen), -np.inf, QUERIES @ CANDIDATES.T)
    assert float(loss) == pytest.approx(_cross_entropy(logits, TARGETS), rel=1e-5)


def test_products_in_bfloat16_are_close() -> None:
    tensors = [tf.constant(values) for values in (QUERIES, CANDIDATES)]
    found = []
    for products in (tf.float32, tf.bfloat16):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = full_softmax(*tensors, tf.constant(TARGETS), _seen(SEEN), products=products)
        found.append([loss, *tape.gradient(loss, tensors)])
    for exact, close in zip(*found, strict=True):
        assert close.dtype == tf.float32
        np.testing.assert_allclose(close, exact, atol=0.02)
        assert not np.array_equal(close, exact)


@pytest.mark.parametrize("seen", [None, SEEN], ids=["unmasked", "masked"])
def test_gradients_of_the_full_softmax(seen: np.ndarray | None) -> None:
    queries, candidates = tf.Variable(QUERIES), tf.Variable(CANDIDATES)
    with tf.GradientTape(persistent=True) as tape:
        # Weighted, as the joint loss weighs it.
        loss = 0.3 * full_softmax(queries, candidates, tf.constant(TARGETS), _seen(seen))
        plain = 0.3 * _plain(queries, candidates, _left_out(seen))
    for variable in (queries, candidates):
        found, expected = (tf.convert_to_tensor(tape.gradient(x, variable)) for x in (loss, plain))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_seen_movies_may_be_a_table() -> None:
    table = np.zeros([BATCH, MOVIES], bool)
    table[SEEN[:, 0], SEEN[:, 1]] = True
    arguments = [tf.constant(x) for x in (QUERIES, CANDIDATES, TARGETS)]
    by_table, by_cells = (full_softmax(*arguments, tf.constant(x)) for x in (table, SEEN))
    assert float(by_table) == pytest.approx(float(by_cells), rel=1e-6)


def test_full_softmax_of_large_scores() -> None:
    arguments = [tf.constant(x) for x in (1e3 * QUERIES, CANDIDATES, TARGETS)]
    logits = (1e3 * QUERIES @ CANDIDATES.T).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    expected = _cross_entropy(logits, TARGETS)
    assert float(full_softmax(*arguments, _seen(None))) == pytest.approx(expected, rel=1e-4)


def test_seen_movies_get_no_gradient() -> None:
    candidates = tf.Variable(CANDIDATES)
    with tf.GradientTape() as tape:
        target = tf.constant(TARGETS[:1])
        loss = full_softmax(tf.constant(QUERIES[:1]), candidates, target, _seen(SEEN[:2]))
    gradient = tf.convert_to_tensor(tape.gradient(loss, candidates)).numpy()
    assert np.abs(gradient).any(axis=1).tolist() == [movie != 5 for movie in range(MOVIES)]


@pytest.mark.parametrize("logq", [True, False])
def test_in_batch_softmax(logq: bool) -> None:
    shares = RANDOM.dirichlet(np.ones(MOVIES)).astype(np.float32)
    logits = QUERIES @ CANDIDATES[TARGETS].T - logq * np.log(shares[TARGETS])[None, :]
    for i in range(BATCH):
        for j in range(BATCH):
            if i != j and TARGETS[i] == TARGETS[j]:  # an accidental hit is not a negative
                logits[i, j] = -np.inf
    probabilities = tf.constant(shares) if logq else None
    loss = in_batch_softmax(QUERIES, CANDIDATES[TARGETS], tf.constant(TARGETS), probabilities)
    assert float(loss) == pytest.approx(_cross_entropy(logits, np.arange(BATCH)), rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e8])
def test_scores_of_a_training_that_diverges_have_a_loss(scale: float) -> None:
    """Of targets far ahead of all others, whose scores are only nearly the same in two products."""
    table = scale * RANDOM.normal(size=(MOVIES, 100)).astype(np.float32)
    candidates, targets = tf.constant(table), tf.constant(TARGETS)
    queries = tf.gather(candidates, targets)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(queries)
        full = full_softmax(queries, candidates, targets, _seen(None))
        in_batch = in_batch_softmax(queries, tf.gather(candidates, targets), targets, None)
    for loss in (full, in_batch):
        assert 0.0 <= float(loss) < 1.0
        assert np.isfinite(tf.convert_to_tensor(tape.gradient(loss, queries)).numpy()).all()


@pytest.mark.parametrize("rows", [1, 4, 6, 7])
def test_in_batch_softmax_by_blocks_of_rows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, candidates = (tf.constant(array) for array in (QUERIES, CANDIDATES[TARGETS]))

    def found() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            loss = in_batch_softmax(queries, candidates, tf.constant(TARGETS), None)
        return [loss, *tape.gradient(loss, [queries, candidates])]

    at_once = found()
    monkeypatch.setattr(losses, "BLOCK", rows * len(set(TARGETS.tolist())))
    for whole, by_blocks in zip(at_once, found(), strict=True):
        np.testing.assert_allclose(by_blocks, whole, rtol=1e-5, atol=1e-7)


def test_logq_makes_the_sampled_softmax_unbiased() -> None:
    """The mean of the corrected softmax over many batches comes close to the full one."""
    shares = np.array([0.7, 0.2, 0.05, 0.05], np.float32)
    scores = np.log(np.array([0.25, 0.25, 0.25, 0.25])).astype(np.float32)[:, None]
    query, movies = np.ones([1024, 1], np.float32), RANDOM.choice(4, 1024, p=shares)
    movies = movies.astype(np.int32)

    def gain(logq: bool) -> float:
        """By how much the frequent movie's score should fall: its gradient."""
        candidates = tf.Variable(scores)
        with tf.GradientTape() as tape:
            # Each row has a movie of its own, so that none counts as an accidental hit.
            probabilities = tf.constant(shares[movies]) if logq else None
            targets = tf.gather(candidates, movies)
            loss = in_batch_softmax(tf.constant(query), targets, tf.range(1024), probabilities)
        return float(tf.convert_to_tensor(tape.gradient(loss, candidates))[0, 0])

    frequent = float(np.mean(movies == 0))
    # The full softmax's gradient is (probability by the model - share of the targets).
    assert gain(logq=True) == pytest.approx(0.25 - frequent, abs=0.02)
    assert gain(logq=False) == pytest.approx(0.0, abs=0.02)


def test_bpr_is_the_log_likelihood_of_the_pairs_that_count() -> None:
    targets = np.array([1.0, -0.5], np.float32)
    negatives = np.array([[0.0, 2.0], [1.0, 7.0]], np.float32)
    weights = np.array([[1, 1], [1, 0]], np.float32)
    likelihoods = [1 / (1 + np.exp(-x)) for x in (1.0, -1.0, -1.5)]
    found = bayesian_personalised_ranking(targets, negatives, weights)
    assert float(found) == pytest.approx(-np.mean(np.log(likelihoods)), rel=1e-5)


def test_bpr_without_negatives_is_0() -> None:
    nothing = np.zeros([2, 1], np.float32)
    assert float(bayesian_personalised_ranking(np.ones(2, np.float32), nothing, nothing)) == 0


def test_negatives_are_drawn_as_often_as_asked() -> None:
    tf.random.set_seed(0)
    wanted = np.array([0.5, 0.0, 0.3, 0.2], np.float32)
    drawn = draw_negatives(tf.constant(wanted), tf.constant(2000), 5).numpy()
    assert drawn.shape == (2000, 5)
    shares = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    np.testing.assert_allclose(shares, wanted, atol=0.02)


def test_movies_are_drawn_once_and_as_often_as_their_odds() -> None:
    shares = np.array([0.7, 0.1, 0.1, 0.05, 0.03, 0.01, 0.01])
    chances = odds(shares, 4)
    assert chances.sum() == pytest.approx(4)
    assert chances[0] == 1.0 == chances.max()
    tf.random.set_seed(0)
    drawn = [draw_once(tf.constant(np.cumsum(chances)), 4).numpy() for _ in range(2000)]
    assert all(len(set(movies)) == 4 for movies in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=7) / 2000
    np.testing.assert_allclose(counts, chances, atol=0.04)
    # As often as wanted where nothing is certain: half evenly, half by popularity.
    even = np.full(10, 0.1)
    np.testing.assert_allclose(odds(even, 3), 0.3)

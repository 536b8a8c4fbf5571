"""The optimizers against Keras's own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.config import TrainConfig
from reelflow.model import layers
from reelflow.model.optimizers import TableAdam, free, optimizer
from reelflow.model.steps import OneCycle, falling


def test_values_are_those_of_keras() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=(6, 3)).astype(np.float32)
    rows = random.integers(6, size=(20, 4))  # with repetitions, and never all rows
    goals = random.normal(size=(20, 4, 3)).astype(np.float32)
    found = []
    for stepper in (TableAdam(0.1), keras.optimizers.Adam(0.1)):
        table, bias = tf.Variable(start), tf.Variable(np.zeros(3, np.float32))
        for step in range(20):
            with tf.GradientTape() as tape:
                errors = tf.gather(table, rows[step]) + bias - goals[step]
                loss = tf.reduce_sum(tf.square(errors))
            gradients = tape.gradient(loss, [table, bias])
            assert isinstance(gradients[0], tf.IndexedSlices)
            stepper.apply_gradients(zip(gradients, [table, bias], strict=True))
        found.append((table.numpy(), bias.numpy()))
    for ours, keras_own in zip(*found, strict=True):
        np.testing.assert_allclose(ours, keras_own, atol=1e-5)


def test_rows_of_large_tables_move_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row moves as if the steps in which it has no gradient had only made the step size so."""
    monkeypatch.setattr(layers, "LARGE", 0)
    random = np.random.default_rng(0)
    start = random.normal(size=(4, 3)).astype(np.float32)
    steps = [{0, 1}, {0}, {0, 2}, {1, 2}]
    gradients = random.normal(size=(4, 4, 3)).astype(np.float32)
    table, stepper = tf.Variable(start), TableAdam(0.1)
    for rows, values in zip(steps, gradients, strict=True):
        places = [*rows, *rows]  # each twice
        slices = tf.IndexedSlices(values[places] / 2, tf.constant(places), tf.constant([4, 3]))
        stepper.apply_gradients([(slices, table)])
    for row in range(4):
        value, first, second = start[row].copy(), 0.0, 0.0
        for number, (rows, values) in enumerate(zip(steps, gradients, strict=True), start=1):
            if row in rows:
                first = 0.9 * first + 0.1 * values[row]
                second = 0.999 * second + 0.001 * values[row] ** 2
                rate = 0.1 * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
                value -= rate * first / (np.sqrt(second) + 1e-7)
        np.testing.assert_allclose(table[row], value, atol=1e-5)


def test_the_configuration_chooses() -> None:
    assert isinstance(optimizer(TrainConfig(), 0.003), TableAdam)
    adagrad = optimizer(TrainConfig(optimizer="adagrad"), 0.25)
    weight = tf.Variable([0.0, 0.0])
    adagrad.apply_gradients([(tf.constant([3.0, 0.0]), weight)])
    # Adagrad's first step: the rate times g / sqrt(initial accumulator + g^2).
    np.testing.assert_allclose(weight, [-0.25 * 3 / np.sqrt(9.1), 0], rtol=1e-5)


def test_the_rating_tasks_rate_falls_after_each_epoch() -> None:
    rate = falling(0.08, 0.5, steps=10)
    found = [float(rate(step)) for step in (0, 9, 10, 19, 20)]
    np.testing.assert_allclose(found, [0.08, 0.08, 0.04, 0.04, 0.02], rtol=1e-6)


def test_an_optimizer_follows_the_rate() -> None:
    for name in ("adam", "adagrad"):
        stepper = optimizer(TrainConfig(optimizer=name), falling(1.0, 0.01, steps=1))
        weight = tf.Variable([0.0])
        moved = []
        for _ in range(2):
            before = weight.numpy()
            stepper.apply_gradients([(tf.constant([1.0]), weight)])
            moved.append(abs(float((weight - before)[0])))
        assert moved[1] < moved[0] / 50, name


def test_one_cycle_rises_and_falls_to_nothing() -> None:
    rate = OneCycle(0.4, steps=100)
    found = [float(rate(tf.constant(step, tf.int64))) for step in range(100)]
    assert found[0] == pytest.approx(0.04, rel=0.2)
    assert max(found) == pytest.approx(0.4, rel=0.05)
    assert found.index(max(found)) in (24, 25)
    assert found[99] < 0.4 / 1000
    assert found[:25] == sorted(found[:25])
    assert found[25:] == sorted(found[25:], reverse=True)
    later = OneCycle(0.4, steps=100, done=60)
    assert [float(later(tf.constant(step, tf.int64))) for step in range(40)] == found[60:]


def test_steps_and_epochs_unless_the_configuration_says() -> None:
    plain, told = TrainConfig(), TrainConfig(epochs=3, batch_size=7)
    assert [plain.most_epochs(cycle) for cycle in (True, False)] == [6, 20]
    assert told.most_epochs(True) == told.most_epochs(False) == 3
    ratings = (10, 100_000, 1_000_000, 10**8)
    assert [plain.ratings_per_step(n, True) for n in ratings] == [64, 1012, 3200, 4096]
    assert plain.ratings_per_step(10, False) == 1024
    assert told.ratings_per_step(10**6, True) == told.ratings_per_step(10, False) == 7


def test_a_rating_step_grows_with_the_ratings_and_its_size_with_the_root() -> None:
    plain = TrainConfig(rating_learning_rate=0.002)
    assert plain.rating_step(10) == plain.rating_step(102_400) == (1024, 0.002)
    assert plain.rating_step(409_600) == (4096, pytest.approx(0.004))
    assert plain.rating_step(10**8)[0] == 8192
    assert TrainConfig(batch_size=7, rating_learning_rate=0.1).rating_step(10**8) == (7, 0.1)


def test_moments_are_freed() -> None:
    """The table stays; what Keras's traced steps go on holding has no rows any more."""
    table, stepper = tf.Variable(tf.ones([4, 2])), TableAdam(0.1)
    stepper.apply_gradients([(tf.ones([4, 2]), table)])
    learned = table.numpy()
    moments = [stepper.get_slot(table, name) for name in ("m", "v")]
    free(stepper)
    assert [one.read_value().shape for one in moments] == [(0,), (0,)]
    np.testing.assert_array_equal(table, learned)

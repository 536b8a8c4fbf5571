"""Ragged ranges and bags against loops over their rows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model import layers
from reelflow.model.layers import Bags, ranges


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ([], []),
        ([3], [3]),
        ([3], [5]),
        ([0, 2, 2, 7, 1], [2, 2, 5, 7, 4]),
        ([5, 0, 4], [5, 0, 4]),
        ([5, 0, 4], [5, 1, 4]),
    ],
)
def test_ranges_of_all_rows(starts: list[int], ends: list[int]) -> None:
    rows, positions = ranges(tf.constant(starts, tf.int64), tf.constant(ends, tf.int64))
    expected = [
        (row, at)
        for row, (start, end) in enumerate(zip(starts, ends, strict=True))
        for at in range(start, end)
    ]
    assert list(zip(rows.numpy().tolist(), positions.numpy().tolist(), strict=True)) == expected


RANDOM = np.random.default_rng(0)
OWNERS, MEMBERS, SIZE = 6, 5, 3
# Owner 5 has none; owner 0 has each of its members twice.
PAIRS = [(0, 1), (0, 2), (1, 3), (2, 0), (2, 1), (2, 4), (3, 2), (4, 4), (0, 2), (0, 1)]
EMBEDDINGS = RANDOM.normal(size=(MEMBERS, SIZE)).astype(np.float32)


def _bags(pairs: list[tuple[int, int]]) -> Bags:
    owners, members = np.array(pairs, np.int32).T
    order = RANDOM.permutation(len(pairs))
    return Bags(owners[order], members[order], OWNERS)


def _by_hand(pairs: list[tuple[int, int]], owner: int) -> np.ndarray:
    inside = [EMBEDDINGS[m] for o, m in pairs if o == owner]
    return np.sum(inside, axis=0) / np.sqrt(len(inside)) if inside else np.zeros(SIZE)


def test_sums_over_the_root_of_the_number() -> None:
    owners = [2, 0, 5, 2, 1, 3, 4]
    found = _bags(PAIRS).sums(tf.constant(owners), tf.constant(EMBEDDINGS))
    np.testing.assert_allclose(found, [_by_hand(PAIRS, o) for o in owners], rtol=1e-5)


def test_the_gradient_of_a_large_table_has_the_rows_of_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same values, but no row that has no part in them."""
    table, gradients = tf.Variable(EMBEDDINGS), []
    for large in (layers.LARGE, 0):
        monkeypatch.setattr(layers, "LARGE", large)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(_bags(PAIRS).sums(tf.constant([0, 5, 0]), table)))
        gradients.append(tape.gradient(loss, table))
    whole, some = gradients
    assert isinstance(some, tf.IndexedSlices)
    assert {0, *some.indices.numpy()} == {0, 1, 2}
    np.testing.assert_allclose(tf.convert_to_tensor(some), whole, rtol=1e-5)


@pytest.mark.parametrize("left_out", PAIRS)
def test_without_a_member_is_as_if_it_had_never_been(left_out: tuple[int, int]) -> None:
    owner, member = left_out
    rest = [pair for pair in PAIRS if pair != left_out]  # both copies, if it is there twice
    arguments = tf.constant([owner]), tf.constant(EMBEDDINGS)
    found = _bags(PAIRS).sums(*arguments, without=tf.constant([member]))
    np.testing.assert_allclose(found, [_by_hand(rest, owner)], atol=1e-6)
    np.testing.assert_allclose(found, _bags(rest).sums(*arguments), atol=1e-6)


def test_gradients_reach_the_members_and_nobody_else() -> None:
    embeddings = tf.Variable(EMBEDDINGS)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(_bags(PAIRS).sums(tf.constant([2, 3]), embeddings))
    gradient = tf.convert_to_tensor(tape.gradient(total, embeddings)).numpy()
    expected = np.array([1, 1, 0, 0, 1]) / np.sqrt(3) + np.array([0, 0, 1, 0, 0])
    np.testing.assert_allclose(gradient, np.repeat(expected[:, None], SIZE, 1), rtol=1e-5)


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_no_bag_is_larger_than_asked(most: int) -> None:
    pairs = [(0, m) for m in range(5)] + [(1, 2), (1, 3), (2, 4)]
    owners, members = np.array(pairs, np.int32).T
    bags = Bags(owners, members, 3, most)
    unit = tf.eye(5)
    sizes = tf.reduce_sum(tf.cast(bags.sums(tf.range(3), unit) > 0, tf.int32), axis=1)
    assert sizes.numpy().tolist() == [min(most, n) for n in (5, 2, 1)]
    # A member that was not drawn is not there to be left out.
    for owner, member in pairs:
        whole = bags.sums(tf.constant([owner]), unit)[0].numpy()
        rest = bags.sums(tf.constant([owner]), unit, without=tf.constant([member]))[0].numpy()
        drawn = set(np.flatnonzero(whole).tolist())
        assert set(np.flatnonzero(rest).tolist()) == drawn - {member}
        np.testing.assert_allclose(np.sum(rest**2), 1.0 if drawn - {member} else 0.0, rtol=1e-5)


def test_bags_without_members_have_a_gradient_of_zeros() -> None:
    bags = Bags(np.array([0, 1], np.int32), np.array([3, 4], np.int32), 2, most=0)
    for size in (8, 512, 4096):  # TensorFlow's own gradient of nothing is uninitialised memory
        embeddings = tf.Variable(tf.fill([5, size], 1.0))
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(bags.sums(tf.constant([0, 1]), embeddings))
        gradient = tf.convert_to_tensor(tape.gradient(total, embeddings))
        np.testing.assert_array_equal(gradient, np.zeros([5, size], np.float32))

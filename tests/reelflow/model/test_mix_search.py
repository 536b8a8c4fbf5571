"""The search on the simplex, on made-up scores whose best mixture is known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model.mix_search import (
    MixSearch,
    choose_mix,
    is_as_good,
    ranking_gains,
)
from reelflow.model.ranking import exact_ranks, standardised
from reelflow.model.terms import Asked, Term
from tests.reelflow.model.test_items import asked_of

QUERIES, MOVIES, ROWS = 40, 60, 130
RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.integers(0, MOVIES, ROWS).astype(np.int32)
QUERY = np.sort(RANDOM.integers(0, QUERIES, ROWS)).astype(np.int32)
SEEN = np.argwhere(RANDOM.random((QUERIES, MOVIES)) < 0.2).astype(np.int32)
TRUTH = np.zeros((QUERIES, MOVIES), np.float32)
TRUTH[QUERY, TARGETS] = 1.0


class _Fixed(Term):
    """Scores that are given."""

    def __init__(self, scores: np.ndarray) -> None:
        super().__init__()
        self._scores = tf.constant(scores, tf.float32)

    def scores(self, asked: Asked) -> tf.Tensor:
        return tf.gather(self._scores, asked.users)


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=TRUTH.shape).astype(np.float32)


def _search(**terms: np.ndarray) -> MixSearch:
    block = (
        asked_of(QUERIES, []),
        SEEN,
        QUERY,
        TARGETS,
    )
    search = MixSearch([block])
    for name, scores in terms.items():
        search.add(name, _Fixed(scores))
    return search


def test_ranks_are_the_exact_ones_of_the_weighted_sum() -> None:
    one, other = TRUTH + _noise(1), TRUTH + _noise(2)
    search = _search(one=one, other=other)
    [(_, found)] = search.ranked([{"one": 0.3, "other": 0.7}])
    whole = 0.3 * standardised(tf.constant(one))[0] + 0.7 * standardised(tf.constant(other))[0]
    starts = np.searchsorted(SEEN[:, 0], np.arange(QUERIES + 1))
    cells = [
        (row, movie)
        for row, query in enumerate(QUERY)
        for movie in SEEN[starts[query] : starts[query + 1], 1]
    ]
    _, expected = exact_ranks(
        tf.gather(whole, QUERY), tf.constant(TARGETS), tf.constant(cells, tf.int32)
    )
    np.testing.assert_array_equal(found, expected.numpy())
    alone, gain = search.try_out(_Fixed(one))
    np.testing.assert_array_equal(alone, search.ranked([{"one": 1.0}])[0][1])
    assert gain >= ranking_gains(alone).mean()


def test_two_noisy_views_of_the_truth_are_mixed_and_noise_is_left_out() -> None:
    search = _search(one=2 * TRUTH + _noise(1), noise=_noise(3), other=2 * TRUTH + _noise(2))
    tried = search.tried(["one", "noise", "other"])
    chosen = choose_mix(tried, QUERY)
    assert chosen["noise"] == 0.0
    assert 0.2 <= chosen["one"] <= 0.8
    assert sum(chosen.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("count", range(1, 6))
def test_every_mixture_that_is_tried_is_on_the_simplex(count: int) -> None:
    names = [f"t{i}" for i in range(count)]
    tried = _search(**{name: TRUTH + _noise(i) for i, name in enumerate(names)}).tried(names)
    mixes = [tuple(round(mix[name], 4) for name in names) for mix, _ in tried]
    assert len({*mixes}) == len(mixes) <= 120
    for name in names:
        assert {one: float(one == name) for one in names} in [dict(mix) for mix, _ in tried]
    for mix in mixes:
        assert sum(mix) == pytest.approx(1.0, abs=1e-3)
        assert min(mix) >= 0


def test_a_term_that_adds_nothing_is_left_out() -> None:
    """The copy of a term is as good as the term, and together they are no better."""
    one = TRUTH + _noise(1)
    tried = _search(one=one, copy=one).tried(["one", "copy"])
    assert sorted(choose_mix(tried, QUERY).values()) == [0.0, 1.0]


def test_gains_are_those_of_ndcg() -> None:
    ranks = np.array([1, 3, 10, 11], np.int32)
    np.testing.assert_allclose(ranking_gains(ranks)[:2], [1.0, 0.5])
    np.testing.assert_allclose(ranking_gains(ranks, 10)[2:], [1 / np.log2(11), 0.0])


def test_a_smaller_weight_is_as_good_within_one_standard_error_by_user() -> None:
    users = np.repeat(np.arange(50, dtype=np.int32), 2)
    random = np.random.default_rng(0)
    gains = random.random(100)
    assert is_as_good(gains, gains, users)
    assert not is_as_good(gains, gains + 0.1, users)
    # One user of fifty that gains: its lead is one standard error.
    of_one = gains + np.where(users == 0, 1.0, 0.0)
    assert is_as_good(gains, of_one - 0.001, users)
    assert not is_as_good(gains, of_one - 0.001, users, 0.25)
    # The same lead, spread over all users, is many.
    assert not is_as_good(gains, gains + 0.02, users)

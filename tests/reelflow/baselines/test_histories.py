"""Histories in order of time."""

from __future__ import annotations

import numpy as np

from reelflow.baselines.histories import most_rated, sequences, weighted_histories
from tests.encoded_data import Row, encoded

ROWS: list[Row] = [("u", movie, 3.0, at) for at, movie in enumerate("abcadb")]
DATA = encoded([*ROWS, ("v", "a", 1.0, 3)], movies=list("abcde"))


def test_sequences_begin_with_the_newest_and_have_each_movie_once() -> None:
    own, other, unknown = sequences(DATA, np.array([0, 1, 3], np.int32), 500)
    assert own.tolist() == [2, 1, 0]  # d, b and a, each at its first time; c takes no part
    assert other.tolist() == [0]
    assert unknown.tolist() == []
    assert sequences(DATA, np.arange(5, dtype=np.int32), 2)[0].tolist() == [3, 2]


def test_histories_are_weighed_by_the_ratings_since() -> None:
    found = weighted_histories(DATA, lambda ages: 1.0 + ages).toarray()
    np.testing.assert_array_equal(found, [[6, 5, 4, 2, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


def test_most_rated_leaves_out_what_nobody_has_rated() -> None:
    assert most_rated(DATA, 2).tolist() == [0, 1]
    assert most_rated(DATA, 9).tolist() == [0, 1, 2, 3]

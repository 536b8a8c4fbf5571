"""What models and baselines say of test rows: by their own ids, in blocks, in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf

from reelflow.baselines import Popularity
from reelflow.evaluation import predictions
from reelflow.evaluation.predictions import TestRows, ask_baseline, ask_model, train_counts
from reelflow.model.ranking import exact_ranks
from tests.encoded_data import Row, encoded

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

TRAIN: list[Row] = [
    ("a", "m0", 5.0, 1), ("b", "m0", 4.0, 1), ("c", "m0", 3.0, 1),
    ("a", "m1", 2.0, 2), ("b", "m1", 1.0, 2),
    ("c", "m2", 3.0, 2),
]  # fmt: skip
TEST: list[Row] = [
    ("a", "m2", 4.0, 3), ("a", "m0", 4.0, 3), ("d", "m1", 4.0, 3), ("c", "lost", 4.0, 3),
    ("b", "m3", 4.0, 3),
]  # fmt: skip
DATA = encoded(TRAIN, test=TEST, movies=["m0", "m1", "m2", "m3"])


def _rows() -> TestRows:
    ids = np.array([row[:2] for row in TEST], object)
    return TestRows(ids[:, 0], ids[:, 1], DATA.test)


@pytest.mark.parametrize("cells", [1, 9, 1 << 24])
def test_ranks_of_popularity_by_hand(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "BLOCK_CELLS", cells)
    baseline = Popularity()
    baseline.fit(DATA)
    found = ask_baseline(baseline, _rows(), DATA)
    # By ratings: m0 3, m1 2, m2 1, m3 0; an unknown movie is behind all four.
    assert found.rank_raw.tolist() == [3, 1, 2, 5, 4]
    # a has seen m0 and m1; d nothing; b m0 and m1.
    assert found.rank_unseen.tolist() == [1, 1, 2, 5, 2]
    users, movies = DATA.test.user_index, DATA.test.movie_index
    np.testing.assert_array_equal(found.stars, baseline.stars(users, movies))


def test_counts_of_users_and_movies() -> None:
    users, movies = train_counts(DATA, _rows())
    assert users.tolist() == [2, 2, 0, 2, 2]
    assert movies.tolist() == [1, 3, 2, 0, 0]


@pytest.mark.parametrize("cells", [100, 1 << 24])
def test_the_saved_model_answers_as_the_trained_one(
    model: Trained, saved_model: Path, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "BLOCK_CELLS", cells)
    rows = model.board.test
    ids = np.array([row[:2] for row in rows], object)
    found = ask_model(saved_model, TestRows(ids[:, 0], ids[:, 1], model.data.test), 20)
    test, joint = model.data.test, model.joint
    users = tf.constant(test.user_index)
    queries = joint.query(users, tf.constant(test.history_end))
    scores = tf.matmul(queries, joint.candidate_tower.catalogue(), transpose_b=True)
    raw, unseen = exact_ranks(scores, tf.constant(test.movie_index), joint.timelines.seen(users))
    np.testing.assert_array_equal(found.rank_raw, raw)
    np.testing.assert_array_equal(found.rank_unseen, unseen)
    stars = joint.rating_model(users, tf.constant(test.movie_index), tf.constant(test.timestamp))
    np.testing.assert_allclose(found.stars, np.clip(stars, 2, 5), rtol=1e-4)


def test_rows_are_taken_together() -> None:
    taken = _rows().take(np.array([4, 0]))
    assert taken.user_id.tolist() == ["b", "a"]
    assert taken.movie_id.tolist() == ["m3", "m2"]
    assert taken.encoded.movie_index.tolist() == [3, 2]
    assert len(taken) == 2

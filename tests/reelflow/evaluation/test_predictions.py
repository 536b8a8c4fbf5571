"""Predictions and recommendations of models, baselines and champions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.baselines import Popularity
from reelflow.config import GateConfig
from reelflow.evaluation import predictions
from reelflow.evaluation.comparison import compare
from reelflow.evaluation.predictions import (
    NotComparable,
    TestRows,
    baseline_predictions,
    baseline_recommendations,
    champion_predictions,
    model_predictions,
    model_recommendations,
    train_counts,
)
from reelflow.model.ranking import exact_ranks
from reelflow.saved_model.client import Signatures
from tests import tiny_model
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
    found = baseline_predictions(baseline, _rows(), DATA)
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
    found = model_predictions(
        Signatures.load(saved_model), TestRows(ids[:, 0], ids[:, 1], model.data.test), 20
    )
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


@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_popular_movies_that_a_user_has_not_seen(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "BLOCK_CELLS", cells)
    rows = [("a", "m0", 5.0, 1), ("b", "m0", 4.0, 1), ("a", "m1", 2.0, 2), ("c", "m2", 3.0, 2)]
    data = encoded([*rows, ("c", "m0", 3.0, 1), ("b", "m1", 3.0, 1)])
    baseline = Popularity()
    baseline.fit(data)
    lists = baseline_recommendations(baseline, np.arange(4, dtype=np.int32), data, k=2)
    # The last user is unknown; the others have one movie left.
    assert lists.tolist() == [[2, -1], [2, -1], [1, -1], [0, 1]]


@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_the_models_lists_are_the_right_answers(
    model: Trained, saved_model: Path, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "BLOCK_CELLS", cells)
    board = model.board
    users = np.array(board.users[:5], object)
    lists = model_recommendations(Signatures.load(saved_model), users, model.data, k=2)
    assert lists.shape == (5, 2)
    for user, movies in zip(users, lists, strict=True):
        assert {board.movies[movie].movie_id for movie in movies} <= board.right_answers(user)


_STRINGS = tf.TensorSpec([None], tf.string)


class Older(tiny_model.TinyModel):
    """Before ratings had times."""

    @tf.function(input_signature=[_STRINGS, _STRINGS])
    def no_time(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"rating": self.rate(user_id, movie_id)["rating"]}

    @tf.function(input_signature=[_STRINGS, _STRINGS, tf.TensorSpec([None], tf.int64)])
    def no_ranks(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {"rating": self.rate(user_id, movie_id)["rating"] + tf.cast(timestamp, tf.float32)}

    @tf.function(input_signature=[_STRINGS, _STRINGS, tf.TensorSpec([None], tf.float32)])
    def other_time(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return self.evaluate(user_id, movie_id, tf.cast(timestamp, tf.int64))


@pytest.fixture(scope="module")
def rows(model: Trained) -> TestRows:
    ids = np.array([row[:2] for row in model.board.test], object)
    return TestRows(ids[:, 0], ids[:, 1], model.data.test)


def _export(folder: Path, evaluate: str | None) -> Path:
    older = Older()
    signatures: dict[str, Any] = {"serving_default": older.recommend}
    if evaluate:
        signatures["evaluate"] = getattr(older, evaluate)
    return tiny_model.export(folder, older, signatures)


@pytest.mark.parametrize(
    ("evaluate", "reason"),
    [
        (None, "it has no signature `evaluate`"),
        ("no_time", "its `evaluate` wants movie_id, user_id, not movie_id, timestamp, user_id"),
        ("no_ranks", "its `evaluate` answers with rating, not with rank_raw"),
        ("other_time", "it cannot be asked"),
    ],
)
def test_another_contract_is_named(
    rows: TestRows, tmp_path: Path, evaluate: str | None, reason: str
) -> None:
    with pytest.raises(NotComparable, match=reason):
        champion_predictions(_export(tmp_path / "old", evaluate), rows, 20)


def test_what_does_not_load_is_named(rows: TestRows, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    with pytest.raises(NotComparable, match="it cannot be asked"):
        champion_predictions(tmp_path, rows, 20)


def test_another_catalogue_is_no_obstacle(rows: TestRows, exported: Path) -> None:
    found = champion_predictions(exported, rows, 20)
    assert len(found.stars) == len(rows)


def test_the_gate_runs_without_a_champion_that_cannot_be_asked(
    model: Trained, saved_model: Path, rows: TestRows, tmp_path: Path
) -> None:
    champion = _export(tmp_path / "old", None)
    gate = GateConfig(baselines=())
    found = compare(saved_model, champion, rows, model.data, gate, seed=0)
    assert found.results.champion is None
    assert not [bound for bound in found.bounds if bound.origin == "champion"]
    [words] = found.results.gate.not_gated
    assert "The champion cannot be compared" in words
    assert "no signature `evaluate`" in words

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
    LiveHistories,
    NotComparable,
    TestRows,
    baseline_predictions,
    baseline_recommendations,
    champion_predictions,
    model_predictions,
    model_recommendations,
    train_counts,
)
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


def _board_rows(model: Trained) -> TestRows:
    ids = np.array([row[:2] for row in model.board.test], object)
    return TestRows(ids[:, 0], ids[:, 1], model.data.test)


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
    users, movies = train_counts(DATA, _rows().encoded)
    assert users.tolist() == [2, 2, 0, 2, 2]
    assert movies.tolist() == [1, 3, 2, 0, 0]


@pytest.mark.parametrize("cells", [100, 1 << 24])
def test_ranks_are_places_in_the_lists_that_are_served(
    model: Trained, saved_model: Path, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another way: the whole list of `serving_default`, with and without seen movies."""
    monkeypatch.setattr(predictions, "BLOCK_CELLS", cells)
    signatures, rows = Signatures.load(saved_model), _board_rows(model)
    found = model_predictions(signatures, rows, 20)
    for keep, ranks in ((True, found.rank_raw), (False, found.rank_unseen)):
        request = {"user_id": rows.user_id, "k": 20, "include_seen": keep, "as_judged": True}
        lists = signatures.ask("serving_default", request)["movie_id"]
        places = [
            served.index(movie) + 1 for served, movie in zip(lists, rows.movie_id, strict=True)
        ]
        assert ranks.tolist() == places
    rated = signatures.call("rate", {"user_id": rows.user_id, "movie_id": rows.movie_id})
    np.testing.assert_allclose(found.stars, rated["rating"], rtol=1e-6)


def test_rows_of_a_user_are_asked_together_and_answered_in_their_own_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predictions, "BLOCK_CELLS", 2 * 9)
    asked = []

    def evaluate(user_id: tf.Tensor, movie_id: tf.Tensor, **others: tf.Tensor) -> Any:
        asked.append(user_id.numpy().tolist())
        number = tf.strings.to_number(movie_id)
        return {"rating": number, "rank_raw": number, "rank_unseen": number}

    users = np.array(["b", "a", "c", "a", "b"], object)
    movies = np.array(["1", "2", "3", "4", "5"], object)
    rows = TestRows(users, movies, DATA.test)
    found = model_predictions(Signatures({"evaluate": evaluate}), rows, movies=9)
    assert asked == [[b"a", b"a"], [b"b", b"b"], [b"c"]]
    assert found.stars.tolist() == [1, 2, 3, 4, 5]


def test_live_histories_and_the_order_are_passed_on() -> None:
    asked = {}

    def evaluate(user_id: tf.Tensor, **others: tf.Tensor) -> Any:
        asked.update(others)
        zeros = tf.zeros([len(user_id)])
        return {"rating": zeros, "rank_raw": zeros, "rank_unseen": zeros}

    rows = _rows().take(np.array([0, 2]))
    live = LiveHistories(
        np.array([["", ""], ["m1", ""]], object),
        np.array([[np.nan, np.nan], [4.0, np.nan]], np.float32),
    )
    model_predictions(Signatures({"evaluate": evaluate}), rows, 9, "retrieval", live)
    assert asked["order"].numpy() == b"retrieval"
    assert asked["history"].numpy().tolist() == [[b""], [b"m1"]]
    np.testing.assert_array_equal(asked["stars"], [[np.nan], [4.0]])


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


_TIMES = tf.TensorSpec([None], tf.int64)


class Older(tiny_model.TinyModel):
    """Before the test ratings were hidden, and before ratings had times."""

    @tf.function(input_signature=[_STRINGS, _STRINGS])
    def no_time(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"rating": self.rate(user_id, movie_id)["rating"]}

    @tf.function(input_signature=[_STRINGS, _STRINGS, _TIMES])
    def no_ranks(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {"rating": self.rate(user_id, movie_id)["rating"] + tf.cast(timestamp, tf.float32)}

    @tf.function(input_signature=[_STRINGS, _STRINGS, tf.TensorSpec([None], tf.float32)])
    def other_time(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return self.with_time(user_id, movie_id, tf.cast(timestamp, tf.int64))

    @tf.function(input_signature=[_STRINGS, _STRINGS, _TIMES])
    def with_time(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """First at the end of all time, second before; its stars are not those of `rate`."""
        rank = tf.where(timestamp == tf.int64.max, 1, 2)
        return {
            "rating": 99.0 * tf.ones_like(rank, tf.float32),
            "rank_raw": rank,
            "rank_unseen": rank,
        }


@pytest.fixture(scope="module")
def rows(model: Trained) -> TestRows:
    return _board_rows(model)


def _export(folder: Path, evaluate: str | None) -> Path:
    older = Older()
    signatures: dict[str, Any] = {"serving_default": older.recommend, "rate": older.rate}
    if evaluate:
        signatures["evaluate"] = getattr(older, evaluate)
    return tiny_model.export(folder, older, signatures)


@pytest.mark.parametrize(
    ("evaluate", "reason"),
    [
        (None, "it has no signature `evaluate`"),
        (
            "no_time",
            "its `evaluate` wants movie_id, user_id, not history, movie_id, order, stars, ",
        ),
        ("no_ranks", "its `evaluate` answers with rating, not with rank_raw"),
        ("other_time", "it cannot be asked"),
    ],
)
def test_another_contract_is_named(
    rows: TestRows, tmp_path: Path, evaluate: str | None, reason: str
) -> None:
    with pytest.raises(NotComparable, match=reason):
        champion_predictions(_export(tmp_path / "old", evaluate), rows, 20)


def test_a_champion_that_wants_a_time_is_asked_as_it_is_served(
    rows: TestRows, tmp_path: Path
) -> None:
    champion = _export(tmp_path / "old", "with_time")
    found = champion_predictions(champion, rows, 20)
    assert set(found.rank_raw) == set(found.rank_unseen) == {1}
    rated = Signatures.load(champion).call(
        "rate", {"user_id": rows.user_id, "movie_id": rows.movie_id}
    )
    np.testing.assert_array_equal(found.stars, rated["rating"])


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
    [words] = [words for words in found.results.gate.not_gated if "champion" in words]
    assert "The champion cannot be compared" in words
    assert "no signature `evaluate`" in words

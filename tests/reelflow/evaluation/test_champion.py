"""A champion from other times: asked if it can be, or else left out with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import GateConfig
from reelflow.evaluation.comparison import compare
from reelflow.evaluation.predictions import NotComparable, TestRows, ask_champion
from tests import tiny_model

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

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
        ask_champion(_export(tmp_path / "old", evaluate), rows, 20)


def test_what_does_not_load_is_named(rows: TestRows, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    with pytest.raises(NotComparable, match="it cannot be asked"):
        ask_champion(tmp_path, rows, 20)


def test_another_catalogue_is_no_obstacle(rows: TestRows, tmp_path: Path) -> None:
    found = ask_champion(tiny_model.export(tmp_path / "other"), rows, 20)
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

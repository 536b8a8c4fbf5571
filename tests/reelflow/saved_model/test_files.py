"""`model.json`: the same content after reading and writing, and older files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reelflow.saved_model.files import MODEL_JSON, ModelInfo

CONTENT: dict[str, Any] = {
    "users": 600,
    "movies": 1500,
    "train_rows": 54129,
    "epochs": 2,
    "best_epochs": {"retrieval_loss": 1, "rating_loss": 2},
    "fit_seconds": 32.6,
    "parameters": 573515,
    "tasks": ["retrieval", "rating"],
    "history": {"retrieval_loss": [6.898727893829346, 6.0], "val_rating_loss": [1.0, 0.5]},
    "tuned": {"train.learning_rate": 0.01},
    "warm_start": {
        "warm": True,
        "cold_tasks": {},
        "users": {"kept": 599, "new": 1},
        "movies": {"kept": 1500, "new": 0},
    },
    "guards": [{"name": "finite_weights", "passed": True, "detail": "all are finite."}],
    "cross_weights": {"features": ["user", "year"], "norms": [[0.5, 0.25], [1.0, 2.0]]},
    "model": {"embedding_size": 64, "popularity_half_life": None},
    "train": {"epochs": 20},
    "split": {"kind": "user"},
}


def _write(folder: Path, content: dict[str, Any]) -> str:
    file = folder / MODEL_JSON
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2))
    return file.read_text()


@pytest.mark.parametrize(
    "content",
    [
        CONTENT,
        {"users": 600, "history": {"rating_loss": [float("nan")]}},
        {"warm_start": {"warm": False, "reason": "there is no champion"}},
        {},
    ],
)
def test_the_same_keys_and_values_in_the_same_order(
    content: dict[str, Any], tmp_path: Path
) -> None:
    text = _write(tmp_path, content)
    ModelInfo.read(tmp_path).write(tmp_path)
    assert (tmp_path / MODEL_JSON).read_text() == text


def test_older_models_lack_keys_and_have_others(tmp_path: Path) -> None:
    assert ModelInfo.read(tmp_path) == ModelInfo()
    assert ModelInfo().trained_tasks == ("retrieval", "rating")
    _write(tmp_path, {"users": 3, "loss": 0.5})
    assert ModelInfo.read(tmp_path) == ModelInfo(users=3)


def test_another_type_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, {"guards": "none"})
    with pytest.raises(ValidationError, match="guards"):
        ModelInfo.read(tmp_path)

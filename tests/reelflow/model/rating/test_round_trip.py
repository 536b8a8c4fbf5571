"""Every option of the rating model: trained, exported, asked again, and begun with once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.config import ModelConfig, SplitConfig, SplitKind, TrainConfig
from reelflow.model.training import train_and_export
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.probe import probe
from tests.encoded_data import checkerboard

BOARD = checkerboard()
DATA = BOARD.data
MODEL = {"retrieval_weight": 0.0, "rating_embedding_size": 3, "rating_draw_size": 2}
TRAIN = TrainConfig(
    epochs=3, batch_size=32, rating_learning_rate=0.05, refit=False, warm_start=True
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "seeds"),
    [
        ({"rating_draws": 3}, 2),
        ({"rating_output": "ordinal"}, 1),
        ({"rating_head": "mlp", "rating_draws": 2}, 1),
    ],
    ids=str,
)
def test_a_rating_option_survives_export_and_warm_start(
    options: dict[str, Any], seeds: int, tmp_path: Path
) -> None:
    model = ModelConfig(**{**MODEL, **options})
    train = TRAIN.model_copy(update={"seeds": seeds})
    champion: Path | None = None
    for run in ("first", "second"):
        folder = tmp_path / run
        train_and_export(
            DATA, BOARD.users, model, train, SplitConfig(kind=SplitKind.RANDOM), folder,
            champion=champion, log_dir=tmp_path / "logs",
        )  # fmt: skip
        # Answers to golden requests, which were those before the export, and all promises.
        assert probe(folder).reasons == ()
        like = ServedModel.load(folder).rate(BOARD.users[0], "m01").like
        assert like is not None
        assert 0.0 < like < 1.0
        start = ModelInfo.read(folder).warm_start
        assert start is not None
        assert start.warm is (champion is not None)
        assert not start.cold_tasks
        champion = folder

"""Every preset on small data: it trains, exports, and keeps every promise of every signature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reelflow.config.loading import load, preset_names
from reelflow.encoding.encoded import Tokens
from reelflow.model.export import export
from reelflow.model.fit import fit
from reelflow.model.mixing import choose
from reelflow.model.signatures import ServingModel
from reelflow.model.stars import like_threshold
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.probe import probe
from tests.encoded_data import checkerboard

OURS = ("best", "best-fast", "held-out", "parameter-servers", "sequence")
"""Presets that are no known designs."""
BOARD = checkerboard(10, 12)
USER_WORDS = ["gender=F", "gender=M", "occupation=lighthouse keeper"]
DATA = replace(
    BOARD.data,
    movie_features=Tokens.from_pairs(
        ["director=A", "star=B"], np.arange(12), np.arange(12) % 2, 12
    ),
    user_features=Tokens.from_pairs(USER_WORDS, np.arange(10), np.arange(10) % 3, 10),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", preset_names())
def test_a_preset_trains_exports_and_answers(name: str, tmp_path: Path) -> None:
    config = load(preset=name, overrides=["train.epochs=2", "train.batch_size=32"])
    joint, history = fit(DATA, config.model, config.train, tmp_path / "logs")
    assert set(joint.stages) <= set(history)
    assert all(len(losses) == 2 and np.isfinite(losses).all() for losses in history.values())
    folder = tmp_path / "model"
    threshold = like_threshold(DATA.train.rating, config.model)
    mixture = choose(joint, DATA, BOARD.users, config.model, config.train, threshold).mixture
    serving = ServingModel(joint, DATA, BOARD.users, mixture, config.model)
    export(serving, DATA, BOARD.users, ModelInfo(), folder)
    assert probe(folder).reasons == ()
    saved = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(word.encode() in saved for word in USER_WORDS)


@pytest.mark.parametrize("name", preset_names())
def test_known_designs_have_no_terms_beside_their_towers(name: str) -> None:
    model = load(preset=name).model
    if name not in OURS and model.retrieval_weight:
        assert model.mix == {"towers": 1.0}

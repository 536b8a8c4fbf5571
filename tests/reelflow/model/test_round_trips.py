"""Whatever a model is made of, it serves and explains from its folder, and a later one starts warm.

Between them the variants have every query, loss, term, head and output, one epoch each, trained and
exported by the Trainer's own code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from reelflow.base import columns as f
from reelflow.config import ModelConfig, SplitConfig, TrainConfig
from reelflow.model.training import train_and_export
from reelflow.model.warm_start import plan_start
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EXPLAIN, SCORE_ALL
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.manifest import find_damage
from reelflow.saved_model.probe import probe
from tests.encoded_data import Movie, encoded, random_rows, user_vocabulary

MIX = {"towers": 0.4, "items": 0.2, "spectral": 0.2, "directed": 0.1, "neighbours": 0.1}
VARIANTS: dict[str, dict[str, Any]] = {
    "the default, of all terms": {"mix": MIX, "sampled_movies": 4, "rating_draws": 2},
    "sequence": {"query": "sequence", "history_stars": True, "rating_output": "ordinal"},
    "history, full softmax": {
        "query": "history", "loss": "full_softmax", "history_stars": True, "rating_head": "dcn",
    },
    "TFRS's own task, liked movies": {
        "query": "user_id", "loss": "tfrs_retrieval", "rating_head": "like",
    },
    "dense layers, BPR": {
        "loss": "bpr", "query_layers": (5,), "candidate_layers": (5,), "rating_head": "mlp",
    },
    "shared embeddings": {
        "query": "user_id", "loss": "in_batch_softmax", "rating_head": "mlp",
        "rating_share_embeddings": True, "mix": {"towers": 1.0},
    },
}  # fmt: skip
SMALL = {
    "embedding_size": 4,
    "rating_embedding_size": 3,
    "history_length": 5,
    "candidates": 10,
    "spectral_size": (3,),
    "rating_layers": (4,),
    "rating_draws": 0,
    "blend_weight": 0.0,
}
"""Reasons add up to the final score, which is then that of retrieval."""
SPLIT = SplitConfig(kind="random")
TRAIN = TrainConfig(epochs=1, batch_size=32, window=16, warm_start=True)
ROWS = random_rows(90, seed=3)
MOVIES = [Movie(f"m{i:02d}", ("Drama", "War")[: 1 + i % 2], 1990 + i) for i in range(14)]
DATA = encoded(ROWS[:70], ROWS[70:80], ROWS[80:], MOVIES)
USERS = user_vocabulary(ROWS[:70])


@pytest.mark.parametrize("option", ["query", "loss", "rating_head", "rating_output"])
def test_the_variants_have_every_value(option: str) -> None:
    field = ModelConfig.model_fields[option]
    values = {variant.get(option, field.default) for variant in VARIANTS.values()}
    assert values == set(get_args(field.annotation))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_goes_through_its_folder(name: str, tmp_path: Path) -> None:
    model, folder = ModelConfig(**{**SMALL, **VARIANTS[name]}), tmp_path / "model"
    train_and_export(DATA, USERS, model, TRAIN, SPLIT, folder, log_dir=tmp_path / "logs")
    assert find_damage(folder, by_content=True) is None
    about = ModelInfo.read(folder)
    assert ModelConfig.model_validate(about.model) == model
    # All signatures, by the golden requests and the contract's promises.
    assert probe(folder).reasons == ()
    ask = Signatures.load(folder).ask
    request = {f.USER_ID: USERS[:3], f.HISTORY: [["m01", "m02"]] * 3}
    scores = np.array(ask(SCORE_ALL, request)[f.SCORE])[:, 5]
    why = ask(EXPLAIN, {**request, f.MOVIE_ID: ["m05"] * 3})
    explained = np.sum(why[f.WEIGHT], axis=1) + why[f.REST]
    np.testing.assert_allclose(explained, scores, rtol=1e-3, atol=1e-4)
    plan = plan_start(folder, DATA, USERS, model, SPLIT)
    assert plan.info().warm
    assert not plan.info().cold_tasks

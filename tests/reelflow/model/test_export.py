"""What lies beside the SavedModel, and what TFX's Trainer calls."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from components import trainer as run_module
from reelflow.saved_model import golden
from reelflow.saved_model.files import GOLDEN, ModelInfo
from tests.reelflow.trained import INFO, MODEL

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


def test_catalogue_in_the_order_of_the_vocabulary(model: Trained, saved_model: Path) -> None:
    table = pq.read_table(saved_model / "assets.extra" / "catalogue.parquet").to_pydict()
    assert table["movie_id"] == [f"m{m:02d}" for m in range(20)]
    assert table["title"] == [f"The title of m{m:02d}" for m in range(20)]
    assert table["genres"] == [[]] * 20
    assert table["year"] == [None] * 20
    assert table["rating_count"] == np.bincount(model.data.train.movie_index).tolist()


def test_golden_requests_are_of_every_kind(saved_model: Path) -> None:
    recorded = golden.read(saved_model / GOLDEN)
    sources = {s for each in recorded for s in each.outputs.get("source", ())}
    assert sources == {"user", "history", "popularity"}
    assert {name for each in recorded for name in each.inputs} >= {"k", "exclusions", "history"}


def test_the_description_is_what_it_was_given(saved_model: Path) -> None:
    content = json.loads((saved_model / "assets.extra" / "model.json").read_text())
    assert content == {"users": 24, "tuned": {"model.embedding_size": 8}}
    assert ModelInfo.read(saved_model) == INFO


def test_only_tensorflows_own_operations(saved_model: Path) -> None:
    message = SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    [graph] = message.meta_graphs
    names = {node.op for fn in graph.graph_def.library.function for node in fn.node_def}
    assert {"MatMul", "TopKV2"} <= names
    # Operations of other libraries have a namespace; Python functions live in their process only.
    assert not [name for name in names if ">" in name or "PyFunc" in name]


@pytest.mark.slow
def test_run_fn_trains_and_exports(
    model: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.data.save(tmp_path / "encoded")
    vocabulary = SimpleNamespace(
        vocabulary_by_name=lambda _: [u.encode() for u in model.board.users]
    )
    monkeypatch.setattr(tft, "TFTransformOutput", lambda _: vocabulary)
    config = {
        "model": MODEL.model_dump(mode="json"),
        "train": {"epochs": 1, "batch_size": 64},
    }
    args: Any = SimpleNamespace(
        hyperparameters=None,
        custom_config=config,
        train_files=[str(tmp_path / "encoded" / "Split-train" / "*")],
        transform_output="",
        model_run_dir=str(tmp_path / "logs"),
        serving_model_dir=str(tmp_path / "model"),
    )
    run_module.run_fn(args)
    about = json.loads((tmp_path / "model" / "assets.extra" / "model.json").read_text())
    assert {key: about[key] for key in ("users", "movies", "train_rows", "epochs")} == {
        "users": 24,
        "movies": 20,
        "train_rows": len(model.data.train) + len(model.data.validation),
        "epochs": 1,
    }
    assert about["model"] == config["model"]
    signatures = set(tf.saved_model.load(str(tmp_path / "model")).signatures)
    assert {"serving_default", "rate", "similar", "evaluate"} <= signatures

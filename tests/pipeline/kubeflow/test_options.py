"""Options of the model, from a run's parameters to the model that the Trainer's task writes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kfp")
task = pytest.importorskip("pipeline.kubeflow.task")

import tensorflow_transform as tft  # noqa: E402

from components import trainer  # noqa: E402
from pipeline import TRAINER  # noqa: E402
from pipeline.definition import create_pipeline  # noqa: E402
from pipeline.kubeflow.parameters import TaskArguments  # noqa: E402
from pipeline.runs import launcher  # noqa: E402
from reelflow.config import Config, ModelConfig  # noqa: E402
from reelflow.saved_model.files import ModelInfo  # noqa: E402
from tests.reelflow.model.test_round_trips import DATA, SMALL, USERS, VARIANTS  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]

TRAIN = ("train.epochs=1", "train.batch_size=32", "train.window=16")


def _given_to_the_trainer(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Compile the graph as a container does, and return the sections that its Trainer gets."""
    (folder / "ratings.csv").write_text("user_id,movie_id,rating\n1,1,4.0\n")
    packaged = Config.model_validate({"kubeflow": {"output": str(folder / "volume")}})
    overrides = [f"model.{key}={_toml(value)}" for key, value in options.items()]
    words = {"node": TRAINER, "graph": "any", "run-id": "run-1", "data": str(folder)}
    words |= {"config": packaged.model_dump_json(), "overrides": json.dumps([*TRAIN, *overrides])}
    config = TaskArguments.parse([f"--{k}={v}" for k, v in words.items()]).effective_config()
    ir = launcher.compile_pipeline(create_pipeline(config, str(folder / "volume")), "run-1")
    [node] = [one.pipeline_node for one in ir.nodes if one.pipeline_node.node_info.id == TRAINER]
    sections = node.parameters.parameters["custom_config"].field_value.string_value
    found: dict[str, Any] = json.loads(sections)
    return found


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {one}" for key, one in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize("name", VARIANTS)
def test_options_reach_the_trainer(name: str, tmp_path: Path) -> None:
    options = {**SMALL, **VARIANTS[name]}
    given = _given_to_the_trainer(tmp_path, options)
    assert ModelConfig.model_validate(given["model"]) == ModelConfig(**options)


def test_the_trainer_of_a_task_trains_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**SMALL, **VARIANTS["sequence"]}
    given = _given_to_the_trainer(tmp_path, options)
    DATA.save(tmp_path / "encoded")
    vocabulary = SimpleNamespace(vocabulary_by_name=lambda _: [user.encode() for user in USERS])
    monkeypatch.setattr(tft, "TFTransformOutput", lambda _: vocabulary)
    arguments: Any = SimpleNamespace(
        hyperparameters=None,
        custom_config=given,
        train_files=[str(tmp_path / "encoded" / "Split-train" / "*")],
        transform_output="",
        model_run_dir=str(tmp_path / "logs"),
        serving_model_dir=str(tmp_path / "model"),
    )
    trainer.run_fn(arguments)
    about = ModelInfo.read(tmp_path / "model")
    assert ModelConfig.model_validate(about.model) == ModelConfig(**options)
    assert about.epochs == 1

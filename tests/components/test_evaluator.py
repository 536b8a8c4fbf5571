"""Evaluator on artifacts: files, blessing, reasons."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact

from components.evaluator import Evaluator
from reelflow.base import columns as f
from reelflow.config import GateConfig
from reelflow.evaluation.results import METRICS_FILE
from tests.encoded_data import ratings_batch

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def _artifact(kind: type[Artifact], uri: Path, number: int = 1) -> Artifact:
    artifact = kind()
    artifact.uri, artifact.id = str(uri), number
    return artifact


class Evaluated:
    """The executor's outputs."""

    def __init__(self, folder: Path, inputs: dict[str, list[Artifact]], gate: GateConfig) -> None:
        kinds = {
            "evaluation": standard_artifacts.ModelEvaluation,
            "blessing": standard_artifacts.ModelBlessing,
        }
        outputs = {}
        for name, kind in kinds.items():
            (folder / name).mkdir(parents=True)
            outputs[name] = [_artifact(kind, folder / name)]
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[RUNNER], tmp_dir=str(folder / "tmp"), unique_id="1"
        )
        properties = {"gate": gate.model_dump_json(), "seed": 1}
        Evaluator.EXECUTOR_SPEC.executor_class(context).Do(inputs, outputs, properties)
        self.evaluation, self.blessing = (outputs[name][0] for name in kinds)
        report = Path(self.evaluation.uri) / METRICS_FILE
        self.report: dict[str, Any] = json.loads(report.read_text())
        self.files = {path.name for path in Path(self.blessing.uri).iterdir()}


@pytest.fixture(scope="module")
def inputs(
    model: Trained, saved_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Artifact]]:
    folder = tmp_path_factory.mktemp("inputs")
    model.data.save(folder / "encoded")
    shutil.copytree(saved_model, folder / "model" / "Format-Serving")
    for split, rows in (("train", model.board.train), ("test", model.board.test)):
        (folder / "examples" / f"Split-{split}").mkdir(parents=True)
        table = pa.Table.from_batches([ratings_batch(rows)])
        pq.write_table(table, folder / "examples" / f"Split-{split}" / "ratings.parquet")
    examples = _artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(list(f.RATING_SPLITS))
    return {
        "model": [_artifact(standard_artifacts.Model, folder / "model", 7)],
        "examples": [examples],
        "encoded": [_artifact(standard_artifacts.Examples, folder / "encoded")],
    }


@pytest.mark.slow
def test_a_model_that_keeps_its_bounds_is_blessed(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    # By default: among twenty movies all are in the first hundred, which bounds nothing.
    found = Evaluated(tmp_path, inputs, GateConfig())
    assert found.report["gate"] == {**found.report["gate"], "blessed": True, "reasons": []}
    assert [bound["name"] for bound in found.report["gate"]["bounds"]] == ["rmse_against_biases"]
    assert "the catalogue has 20 movies" in found.report["gate"]["not_gated"][0]
    assert found.report["rows"] == 24
    assert found.report["champion"] is None
    assert found.report["out_of_vocabulary"] == {"users": 0, "movies": 0}
    assert found.files == {"BLESSED"}
    assert found.blessing.get_int_custom_property("blessed") == 1
    assert found.blessing.get_int_custom_property("current_model_id") == 7
    assert found.evaluation.get_int_custom_property("rows") == 24


@pytest.mark.slow
def test_a_model_that_does_not_is_refused_with_reasons(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    champion = _artifact(standard_artifacts.Model, Path(inputs["model"][0].uri), 3)
    gate = GateConfig(rmse_max=0.01, rmse_margin=0, top_100_accuracy_margin=0)
    found = Evaluated(tmp_path, {**inputs, "baseline_model": [champion]}, gate)
    reasons = found.report["gate"]["reasons"]
    assert found.report["gate"]["blessed"] is False
    [reason] = reasons  # as good as its champion
    assert reason.startswith("RMSE is")
    assert "gate.rmse_max" in reason
    assert found.report["champion"] == found.report["metrics"]
    assert found.files == {"NOT_BLESSED"}
    assert found.blessing.get_int_custom_property("blessed") == 0
    assert found.blessing.get_int_custom_property("baseline_model_id") == 3


def test_the_gate_travels_as_text() -> None:
    kinds = {"model": standard_artifacts.Model, "baseline_model": standard_artifacts.Model}
    kinds |= dict.fromkeys(("examples", "encoded"), standard_artifacts.Examples)
    channels = {name: channel.Channel(type=kind) for name, kind in kinds.items()}
    gate = GateConfig(rmse_max=0.7)
    node = Evaluator(**channels, gate=gate.model_dump_json(), seed=5)
    assert GateConfig.model_validate_json(node.exec_properties["gate"]) == gate
    assert node.exec_properties["seed"] == 5
    assert set(node.outputs) == {"evaluation", "blessing"}

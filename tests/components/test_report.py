"""Report on artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

    from tests.reelflow.trained import Trained

pytestmark = pytest.mark.slow


def _inputs(folder: Path, saved_model: Path, model: Trained) -> dict[str, Artifact]:
    from tfx.types import artifact_utils, standard_artifacts

    from components.artifacts import Drift, Quarantine
    from reelflow.saved_model.files import ServingResult
    from tests.ingested import ingest_summary
    from tests.reelflow.report import world

    inputs: dict[str, Artifact] = {
        "quarantine": Quarantine(),
        "statistics": standard_artifacts.ExampleStatistics(),
        "ratings_anomalies": standard_artifacts.ExampleAnomalies(),
        "movies_anomalies": standard_artifacts.ExampleAnomalies(),
        "transform_graph": standard_artifacts.TransformGraph(),
        "encoded": standard_artifacts.Examples(),
        "model": standard_artifacts.Model(),
        "evaluation": standard_artifacts.ModelEvaluation(),
        "model_blessing": standard_artifacts.ModelBlessing(),
        "infra_blessing": standard_artifacts.InfraBlessing(),
        "pushed_model": standard_artifacts.PushedModel(),
        "drift": Drift(),
        "tuner_results": standard_artifacts.TunerResults(),
    }
    for name, artifact in inputs.items():
        artifact.uri = str(folder / name)
        (folder / name).mkdir()
    for name in ("ratings_anomalies", "movies_anomalies"):
        inputs[name].split_names = artifact_utils.encode_split_names([])
    ingest_summary().write(folder / "quarantine")
    model.board.data.save(folder / "encoded")
    (folder / "model/Format-Serving").symlink_to(saved_model)
    world.results().write(folder / "evaluation")
    world.TRIALS.write(folder / "tuner_results")
    ServingResult().write(folder / "infra_blessing")
    world.DRIFT.write(folder / "drift")
    for name in ("model_blessing", "infra_blessing"):
        inputs[name].set_int_custom_property("blessed", 1)
    inputs["pushed_model"].set_int_custom_property("pushed", 1)
    inputs["pushed_model"].set_string_custom_property("pushed_version", "17")
    return inputs


def test_page_and_card_of_a_model(
    tmp_path: Path, model: Trained, saved_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import components.report as module
    from components.artifacts import Report

    class Vocabularies:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "transform_graph")

        def vocabulary_by_name(self, name: str) -> list[bytes]:
            return [user.encode() for user in model.board.users]

    monkeypatch.setattr(module.tft, "TFTransformOutput", Vocabularies)
    inputs = _inputs(tmp_path, saved_model, model)
    report = Report()
    report.uri = str(tmp_path / "report")
    (tmp_path / "report").mkdir()
    module.Report.test_call(**inputs, report=report)
    html = (tmp_path / "report/report.html").read_text()
    assert "pushed as version 17." in html
    assert f">{tmp_path}/tuner_results</td>" in html
    for key in ("examples", "map", "drift", "tuning"):
        assert f'<section id="{key}"' in html
    for name in ("model_card.md", "model_card.html"):
        assert "Intended use" in (tmp_path / "report" / name).read_text()
    few = {name: one for name, one in inputs.items() if name not in ("drift", "tuner_results")}
    module.Report.test_call(**few, report=report)
    html = (tmp_path / "report/report.html").read_text()
    assert '<section id="drift"' not in html
    assert '<section id="tuning"' not in html

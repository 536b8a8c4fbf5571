"""The runner of the `tfx` command, on a stand-in pipeline; test_tfx_cli.py has the real one."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pipeline import local_runner
from reelflow.config.layout import Layout
from tests.pipeline import standin

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """An output folder; the environment names it and a data folder."""
    definition = types.ModuleType("pipeline.definition")
    definition.create_pipeline = standin.create_pipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pipeline.definition", definition)
    data = tmp_path / "data"
    data.mkdir()
    (data / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n")
    (data / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    monkeypatch.setenv("REELFLOW_DATA", str(data))
    monkeypatch.setenv("REELFLOW_OUTPUT", str(tmp_path / "out"))
    monkeypatch.delenv("REELFLOW_CONFIG", raising=False)
    layout = Layout.of(tmp_path / "out")
    layout.output.mkdir()
    return layout


def _summary(layout: Layout) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((layout.latest / "summary.json").read_text())
    return loaded


def test_a_run_leaves_a_summary(layout: Layout) -> None:
    assert local_runner.exit_code() == 0
    first = _summary(layout)
    assert first["error"] is None
    assert first["pushed"] == str(layout.serving / "1")
    assert local_runner.exit_code() == 0
    assert _summary(layout)["run_id"] > first["run_id"]
    assert _summary(layout)["cached"] == ["Reader", "Evaluator", "Pusher"]


def test_a_refused_model_is_said_and_has_its_own_exit_code(
    layout: Layout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "my.toml").write_text("[gate]\nrmse_max = 0.5\n")
    monkeypatch.setenv("REELFLOW_CONFIG", str(tmp_path / "my.toml"))
    assert local_runner.exit_code() == 3
    out = capsys.readouterr().out
    assert "Refused: RMSE 0.9 exceeds the bound 0.5" in out
    assert "Nothing was pushed" in out
    assert _summary(layout)["gate"]["blessed"] is False
    assert _summary(layout)["pushed"] is None


def test_our_errors_end_with_their_exit_code(
    layout: Layout, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "raise").write_text("bad")
    assert local_runner.exit_code() == 2
    assert "error: ratings.csv: no ratings. Give some." in capfd.readouterr().err
    assert _summary(layout)["error"] == "ratings.csv: no ratings."


def test_other_errors_are_raised_after_the_summary(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "data" / "raise").write_text("boom")
    with pytest.raises(ValueError, match="boom"):
        local_runner.main()
    assert _summary(layout)["error"] == "boom\nsecond line"


def test_a_runner_that_runs_nothing_leaves_nothing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    monkeypatch.setattr(LocalDagRunner, "run", lambda self, pipeline: None)  # `pipeline create`
    assert local_runner.exit_code() == 0
    assert not layout.latest.exists()


def test_a_node_without_inputs_fails_the_run(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.runs import lineage

    read_run = lineage.read_run

    def with_a_failure(*arguments: Any) -> lineage.PipelineRun:
        run = read_run(*arguments)
        run.nodes.append(lineage.NodeRun("Evaluator", "failed", 0.1))
        return run

    monkeypatch.setattr(lineage, "read_run", with_a_failure)
    assert local_runner.exit_code() == 1
    assert _summary(layout)["error"] == "Evaluator failed."

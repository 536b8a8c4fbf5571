"""A task's entry point, with the stand-in pipeline and ML Metadata in a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.kubeflow import task
from pipeline.kubeflow.parameters import Graph, connection_config
from pipeline.runs.lineage import read_run
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import Layout
from tests.pipeline import standin

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]

NODES = ["Reader", "ChampionResolver", "Evaluator", "Pusher"]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A volume, and ratings beside it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ratings.csv").write_text("user_id,movie_id,rating\n1,1,4.0\n")
    layout = Layout.of(tmp_path / "volume")
    layout.output.mkdir()
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(layout.metadata)
    config.sqlite.connection_mode = (
        metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    monkeypatch.setattr("pipeline.definition.create_pipeline", standin.create_pipeline)
    monkeypatch.setattr(task, "connection_config", lambda: config)
    return layout


def _words(layout: Layout, name: str, run: str = "run-1", **given: Any) -> list[str]:
    path = str(layout.output.parent / "data")
    config = Config.model_validate(
        {"data": {"path": path}, "kubeflow": {"output": str(layout.output)}}
    )
    graph = Graph.of(task.compile_run(config, "any")).fingerprint
    options = {"node": name, "graph": graph, "run-id": run, "config": config.model_dump_json()}
    options |= {"overrides": json.dumps(given.pop("overrides", [])), **given}
    return [f"--{key}={value}" for key, value in options.items()]


def test_a_run_task_by_task(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NODES:
        assert task.main(_words(layout, name)) == 0
        assert f"{name}: done in" in capsys.readouterr().out
    assert task.main(_words(layout, "Summary")) == 0
    assert f"Pushed: {layout.serving / '1'}" in capsys.readouterr().out
    written = json.loads(layout.run("run-1").summary.read_text())
    assert written["gate"]["blessed"] is True

    assert task.main(_words(layout, "Reader")) == 0
    assert "done by an earlier attempt" in capsys.readouterr().out
    assert task.main(_words(layout, "Reader", run="run-2")) == 0
    assert "Reader: cached in" in capsys.readouterr().out


def test_parameters_reach_the_nodes(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NODES:
        assert task.main(_words(layout, name, overrides=["gate.rmse_max=0.5"])) == 0
    assert task.main(_words(layout, "Summary", overrides=["gate.rmse_max=0.5"])) == 0
    out = capsys.readouterr().out
    assert "RMSE 0.9 exceeds the bound 0.5" in out
    assert "Nothing was pushed." in out
    assert not layout.serving.exists()


def test_a_removed_model_is_pushed_again(layout: Layout) -> None:
    for run in ("run-1", "run-2"):
        for name in NODES:
            assert task.main(_words(layout, name, run)) == 0
        if run == "run-1":
            shutil.rmtree(layout.serving / "1")
    assert (layout.serving / "1").is_dir()
    states = {n.node: n.state for n in read_run(layout.metadata, "run-2").nodes}
    assert states["Evaluator"] == "cached"
    assert states["Pusher"] == "done"


def test_the_first_task_settles_the_run(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert task.main(_words(layout, "Reader")) == 0
    # The same run with another parameter: what the first task has recorded stays.
    assert task.main(_words(layout, "ChampionResolver", overrides=["gate.rmse_max=0.5"])) == 0
    assert "rmse_max = 0.5" not in layout.run("run-1").config.read_text()
    assert [path.name for path in layout.runs.iterdir()] == ["run-1"]

    (layout.run("run-1").path / "graph.sha256").write_text("another\n")
    assert task.main(_words(layout, "Evaluator")) == 1
    assert "another task of the run has another" in capsys.readouterr().err


def test_what_does_not_fit_the_package_is_refused(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(layout, "Reader")
    fitting = next(word for word in words if word.startswith("--graph="))
    other_shape = f"--graph=0000{fitting[12:]}"
    assert task.main([other_shape if word == fitting else word for word in words]) == 2
    assert "other nodes than the package" in capsys.readouterr().err
    other_code = f"{fitting[:-4]}zzzz"
    assert task.main([other_code if word == fitting else word for word in words]) == 1
    assert "other code than the package" in capsys.readouterr().err


def test_bad_data_are_said_in_one_line(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert task.main(_words(layout, "Reader", data="/nowhere")) == 2
    error = capsys.readouterr().err
    assert "error: The data folder /nowhere does not exist." in error
    assert "Traceback" not in error


def test_a_fault_keeps_its_traceback(layout: Layout) -> None:
    (layout.output.parent / "data" / "raise").write_text("boom")
    with pytest.raises(ValueError, match="boom"):
        task.main(_words(layout, "Reader"))


def test_the_connection_comes_from_the_environment() -> None:
    values = {"HOST": "db", "PORT": "3307", "DATABASE": "m", "USER": "u", "PASSWORD": "p"}
    given = {f"REELFLOW_METADATA_{key}": value for key, value in values.items()}
    config = connection_config(given).mysql
    assert (config.host, config.port, config.database) == ("db", 3307, "m")
    assert (config.user, config.password) == ("u", "p")
    with pytest.raises(BadInput, match=r"REELFLOW_METADATA_PASSWORD: not set\."):
        connection_config({**given, "REELFLOW_METADATA_PASSWORD": ""})
    with pytest.raises(BadInput, match="no port"):
        connection_config({**given, "REELFLOW_METADATA_PORT": "x"})

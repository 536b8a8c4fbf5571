"""A run's own copy of its report, and recommendations to a few of its users."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.runs import finish
from pipeline.runs.lineage import NodeRun, Output, PipelineRun
from pipeline.runs.summary import RunSummary
from reelflow.config.layout import Layout
from reelflow.report.render import LINK_MARK, MARK
from tests.tiny_model import export

SUMMARY = RunSummary(
    run_id="r1",
    finished="2026-01-02T03:04:05+00:00",
    seconds={"Trainer": 5.0},
    versions={"tfx": "1"},
    config_hash="c0ffee",
)


def _run(uri: Path) -> PipelineRun:
    report = Output("ReelflowReport", uri, {}, "report")
    return PipelineRun("r1", [NodeRun("Report", "done", 1.0, [report])])


def test_the_copy_knows_the_run_and_the_artifact_stays(tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "report.html").write_text(f"<p>{LINK_MARK}{MARK}</p>")
    (artifact / "model_card.md").write_text("card")
    folder = Layout.of(tmp_path).run("r1")
    folder.path.mkdir(parents=True)
    finish.copy_report(_run(artifact), folder, SUMMARY, "[train]\nepochs = 3")
    html = folder.report.read_text()
    for words in ("c0ffee", "epochs = 3", "Trainer", "2026-01-02"):
        assert words in html
    assert (folder.path / "model_card.md").read_text() == "card"
    assert MARK in (artifact / "report.html").read_text()


@pytest.mark.parametrize("run", [PipelineRun("r1", []), _run(Path("/gone"))])
def test_a_run_that_got_no_report_has_none(tmp_path: Path, run: PipelineRun) -> None:
    folder = Layout.of(tmp_path).run("r1")
    finish.copy_report(run, folder, SUMMARY, "")
    assert not folder.path.exists()


def _catalogue(folder: Path, users: list[str]) -> Output:
    split = folder / "Split-users"
    split.mkdir(parents=True)
    column = pa.array([[user] for user in users], pa.list_(pa.string()))
    pq.write_table(pa.table({"user_id": column}), split / "users-00000-of-00001.parquet")
    return Output("Examples", folder, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("users", "asked"),
    [(["1", "2", "3", "4", "5"], ["1", "3", "5"]), (["4"], ["4"]), ([], [])],
)
def test_first_middle_and_last_user_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: list[str], asked: list[str]
) -> None:
    export(tmp_path / "model" / "Format-Serving")
    outputs = [_catalogue(tmp_path / "catalogue", users), Output("Model", tmp_path / "model", {})]
    run = PipelineRun("r1", [NodeRun("Trainer", "done", 1.0, outputs)])
    monkeypatch.setattr(finish, "read_run", lambda database, run_id: run)
    answers = finish.recommend_to_examples(Layout.of(tmp_path), "r1")
    assert [user for user, _ in answers] == asked
    assert all(answer.source == "user" for _, answer in answers)
    assert all(answer.items for _, answer in answers)


def test_a_run_without_a_model_has_no_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "read_run", lambda database, run_id: PipelineRun("r1", []))
    assert finish.recommend_to_examples(Layout.of(tmp_path), "r1") == []


def test_a_pushed_version_that_is_gone_is_not_pushed(tmp_path: Path) -> None:
    version = tmp_path / "serving" / "7"
    version.mkdir(parents=True)
    properties = {"pushed": 1, "pushed_destination": str(version)}
    pushed = Output("PushedModel", tmp_path, properties, "pushed_model")
    run = PipelineRun("r1", [NodeRun("Pusher", "cached", 1.0, [pushed])])
    assert finish._pushed(run) == str(version)
    version.rmdir()
    assert finish._pushed(run) is None

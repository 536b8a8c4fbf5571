"""A run's own copy of its report."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs.lineage import NodeRun, Output, PipelineRun
from pipeline.runs.summary import keep_report
from reelflow.config.layout import Layout
from reelflow.report.render import LINK_MARK, MARK

SUMMARY = {
    "finished": "2026-01-02T03:04:05+00:00",
    "seconds": {"Trainer": 5.0},
    "cached": [],
    "versions": {"tfx": "1"},
    "config_hash": "c0ffee",
}


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
    keep_report(_run(artifact), folder, SUMMARY, "[train]\nepochs = 3")
    html = folder.report.read_text()
    for words in ("c0ffee", "epochs = 3", "Trainer", "2026-01-02"):
        assert words in html
    assert (folder.path / "model_card.md").read_text() == "card"
    assert MARK in (artifact / "report.html").read_text()


@pytest.mark.parametrize("run", [PipelineRun("r1", []), _run(Path("/gone"))])
def test_a_run_that_got_no_report_has_none(tmp_path: Path, run: PipelineRun) -> None:
    folder = Layout.of(tmp_path).run("r1")
    keep_report(run, folder, SUMMARY, "")
    assert not folder.path.exists()

"""The model of a run is asked for a few users of its own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.runs import summary
from pipeline.runs.lineage import NodeRun, Output, PipelineRun
from reelflow.config.layout import Layout
from tests.tiny_model import export

pytestmark = pytest.mark.slow


def _catalogue(folder: Path, users: list[str]) -> Output:
    split = folder / "Split-users"
    split.mkdir(parents=True)
    column = pa.array([[user] for user in users], pa.list_(pa.string()))
    pq.write_table(pa.table({"user_id": column}), split / "users-00000-of-00001.parquet")
    return Output("Examples", folder, {})


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
    monkeypatch.setattr(summary, "read_run", lambda database, run_id: run)
    answers = summary.recommend_to_examples(Layout.of(tmp_path), "r1")
    assert [user for user, _ in answers] == asked
    assert all(answer.source == "user" for _, answer in answers)
    assert all(answer.items for _, answer in answers)


def test_a_run_without_a_model_has_no_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "read_run", lambda database, run_id: PipelineRun("r1", []))
    assert summary.recommend_to_examples(Layout.of(tmp_path), "r1") == []

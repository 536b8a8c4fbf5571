"""`summary.json`: one model, which writes what it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs.summary import GateSummary, RunSummary, read_summary, write_summary
from reelflow.config.layout import Layout
from tests.pipeline.run_folders import leave_run

REGISTERED = {"registry": "r", "name": "n", "alias": "challenger", "version": 3, "model_hash": "h"}
BLESSED = {"blessed": True}


def test_a_file_is_read_and_written_again(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    leave_run(layout, "r1", guards=[{"name": "n", "passed": True, "detail": "d"}])
    file = layout.run("r1").summary
    summary = read_summary(file)
    assert summary is not None
    write_summary(summary, tmp_path / "again.json")
    before, after = (json.loads(f.read_text()) for f in (file, tmp_path / "again.json"))
    assert {key: after[key] for key in ("guards", "pushed", "seconds")} == {
        key: before[key] for key in ("guards", "pushed", "seconds")
    }
    assert after["data"].items() >= before["data"].items()
    assert read_summary(tmp_path / "again.json") == summary
    assert read_summary(tmp_path / "nothing.json") is None


def test_ungated_metrics_are_not_in_the_file(tmp_path: Path) -> None:
    gate = GateSummary(blessed=True, ungated=["top_100"])
    write_summary(RunSummary(run_id="r", finished="f", gate=gate), tmp_path / "s.json")
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["gate"] == {"blessed": True, "reasons": [], "not_gated": []}
    assert list(content) == list(RunSummary.model_fields)


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"pushed": "/x/1"}, False),
        ({"registered": None}, False),
        ({"gate": {"blessed": False}}, False),
        ({"serving_check": None}, False),
    ],
)
def test_a_registered_model_that_passed_awaits_promotion(
    changes: dict[str, Any], waits: bool
) -> None:
    content = {"gate": BLESSED, "serving_check": BLESSED, "registered": REGISTERED, **changes}
    assert RunSummary(run_id="r", finished="f", **content).awaits_promotion is waits

"""`summary.json`, the list of runs, and the run that a user names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs.summary import (
    GateSummary,
    RunSummary,
    find_run,
    list_runs,
    read_summary,
    write_summary,
)
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.evaluation.results import BoundRecord
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


def test_bounds_are_not_in_the_file(tmp_path: Path) -> None:
    gate = GateSummary(blessed=True, bounds=[BoundRecord("rmse", "rmse", None, 1.0, "")])
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


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout.of(tmp_path)
    leave_run(found, "20260101-a", 1)
    leave_run(found, "20260101-b", 2, pushed=None)
    leave_run(found, "20260102-c", 3, error="boom", pushed=None, metrics=None, seconds={})
    return found


def test_runs_are_listed_with_the_newest_first(layout: Layout) -> None:
    layout.run("20260103-d").path.mkdir()  # killed: nothing but a folder, as new as now
    found = list_runs(layout)
    assert [run.run_id[-1] for run in found] == ["d", "c", "b", "a"]
    assert [run.state for run in found] == ["unfinished", "failed", "refused", "pushed"]
    assert [run.seconds for run in found] == [None, None, 61.5, 61.5]
    assert [run.metric("unseen/top_100") for run in found] == [None, None, 0.5, 0.5]


def test_a_run_is_found_by_its_beginning(layout: Layout) -> None:
    assert find_run(layout, "20260102").run_id == "20260102-c"
    assert find_run(layout, "20260101-b").run_id == "20260101-b"


def test_the_whole_name_counts_before_a_beginning(layout: Layout) -> None:
    leave_run(layout, "20260101-a2")
    assert find_run(layout, "20260101-a").run_id == "20260101-a"


def test_latest_is_what_the_link_names_or_else_the_newest(layout: Layout) -> None:
    assert find_run(layout).run_id == "20260102-c"
    layout.point_latest_to("20260101-a")
    assert find_run(layout).run_id == "20260101-a"


def test_who_names_no_run_is_told_which_there_are(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Several runs begin with 20260101"):
        find_run(layout, "20260101")
    with pytest.raises(BadInput, match="has no run x; there are 20260102-c"):
        find_run(layout, "x")
    with pytest.raises(BadInput, match="no runs"):
        find_run(Layout.of(tmp_path / "nowhere"))

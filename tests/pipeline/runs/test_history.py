"""The list of runs, and the run that a user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs.summary import find_run, list_runs
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from tests.pipeline.run_folders import leave_run


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

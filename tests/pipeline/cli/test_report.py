"""`reelflow runs` and `reelflow report`, on folders without TFX."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.app import app
from reelflow.config.layout import Layout
from tests.pipeline.run_folders import leave_run, metrics


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout.of(tmp_path)
    leave_run(found, "20260101-000000", 1)
    leave_run(found, "20260102-000000", 2, pushed=None, metrics=metrics(0.4, 0.85))
    found.run("20260101-000000").report.write_text("<p>report</p>")
    return found


def _call(layout: Layout, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--output", str(layout.output)])


def test_runs_in_a_table(layout: Layout) -> None:
    answer = _call(layout, "runs")
    assert answer.exit_code == 0
    lines = [line.split() for line in answer.stdout.splitlines() if line.startswith(" 2026")]
    assert [line[0] for line in lines] == ["20260102-000000", "20260101-000000"]
    assert "refused" in lines[0]
    for words in ("pushed", "50.0", "55.0", "0.9000", "1,000"):
        assert words in lines[1]


def test_ids_are_whole_where_nothing_else_has_room(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = [line.split() for line in _call(layout, "runs").stdout.splitlines()]
    ids = [line[0] for line in lines if line and line[0].startswith("2026")]
    assert ids == ["20260102-000000", "20260101-000000"]


def test_runs_for_programs(layout: Layout) -> None:
    refused, pushed = json.loads(_call(layout, "runs", "--json").stdout)
    assert pushed["state"] == "pushed"
    assert pushed["seconds"] == 61.5
    assert pushed["report"] == str(layout.run("20260101-000000").report)
    assert (refused["top_100_unseen"], refused["report"]) == (0.4, None)
    assert (refused["top_10_unseen"], refused["top_10_liked"]) == (0.2, 0.25)


def test_a_run_on_events_has_no_rmse_in_the_list(layout: Layout) -> None:
    ratings = {"feedback": "events", "asked": "auto", "lowest": 1.0, "highest": 1.0}
    counts = {"rows": 9, "users": 3, "movies": 3, "format": "csv", "synthetic": False}
    leave_run(layout, "20260103-000000", 3, data={**counts, "ratings": ratings})
    newest = json.loads(_call(layout, "runs", "--json").stdout)[0]
    assert (newest["rmse"], newest["top_10_liked"], newest["top_100_unseen"]) == (None, None, 0.5)


def test_no_runs_is_no_failure(tmp_path: Path) -> None:
    answer = _call(Layout.of(tmp_path), "runs")
    assert answer.exit_code == 0
    assert "no runs" in answer.stdout
    assert json.loads(_call(Layout.of(tmp_path), "runs", "--json").stdout) == []


def test_the_path_of_a_report(layout: Layout) -> None:
    answer = _call(layout, "report", "20260101")
    assert answer.stdout.strip() == str(layout.run("20260101-000000").report)


def test_a_run_without_report_says_why(layout: Layout) -> None:
    leave_run(layout, "20260103-000000", 3, error="Trainer failed.", metrics=None)
    for arguments in (["report"], ["report", "20260101", "20260103"]):
        answer = _call(layout, *arguments)
        assert answer.exit_code == 2
    assert _call(layout, "report", "1", "2", "3").exit_code == 2


def test_open_asks_the_browser(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: not opened.append(uri))
    assert _call(layout, "report", "20260101", "--open").exit_code == 0
    assert opened == [layout.run("20260101-000000").report.as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    assert _call(layout, "report", "20260101", "--open").exit_code == 2


def test_two_runs_side_by_side(layout: Layout) -> None:
    config = layout.run("20260102-000000").config
    config.write_text("[train]\nepochs = 30\nlearning_rate = 0.01\n")
    answer = _call(layout, "report", "20260101", "20260102")
    assert answer.exit_code == 0, answer.output
    lines = {line.split("  ")[0].strip(): line for line in answer.stdout.splitlines()}
    assert lines["Top-100 accuracy, unseen"].split()[3:] == ("50.0 % 40.0 % -10.0 % worse".split())
    assert lines["RMSE"].split() == "RMSE 0.900 stars 0.850 stars -0.050 stars better".split()
    assert lines["train.learning_rate"].split() == ["train.learning_rate", "0.001", "0.01"]
    assert "train.epochs" not in lines
    assert "The data are the same." in answer.stdout
    page = layout.difference("20260101-000000", "20260102-000000")
    assert answer.stdout.splitlines()[-1] == str(page)
    assert "train.learning_rate" in page.read_text()


def test_two_runs_show_live_figures_and_known_users(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    nightly = metrics(0.5, 0.9)
    for run, top_100 in (("20260104-000000", 0.6), ("20260105-000000", 0.7)):
        live = {"rows": 9, "metrics": metrics(top_100, 0.9), "intervals": {}, "nightly": nightly}
        leave_run(layout, run, 4, live=live, out_of_vocabulary={"users": 0.25, "movies": 0.0})
    out = _call(layout, "report", "20260104", "20260105").stdout
    lines = {line.split("  ")[0].strip(): line.split() for line in out.splitlines()}
    assert lines["Top-100 accuracy, unseen, live"][-7:] == "60.0 % 70.0 % +10.0 % better".split()
    assert lines["Test ratings by known users"][5:9] == ["75.0", "%", "75.0", "%"]
    assert "Top-10 accuracy, liked 30.0 % to 30.0 %" in out


def test_other_data_is_said_aloud(layout: Layout) -> None:
    leave_run(layout, "20260103-000000", 3, data_hash="other")
    answer = _call(layout, "report", "20260101", "20260103")
    assert "The data differ" in answer.stdout
    assert "data hash" in answer.stdout
    assert "The configurations are equal." in answer.stdout

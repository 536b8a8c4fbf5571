"""`reelflow schedule`: what it prints, installs and shows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.app import app
from pipeline.schedule.history import History, Turn
from reelflow.config.layout import Layout


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one span; the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ratings" / "2026-11-20"
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["schedule", *arguments])


def test_it_prints_both_clocks_and_installs_nothing(spans: Path) -> None:
    result = invoke("--data", "ratings", "--output", "out", "--every", "week", "--at", "04:30")
    assert result.exit_code == 0, result.output
    assert "OnCalendar=Sun *-*-* 04:30:00" in result.output
    assert "30 4 * * 0 cd " in result.output
    # Of data that have spans, the latest.
    assert "schedule run --data ratings --span latest --output" in result.output
    assert not (spans / "out" / "schedule").exists()


def test_a_plain_folder_has_no_spans(spans: Path) -> None:
    result = invoke("--data", "ratings/2026-11-20", "--output", "out", "--with", "cron")
    assert result.exit_code == 0, result.output
    assert "--span" not in result.output
    assert "OnCalendar" not in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere"], "does not exist"),
        (["--data", "ratings", "--every", "year"], "There are hour, day, week, month"),
        (["--data", "ratings", "--with", "launchd"], "There are systemd, cron"),
        (["--data", "ratings", "--at", "noon"], "not a time of the day"),
    ],
)
def test_what_could_not_run_is_told_at_once(spans: Path, options: list[str], words: str) -> None:
    result = invoke(*options, "--output", "out")
    assert result.exit_code == 2
    assert words in result.output


def test_status(spans: Path) -> None:
    result = invoke("status", "--output", "out")
    assert "No scheduled turn has ended" in result.output
    history = History(Layout.of(spans / "out"))
    history.add(Turn("2026-11-20T03:00:00+00:00", "pushed", 0, 61.0, "2026-11-20", "run-1"))
    history.add(Turn("2026-11-21T03:00:00+00:00", "unchanged", message="No newer data."))
    shown = invoke("status", "--output", "out").output
    assert shown.index("unchanged") < shown.index("pushed")
    assert "run-1" in shown
    facts = json.loads(invoke("status", "--output", "out", "--json").output)
    assert [turn["state"] for turn in facts["turns"]] == ["unchanged", "pushed"]
    assert facts["at_work"] is False


def test_a_turn_with_nothing_to_read(spans: Path) -> None:
    result = invoke("run", "--data", "ratings", "--span", "2026-11-21", "--output", "out")
    assert result.exit_code == 2
    assert "no span 2026-11-21" in result.output
    assert [t.state for t in History(Layout.of(spans / "out")).turns()] == ["failed"]


def test_nothing_to_remove(spans: Path) -> None:
    result = invoke("--remove", "--with", "systemd", "--output", "out")
    assert result.exit_code == 0
    assert "Nothing is installed" in result.output


def test_the_printed_job_has_a_limit_and_its_receivers(spans: Path) -> None:
    words = ("--data", "ratings", "--output", "out")
    plain = invoke(*words).output
    assert "--time-limit 720m" in plain
    told = invoke(*words, "--time-limit", "2h", "--on-failure", "mail me", "--webhook", "http://x")
    assert "--time-limit 2h --on-failure 'mail me' --webhook http://x" in told.output
    wrong = invoke(*words, "--time-limit", "soon")
    assert wrong.exit_code == 2
    assert "not a length of time" in wrong.output


def test_the_environments_registry_is_kept(spans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--data", "ratings", "--output", "out")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert 'registry.uri="http://mlflow:5000"' in invoke(*words).output
    own = invoke(*words, "--set", "registry.uri=http://mine:5000").output
    assert "mlflow:5000" not in own
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@mlflow:5000")
    refused = invoke(*words)
    assert refused.exit_code == 2
    assert "password" in refused.output
    assert "secret" not in refused.output


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (Turn(started="2026-11-20T03:00:00+00:00", state="pushed", exit_code=0, serving="1"), 0),
        (Turn(started="2026-11-20T03:00:00+00:00", state="failed", exit_code=2), 1),
        (Turn(started="2026-11-20T03:00:00+00:00", state="skipped", skips=3, serving="1"), 1),
        (Turn(started="2026-11-20T03:00:00+00:00", state="unchanged"), 1),
    ],
)
def test_status_is_fit_for_monitoring(spans: Path, turn: Turn, code: int) -> None:
    History(Layout.of("out")).add(turn)
    assert invoke("status", "--output", "out").exit_code == code
    answer = invoke("status", "--output", "out", "--json")
    assert answer.exit_code == code
    assert (json.loads(answer.output)["attention"] is None) is (code == 0)


def test_status_knows_how_old_the_last_good_turn_is(spans: Path) -> None:
    now = datetime.now(timezone.utc)
    for hours, state in ((30, "pushed"), (2, "skipped")):
        started = (now - timedelta(hours=hours)).isoformat(timespec="seconds")
        History(Layout.of("out")).add(Turn(started=started, state=state, serving="1", skips=1))
    assert invoke("status", "--output", "out", "--max-age", "36h").exit_code == 0
    old = invoke("status", "--output", "out", "--max-age", "24h")
    assert old.exit_code == 1
    assert "The last turn without trouble began" in old.output

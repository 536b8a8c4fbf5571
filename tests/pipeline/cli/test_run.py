"""`reelflow run` on a stand-in pipeline: what it shows, what it leaves, how it ends."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import types
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runs import finish, lineage, process
from reelflow.config.layout import Layout
from tests.pipeline import standin

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that is recognised."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    return folder


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """An output folder, and the stand-in in place of the real pipeline."""
    definition = types.ModuleType("pipeline.definition")
    definition.create_pipeline = standin.create_pipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pipeline.definition", definition)
    return Layout.of(tmp_path / "out")


def _run(layout: Layout, data: Path, *options: str) -> int:
    """Exit code of the command, run in this process; its output is on file descriptors 1 and 2."""
    arguments = ["run", "--data", str(data), "--output", str(layout.output), *options]
    # As in a process of its own: pytest's streams do not go where descriptors 1 and 2 go.
    with (
        open(1, "w", buffering=1, closefd=False) as out,
        open(2, "w", buffering=1, closefd=False) as err,
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        app(arguments)
    return int(ended.value.code or 0)


def _summary(layout: Layout) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((layout.latest / "summary.json").read_text())
    return loaded


def test_a_run_pushes_then_comes_from_the_cache(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(layout, data) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "noise" not in out
    assert "[2/4] Reader" in out
    assert "100 rows" not in out, "they are in quarantine"
    assert "Cached" not in out
    for words in ("top-100 accuracy, unseen", "popularity", "passed", str(layout.serving / "1")):
        assert words in out
    assert "\x1b" not in out
    assert "noise of a library" in (layout.latest / "log.txt").read_text()

    summary = _summary(layout)
    assert summary["pushed"] == str(layout.serving / "1")
    assert summary["error"] is None
    assert summary["metrics"]["unseen"]["top_100"] == 0.5
    assert summary["data"]["splits"] == {"train": 80, "validation": 10, "test": 10}
    assert set(summary["versions"]) == {"reelflow", "python", "tfx", "tensorflow", "beam", "tfrs"}
    assert set(summary["seconds"]) == {"ChampionResolver", "Reader", "Evaluator", "Pusher"}

    assert _run(layout, data) == 0
    assert "Cached      everything" in capfd.readouterr().out
    assert _summary(layout)["cached"] == ["Reader", "Evaluator", "Pusher"]
    assert len(list(layout.runs.iterdir())) == 2


def test_a_model_that_was_removed_is_pushed_again(layout: Layout, data: Path) -> None:
    assert _run(layout, data) == 0
    shutil.rmtree(layout.serving)
    assert _run(layout, data) == 0
    assert _summary(layout)["cached"] == ["Reader", "Evaluator"]
    assert Path(_summary(layout)["pushed"]).is_dir()


def test_a_refusal_says_why_and_has_its_own_exit_code(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(layout, data, "--set", "gate.rmse_max=0.5") == 3
    out = capfd.readouterr().out
    assert "refused" in out
    assert "RMSE 0.9 exceeds the bound 0.5" in out
    assert "not pushed" in out
    assert _summary(layout)["pushed"] is None
    assert _summary(layout)["gate"]["blessed"] is False
    # The effective configuration is kept and can be used again.
    again = _run(layout, data, "--config", str(layout.latest / "config.toml"))
    assert again == 3


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("bad", 2, ["error: ratings.csv: no ratings.", "Give some."]),
        ("boom", 1, ["error: Reader failed: ValueError: boom", "log"]),
    ],
)
def test_a_failure_is_one_message_and_a_log(
    layout: Layout,
    data: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fault: str,
    code: int,
    words: list[str],
) -> None:
    (data / "raise").write_text(fault)
    assert _run(layout, data) == code
    out, err = capfd.readouterr()
    for word in words:
        assert word in err
    assert "Traceback" not in out + err
    assert str(layout.runs) in out
    assert "Traceback" in caplog.text
    summary = _summary(layout)
    assert summary["error"]
    assert summary["metrics"] is None
    assert summary["pushed"] is None


def test_a_fault_before_the_first_node_leaves_a_summary(
    layout: Layout, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise TypeError("no graph")

    monkeypatch.setattr(sys.modules["pipeline.definition"], "create_pipeline", broken)
    assert _run(layout, data) == 1
    assert _summary(layout)["error"] == "The start failed: TypeError: no graph"
    assert _summary(layout)["seconds"] == {}


def test_two_runs_at_a_time_are_refused(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout.output.mkdir()
    with open(layout.lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _run(layout, data) == 2
    assert "another run is at work" in capfd.readouterr().err
    assert not layout.runs.exists()


def test_an_output_that_is_a_file_is_refused(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout.output.touch()
    assert _run(layout, data) == 2
    assert "choose another --output" in capfd.readouterr().err.lower()


def _damaged(layout: Layout) -> None:
    layout.metadata.write_bytes(b"garbage" * 200)


def _folder_in_the_way(layout: Layout) -> None:
    (layout.latest / "mine").mkdir(parents=True)


def _unreadable_lock(layout: Layout) -> None:
    layout.lock.mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_damaged, "metadata.db is not ML Metadata's database"),
        (_folder_in_the_way, "latest is not the link"),
        (_unreadable_lock, ".lock: Is a directory"),
    ],
)
def test_an_output_that_cannot_be_used_is_refused_at_the_start(
    layout: Layout,
    data: Path,
    capfd: pytest.CaptureFixture[str],
    harm: Callable[[Layout], None],
    words: str,
) -> None:
    layout.output.mkdir()
    harm(layout)
    assert _run(layout, data) == 2
    assert words in capfd.readouterr().err
    assert not layout.runs.exists()


def test_artifacts_that_no_database_knows_are_refused(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A new database gives their numbers again."""
    (layout.artifacts / "Reader" / "quarantine" / "1").mkdir(parents=True)
    layout.metadata.touch()
    assert _run(layout, data) == 2
    assert "which knows them, is gone" in capfd.readouterr().err
    shutil.rmtree(layout.artifacts)
    assert _run(layout, data) == 0


def test_metadata_in_use_is_refused_with_words(
    layout: Layout,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(process, "_LOCK_SECONDS", 0.0)
    layout.output.mkdir()
    other = sqlite3.connect(layout.metadata, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    assert _run(layout, data) == 2
    assert "another program uses it" in capfd.readouterr().err
    other.close()


@pytest.mark.parametrize(("moves", "code"), [(1, 0), (2, 0), (3, 1)])
def test_a_champion_that_changes_meanwhile_is_judged_against_anew(
    layout: Layout,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    moves: int,
    code: int,
) -> None:
    from pipeline.runs import promotion

    checked: list[str] = []

    def check(_config: object, _layout: object, run_id: str) -> None:
        checked.append(run_id)
        if len(checked) <= moves:
            raise promotion.ChampionMoved

    monkeypatch.setattr(promotion, "check_champion", check)
    assert _run(layout, data) == code
    out, err = capfd.readouterr()
    assert out.count("judging anew") == min(moves, 2)
    [folder] = layout.runs.iterdir()
    assert _summary(layout)["run_id"] == folder.name == checked[0]
    assert len(set(checked)) == len(checked) == min(moves + 1, 3)
    if code:
        assert "The champion changed 3 times" in err
        assert _summary(layout)["pushed"] is None
    else:
        assert _summary(layout)["pushed"] == str(layout.serving / "1")


def test_executions_of_a_killed_run_are_closed(layout: Layout, data: Path) -> None:
    assert _run(layout, data) == 0
    store = lineage.open_store(layout.metadata)
    executions = store.get_executions()
    for execution in executions:
        execution.last_known_state = type(execution).RUNNING
    store.put_executions(executions)
    assert _run(layout, data) == 0
    states = {e.last_known_state for e in lineage.open_store(layout.metadata).get_executions()}
    assert type(executions[0]).RUNNING not in states


def test_each_run_removes_what_older_ones_have_left(
    layout: Layout, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        assert _run(layout, data, "--set", "keep.runs=2") == 0
    assert len(list(layout.runs.iterdir())) == 2
    capfd.readouterr()
    words = ["clean", "--output", str(layout.output), "--set", "keep.runs=1"]
    for dry, left in ((["--dry-run"], 2), ([], 1)):
        answer = CliRunner().invoke(app, [*words, *dry])
        assert answer.exit_code == 0, answer.output
        assert ("Would remove" if dry else "Removed") + " 1 folder of a run" in answer.output
        assert len(list(layout.runs.iterdir())) == left
    nothing = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(nothing.output) == {"removed": True, "items": []}


def test_a_full_disk_is_said_and_leaves_a_summary(
    layout: Layout, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/artifacts/x")

    monkeypatch.setattr(finish, "finish_run", full)
    assert _run(layout, data) == 1
    assert "The disk is full, at /artifacts/x." in capfd.readouterr().err
    assert "The disk is full" in _summary(layout)["error"]


def test_a_termination_leaves_a_summary(
    layout: Layout, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def terminated(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pipeline.definition"], "create_pipeline", terminated)
        assert _run(layout, data) == 143
    assert capfd.readouterr().err.startswith("Terminated. Finished steps")
    assert _summary(layout)["error"] == "Terminated."


def test_ctrl_c_ends_cleanly(
    layout: Layout, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finish, "summarize", interrupted)
    assert _run(layout, data) == 130
    assert capfd.readouterr().err.startswith("Interrupted.")


def test_a_process_of_its_own_is_quiet_and_can_be_interrupted(layout: Layout, data: Path) -> None:
    command = [sys.executable, "-m", "tests.pipeline.reelflow_standin", "run"]
    command += ["--data", str(data), "--output", str(layout.output)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert run.stderr == ""

    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(layout.runs.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "Interrupted. Finished steps come from the cache next time.\n"

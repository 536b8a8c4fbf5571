"""A scheduled turn: runs if there is something new, never twice at a time, always noted."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.schedule import turn as turn_module
from pipeline.schedule.history import History, Turn
from pipeline.schedule.turn import Settings, take_turn
from reelflow.config.layout import Layout
from reelflow.registry.store import NoAnswer, Registry
from tests.command import ROOT


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(turn_module, "_has_champion", lambda _config, _layout: True)
    return Layout.of(tmp_path / "out")


@pytest.fixture
def arrive(tmp_path: Path) -> Callable[[str], Settings]:
    """Deliver a span, and says how to run on all there are."""

    def deliver(day: str) -> Settings:
        folder = tmp_path / "ratings" / day
        folder.mkdir(parents=True)
        (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n")
        (folder / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
        return Settings(data=str(tmp_path / "ratings"), span="latest")

    return deliver


@pytest.fixture
def reelflow(tmp_path: Path) -> Callable[[int], list[str]]:
    """A stand-in for the command: notes its arguments, leaves a run's folder, ends as told."""

    def standing_in(code: int) -> list[str]:
        script = f"""
            import json, pathlib, sys
            out = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
            calls = out / "calls.txt"
            with calls.open("a") as file:
                file.write(json.dumps(sys.argv[1:]) + "\\n")
            number = len(calls.read_text().splitlines())
            folder = out / "runs" / f"run-{{number}}"
            folder.mkdir(parents=True)
            version = out / "serving" / "reelflow" / "1"
            if {code} == 0:
                version.mkdir(parents=True, exist_ok=True)
                (version / "saved_model.pb").touch()
            pushed = None if "registry.promote=false" in sys.argv else str(version)
            summary = {{"run_id": folder.name, "finished": "", "pushed": pushed}}
            if "registry.promote=canary" in sys.argv:
                version = {{"registry": "", "name": "", "version": 2, "model_hash": ""}}
                summary |= {{"pushed": None, "registered": {{**version, "alias": "canary"}}}}
            (folder / "summary.json").write_text(json.dumps(summary))
            print("said by the run")
            sys.exit({code})
        """
        return [sys.executable, "-c", textwrap.dedent(script)]

    return standing_in


def turns(layout: Layout) -> list[Turn]:
    return History(layout).turns()


def calls(layout: Layout) -> list[list[str]]:
    file = layout.output / "calls.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def test_new_data_are_run_once(
    layout: Layout,
    arrive: Callable[[str], Settings],
    reelflow: Callable[[int], list[str]],
) -> None:
    settings = arrive("2026-11-20")
    first = take_turn(layout, settings, reelflow(0))
    assert (first.state, first.exit_code, first.span) == ("pushed", 0, "2026-11-20")
    assert first.run_id == "run-1"
    assert first.log is not None
    assert Path(first.log).read_text() == "said by the run\n"
    assert calls(layout) == [["run", *settings.arguments(), "--output", str(layout.output)]]

    again = take_turn(layout, settings, reelflow(0))
    assert (again.state, again.exit_code, again.log) == ("unchanged", None, None)
    assert "No newer data than span 2026-11-20" in again.message
    assert len(calls(layout)) == 1

    refused = take_turn(layout, arrive("2026-11-21"), reelflow(3))
    assert (refused.state, refused.exit_code, refused.run_id) == ("refused", 3, "run-2")
    # A verdict is a verdict: the same data are not tried again, another configuration is.
    assert take_turn(layout, settings, reelflow(0)).state == "unchanged"
    other = Settings(settings.config, None, settings.data, None, "latest", ("train.epochs=3",))
    assert take_turn(layout, other, reelflow(0)).state == "pushed"
    assert [turn.state for turn in turns(layout)] == [
        "pushed",
        "unchanged",
        "refused",
        "unchanged",
        "pushed",
    ]


@pytest.mark.parametrize("code", [1, 2, 130, -9])
def test_what_failed_is_tried_again(
    layout: Layout,
    arrive: Callable[[str], Settings],
    reelflow: Callable[[int], list[str]],
    code: int,
) -> None:
    settings = arrive("2026-11-20")
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    failed = take_turn(layout, settings, killed if code < 0 else reelflow(code))
    assert (failed.state, failed.exit_code) == ("failed", code)
    assert take_turn(layout, settings, reelflow(0)).state == "pushed"


def test_data_that_cannot_be_read_are_noted(
    layout: Layout, tmp_path: Path, reelflow: Callable[[int], list[str]]
) -> None:
    settings = Settings(data=str(tmp_path / "nowhere" / "{SPAN}"))
    turn = take_turn(layout, settings, reelflow(0))
    assert (turn.state, turn.exit_code) == ("failed", 2)
    assert "No folder with files fits" in turn.message
    assert calls(layout) == []
    assert turns(layout) == [turn]


@pytest.mark.parametrize("holder", ["turn", "run"])
def test_two_never_overlap(
    layout: Layout,
    arrive: Callable[[str], Settings],
    reelflow: Callable[[int], list[str]],
    holder: str,
) -> None:
    settings, history = arrive("2026-11-20"), History(layout)
    lock = history.lock if holder == "turn" else layout.lock
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert history.at_work is (holder == "turn")
        turn = take_turn(layout, settings, reelflow(0))
        assert (turn.state, turn.exit_code) == ("skipped", None)
        assert calls(layout) == []
    assert take_turn(layout, settings, reelflow(0)).state == "pushed"
    assert [t.state for t in turns(layout)] == ["skipped", "pushed"]
    assert not history.at_work


def test_a_killed_turn_is_noted_by_the_next_one(
    layout: Layout, arrive: Callable[[str], Settings], reelflow: Callable[[int], list[str]]
) -> None:
    history = History(layout)
    history.begin(Turn(started="2026-11-20T03:00:00+00:00", state="failed"))
    assert history.current() is not None
    take_turn(layout, arrive("2026-11-20"), reelflow(0))
    assert history.current() is None
    assert [(t.state, t.message) for t in turns(layout)] == [
        ("failed", "It was killed before it ended."),
        ("pushed", ""),
    ]


def test_a_run_that_hangs_is_ended(
    layout: Layout, arrive: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_module, "GRACE_SECONDS", 0.2)
    hangs = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    turn = take_turn(layout, arrive("2026-11-20"), [sys.executable, "-c", hangs], limit=1.0)
    assert (turn.state, turn.exit_code) == ("failed", 1)
    assert turn.message == "It took longer than 1.0 s and was ended."
    assert turn.seconds < 30


def test_a_turn_that_is_stopped_takes_its_run_with_it(
    layout: Layout, arrive: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = arrive("2026-11-20")
    script = f"""
        import signal, sys
        from pipeline.schedule.turn import Settings, take_turn
        from pipeline.runs.failures import explained
        from reelflow.config.layout import Layout
        hangs = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
        with explained():
            command = [sys.executable, "-c", hangs]
            take_turn(Layout.of({str(layout.output)!r}), {settings!r}, command)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    deadline = time.monotonic() + 60
    logs: list[Path] = []
    while not any(log.read_text() for log in logs) and time.monotonic() < deadline:
        time.sleep(0.05)
        logs = list(History(layout).logs.glob("*.log"))
    child = int(logs[0].read_text())
    process.terminate()
    assert process.wait(60) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    [turn] = turns(layout)
    assert (turn.state, turn.message) == ("failed", "It was stopped, and its run with it.")
    assert History(layout).current() is None


def test_a_model_that_waits_for_promotion_is_not_pushed(
    layout: Layout, arrive: Callable[[str], Settings], reelflow: Callable[[int], list[str]]
) -> None:
    settings = replace(arrive("2026-11-20"), overrides=("registry.promote=false",))
    assert take_turn(layout, settings, reelflow(0)).state == "waiting"
    assert take_turn(layout, settings, reelflow(0)).state == "unchanged"


def test_a_canary_waits_as_one(
    layout: Layout, arrive: Callable[[str], Settings], reelflow: Callable[[int], list[str]]
) -> None:
    settings = replace(arrive("2026-11-20"), overrides=("registry.promote=canary",))
    turn = take_turn(layout, settings, reelflow(0))
    assert (turn.state, turn.message) == ("waiting", "It waits as canary.")


def test_unchanged_data_run_again_if_nothing_is_served(
    layout: Layout, arrive: Callable[[str], Settings], reelflow: Callable[[int], list[str]]
) -> None:
    settings = arrive("2026-11-20")
    assert take_turn(layout, settings, reelflow(0)).serving == "1"
    shutil.rmtree(layout.serving)
    again = take_turn(layout, settings, reelflow(0))
    assert (again.state, again.serving) == ("pushed", "1")
    # A refusal is a verdict, whatever is served.
    shutil.rmtree(layout.serving)
    assert take_turn(layout, arrive("2026-11-21"), reelflow(3)).serving is None
    assert take_turn(layout, settings, reelflow(3)).state == "unchanged"


def test_unchanged_data_run_again_if_the_registry_has_no_champion(
    layout: Layout,
    arrive: Callable[[str], Settings],
    reelflow: Callable[[int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = arrive("2026-11-20")
    assert take_turn(layout, settings, reelflow(0)).state == "pushed"
    monkeypatch.undo()  # the stand-in has registered nothing
    assert take_turn(layout, settings, reelflow(0)).state == "pushed"
    # One that does not answer may have a champion.
    other = replace(settings, overrides=('registry.uri="http://localhost:1"',))
    monkeypatch.setattr(Registry, "by_alias", _no_answer)
    assert take_turn(layout, other, reelflow(0)).state == "unchanged"


def _no_answer(*_: object) -> None:
    raise NoAnswer("It does not answer.")


def test_skipped_turns_are_counted(
    layout: Layout, arrive: Callable[[str], Settings], reelflow: Callable[[int], list[str]]
) -> None:
    settings = arrive("2026-11-20")
    layout.output.mkdir()
    with layout.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [take_turn(layout, settings, reelflow(0)).skips for _ in range(3)] == [1, 2, 3]
    assert take_turn(layout, settings, reelflow(0)).skips == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"started": 1}', "\x00\xff"])
def test_damaged_state_stops_no_turn(
    layout: Layout,
    arrive: Callable[[str], Settings],
    reelflow: Callable[[int], list[str]],
    damage: str,
) -> None:
    history = History(layout)
    history.add(Turn(started="1", state="pushed"))
    with (history.folder / "history.jsonl").open("a") as file:
        file.write(f"{damage}\n")
    (history.folder / "current.json").write_text(damage)
    assert take_turn(layout, arrive("2026-11-20"), reelflow(0)).state == "pushed"
    assert turns(layout)[0].started == "1"
    assert turns(layout)[-1].state == "pushed"


def test_an_hour_that_comes_twice_has_two_logs(layout: Layout) -> None:
    history = History(layout)
    times = ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")
    assert len({history.log_of(time).name for time in times}) == 2


def test_half_a_line_spoils_no_history(tmp_path: Path) -> None:
    history = History(Layout.of(tmp_path))
    history.add(Turn(started="1", state="pushed"))
    with (history.folder / "history.jsonl").open("a") as file:
        file.write('{"started": "2", "sta')
    history.add(Turn(started="3", state="refused"))
    assert [turn.started for turn in history.turns()] == ["1", "3"]
    assert history.last_decided() == Turn(started="3", state="refused")

"""A run whose process is killed, by whatever: words, a summary, an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import ROOT

RUN = """
import os, signal, sys, time
from pathlib import Path
from pipeline.runs import supervisor

def command():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    supervisor.announce(folder)
    print(os.getpid(), flush=True)
    {deed}

supervisor.supervised(command)
"""


def _start(folder: Path, deed: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN.format(deed=deed), str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "memory is short"),
        (signal.SIGABRT, "native code gave up"),
        (signal.SIGSEGV, "when memory cannot be had"),
    ],
)
def test_a_killed_run_has_words_a_summary_and_an_exit_code(
    tmp_path: Path, number: signal.Signals, words: str
) -> None:
    folder = tmp_path / "out" / "runs" / "1"
    process = _start(folder, f"os.kill(os.getpid(), {int(number)})")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"The run was ended by {number.name}" in err
    assert words in err
    assert str(folder / "log.txt") in err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["error"].startswith(f"The run was ended by {number.name}")
    assert (tmp_path / "out" / "latest").resolve() == folder


def test_a_summary_that_the_run_has_left_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "runs" / "1"
    deed = "(folder / 'summary.json').write_text('own'); os.abort()"
    process = _start(folder, deed)
    process.communicate(timeout=60)
    assert (folder / "summary.json").read_text() == "own"


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_code_is_handed_on(tmp_path: Path, code: int) -> None:
    process = _start(tmp_path / "runs" / "1", f"sys.exit({code})")
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err == ""


def test_a_signal_reaches_the_run(tmp_path: Path) -> None:
    deed = (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); "
        "time.sleep(60)"
    )
    process = _start(tmp_path / "runs" / "1", deed)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_the_run_dies_with_its_parent(tmp_path: Path) -> None:
    process = _start(tmp_path / "runs" / "1", "time.sleep(60)")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait(timeout=60)
    deadline = time.monotonic() + 30
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # reaped by whoever adopted it


def test_without_a_parent_there_is_nothing_to_tell(tmp_path: Path) -> None:
    from pipeline.runs import supervisor

    assert supervisor.CHANNEL not in os.environ
    supervisor.announce(tmp_path)

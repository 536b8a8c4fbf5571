"""Processes at one port: one that dies is replaced, one that does not start ends the server."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.base.errors import ReelflowError
from reelflow.serving.workers import FIGURES, run_workers


def leave_pid(options: Path, scratch: Path, ready: Callable[[], None]) -> None:
    """Stand in for a server: write one's process id, and wait."""
    assert os.environ[FIGURES].startswith(str(scratch))
    (options / str(os.getpid())).touch()
    ready()
    signal.pause()


def fail(options: Path, scratch: Path, ready: Callable[[], None]) -> None:
    raise SystemExit(2)


def _pids(folder: Path, count: int) -> list[int]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pids = [int(path.name) for path in folder.iterdir()]
        if len(pids) >= count:
            return pids
        time.sleep(0.05)
    raise AssertionError("the processes did not start")


@pytest.mark.slow
def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    told: list[int] = []

    def play() -> None:
        try:
            first = _pids(tmp_path, 2)
            os.kill(first[0], signal.SIGKILL)
            told.extend(set(_pids(tmp_path, 3)) - set(first))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    player = threading.Thread(target=play)
    run_workers(2, leave_pid, tmp_path, player.start)
    player.join()
    assert len(told) == 1
    assert FIGURES not in os.environ
    with pytest.raises(ProcessLookupError):
        os.kill(told[0], 0)


@pytest.mark.slow
def test_one_that_does_not_start_ends_the_server(tmp_path: Path) -> None:
    with pytest.raises(ReelflowError, match="ended while it started"):
        run_workers(2, fail, tmp_path, lambda: None)

"""Processes at one port: one that dies is replaced, one that does not start ends the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

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


FIGURES_OF_ONE: Final = """
import sys
from types import SimpleNamespace
from reelflow.serving.events.journal import EventMetrics
from reelflow.serving.middleware import Metrics
from reelflow.serving.variants import VariantMetrics

metrics = Metrics()
events, variants = EventMetrics(metrics.registry), VariantMetrics(metrics.registry)
engine = SimpleNamespace(version=7)
variants.note("champion", engine, "answered", 0.1)
variants.share.labels("canary", "7").set(0.5)
variants.end("shadow", engine)
events.lag.set(float(sys.argv[1]))
print(metrics.text().decode())
"""


@pytest.mark.slow
def test_figures_of_all_processes_add_up(tmp_path: Path) -> None:
    for lag in ("3", "2"):
        command = [sys.executable, "-c", FIGURES_OF_ONE, lag]
        done = subprocess.run(
            command,
            env={**os.environ, FIGURES: str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        )
    assert "pid=" not in done.stdout
    for line in [
        'reelflow_answers_total{outcome="answered",variant="champion",version="7"} 2.0',
        'reelflow_variant_share{variant="canary",version="7"} 0.5',
        'reelflow_variant_share{variant="shadow",version="7"} 0.0',
        "reelflow_events_lag_seconds 3.0",
    ]:
        assert line in done.stdout.splitlines()

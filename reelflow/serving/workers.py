"""Several processes that answer at one port: started, watched, replaced when one dies, stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from reelflow.base.environment import die_with_parent
from reelflow.base.errors import ReelflowError
from reelflow.serving.middleware import FIGURES

log = logging.getLogger("reelflow.serving")
_AGAIN: Final = 1.0
"""Seconds before a process that died is replaced."""

Serve = Callable[[Any, Path, Callable[[], None]], None]
"""Serves with options, a folder that all processes share, and a function to call when ready."""


def run_workers(count: int, serve: Serve, options: Any, ready: Callable[[], None]) -> None:
    """Keep so many processes serving until SIGTERM or SIGINT.

    Args:
        count: of processes.
        serve: a function of a module; returns when its process is told to stop.
        options: for it; they are pickled.
        ready: called when all processes answer.

    Raises:
        ReelflowError: a process ended before it answered.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    handlers = [(number, signal.signal(number, stop)) for number in (signal.SIGTERM, signal.SIGINT)]
    with tempfile.TemporaryDirectory(prefix="reelflow-") as scratch:
        figures = Path(scratch, "figures")
        figures.mkdir()
        os.environ[FIGURES] = str(figures)
        running = [_start(serve, options, Path(scratch)) for _ in range(count)]
        try:
            told = False
            while not stopping:
                if not told and all(answers.is_set() for _, answers in running):
                    ready()
                    told = True
                wait([process.sentinel for process, _ in running], timeout=0.2)
                for dead in [pair for pair in running if not pair[0].is_alive()]:
                    if stopping:
                        break
                    if not dead[1].is_set():
                        raise ReelflowError("A process of the server ended while it started.")
                    log.warning("process %s died (%s)", dead[0].pid, dead[0].exitcode)
                    _forget(dead[0])
                    time.sleep(_AGAIN)
                    running.remove(dead)
                    running.append(_start(serve, options, Path(scratch)))
        finally:
            for process, _ in running:
                process.terminate()
            for process, _ in running:
                process.join()
            del os.environ[FIGURES]
            for number, handler in handlers:
                signal.signal(number, handler)


def _start(serve: Serve, options: Any, scratch: Path) -> tuple[BaseProcess, Event]:
    context = multiprocessing.get_context("spawn")
    answers = context.Event()
    process = context.Process(target=_work, args=(serve, options, scratch, answers, os.getpid()))
    process.start()
    return process, answers


def _work(serve: Serve, options: Any, scratch: Path, answers: Event, parent: int) -> None:
    die_with_parent(parent)
    serve(options, scratch, answers.set)


def _forget(process: BaseProcess) -> None:
    """Drop the gauges of a process that is no more."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(process.pid)

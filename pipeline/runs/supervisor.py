"""The process that stays when a run's own process is killed, and says so.

A run may be ended by what no Python code in it can catch: the kernel when memory is short, an abort
in native code, a signal that cannot be handled. Its parent does nothing but wait, so that even then
there are words, a summary and an exit code.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, NoReturn

from reelflow.base.environment import die_with_parent

AVAILABLE: Final = hasattr(os, "fork") and hasattr(signal, "sigtimedwait")
"""True where the system has what this needs; Linux has."""
FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that the parent hands on, unless the terminal has sent them to both."""
CHANNEL: Final = "REELFLOW_SUPERVISOR"
"""Variable with the file descriptor by which a run names its folder to its parent."""
PARENT: Final = "REELFLOW_PARENT"
"""Variable with the id of the process, as a scheduled turn, that a command ends with."""
_CHECK_SECONDS: Final = 1.0


def supervised(command: Callable[[], None]) -> NoReturn:
    """Run a command in a child process, and end as it ended.

    Call it before anything starts threads. The child dies with its parent.
    """
    reading, writing = os.pipe()
    watched = {signal.SIGCHLD, *FORWARDED}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    sys.stdout.flush()
    sys.stderr.flush()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.close(reading)
        os.environ[CHANNEL] = str(writing)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        die_with_parent(parent)
        command()
        sys.exit(0)
    os.close(writing)
    status = _wait(child, watched)
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb") as channel:
        named = (channel.read() or b"").decode()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        _report(number, Path(named) if named else None)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))


def announce(folder: Path) -> None:
    """Tell the parent, if there is one, which folder the run writes to."""
    channel = os.environ.pop(CHANNEL, None)
    if channel is not None:
        with os.fdopen(int(channel), "w") as file:
            file.write(str(folder))


def _wait(child: int, watched: set[signal.Signals]) -> int:
    """Return the child's status, and hand signals on in the meantime."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        info = signal.sigtimedwait(watched, _CHECK_SECONDS)
        # The terminal's own signals (from the kernel, of no process) reach the whole group.
        if info is not None and info.si_signo in FORWARDED and info.si_pid:
            os.kill(child, info.si_signo)


def _report(number: int, folder: Path | None) -> None:
    """Say that a signal has ended the run, and leave a summary."""
    name = signal.Signals(number).name
    why = {
        "SIGKILL": "something has killed it: the kernel does so when memory is short",
        "SIGABRT": "native code gave up, as it does when memory cannot be had",
        "SIGSEGV": "native code has crashed, as it may when memory cannot be had",
        "SIGBUS": "a file in use was cut short, or the disk is full",
    }.get(name, "something has ended it")
    message = f"The run was ended by {name}: {why}."
    remedy = "Finished steps come from the cache next time."
    if name in ("SIGKILL", "SIGABRT", "SIGSEGV"):
        remedy = f"Give it more memory, or see docs/how-to/big-data.md. {remedy}"
    print(f"error: {message}\n{remedy}", file=sys.stderr)
    if folder is None:
        return
    try:
        leave_summary(folder, message)
    except OSError as error:
        print(f"Its summary could not be written: {error}.", file=sys.stderr)
    print(f"log: {folder / 'log.txt'}", file=sys.stderr)
    sys.stderr.flush()


def leave_summary(folder: Path, message: str) -> None:
    """Write the summary of a run whose process has left none, and point `latest` to it.

    Raises:
        OSError: the disk does not take it.
    """
    from pipeline.runs.summary import RunSummary, write_summary
    from reelflow.config.layout import Layout

    path = folder / "summary.json"
    if not path.is_file():
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        write_summary(RunSummary(run_id=folder.name, finished=now, error=message), path)
    Layout(folder.parents[1]).point_latest_to(folder.name)

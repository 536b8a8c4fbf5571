"""What commands share that run TFX: one at a time in a folder, its words in the log."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from reelflow.base.common import file_lock
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import Layout


@contextmanager
def alone_in(layout: Layout) -> Iterator[None]:
    """Hold the output folder: two runs at a time would push over each other.

    Raises:
        BadInput: another process holds it, or it cannot be made.
    """
    try:
        layout.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{layout.output}: {error.strerror}.", "Choose another --output.") from None
    with file_lock(layout.lock) as acquired:
        if not acquired:
            raise BadInput(
                f"{layout.output}: another run is at work in this folder.",
                "Wait for it, or choose another --output.",
            )
        yield


class Interrupts:
    """Remembers Ctrl-C: inside a library's import it may come out as any other exception."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, *_: object) -> None:
        self.seen = True
        raise KeyboardInterrupt


def as_ours(failure: Exception, node: str) -> ReelflowError:
    """Our own errors as they are; anything else in one line that leads to the log."""
    if isinstance(failure, ReelflowError):
        return failure
    first = (str(failure).strip().splitlines() or [""])[0]
    return ReelflowError(
        f"{node} failed: {type(failure).__name__}: {first}",
        "This is a fault of the program or the machine: the log has the whole story.",
    )


def let_log_speak() -> None:
    """TFX tells what it does at level INFO: wanted in the log, where nobody is disturbed."""
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    absl_logging.set_stderrthreshold("info")
    logging.getLogger().setLevel(logging.INFO)


# Keeps the libraries' chatter out of the terminal: it goes to the run's log.


@contextmanager
def captured(log: Path) -> Iterator[TextIO]:
    """Send file descriptors 1 and 2 to `log`, children and C++ code included.

    Yields:
        The terminal (or whatever stdout was), for our own words.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    terminal = os.fdopen(os.dup(1), "w", encoding=encoding, errors="replace")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        terminal.close()
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)
        os.close(target)

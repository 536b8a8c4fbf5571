"""Process-wide settings of a run: lock of the output folder, interrupts, output to a log."""

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
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout


@contextmanager
def locked_output(layout: Layout) -> Iterator[None]:
    """Lock the output folder: two runs at a time would push over each other.

    Raises:
        BadInput: another process has locked it, or it cannot be made.
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
    """Note of Ctrl-C, which a library's import may turn into any other exception."""

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


def log_at_info() -> None:
    """Let TFX and the libraries log at level INFO, which they drop by default."""
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    absl_logging.set_stderrthreshold("info")
    logging.getLogger().setLevel(logging.INFO)


@contextmanager
def captured(log: Path) -> Iterator[TextIO]:
    """Send file descriptors 1 and 2 to `log`, children and C++ code included.

    Yields:
        The stdout of before, usually the terminal.
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

"""The process of a run: lock of the output folder, interrupts, output to a log, failures.

Imports nothing heavy.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from reelflow.base.common import file_lock
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import Layout

# Beam's workers answer with a traceback as text; its last line is "module.Class: message".
_RAISED = re.compile(r"^(?:[\w.]+\.)?(\w+): (.+?)(?: \[while running '[^\n]*'\])?$", re.MULTILINE)
_STEP = re.compile(r" \[while running '[^\n]*'\]\Z")


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


class StepFailed(ReelflowError):
    """A fault of the program or the machine inside a step; `reason` is its type and first line."""

    def __init__(self, step: str, failure: Exception) -> None:
        first = (str(failure).strip().splitlines() or [""])[0]
        self.reason = f"{type(failure).__name__}: {first}"
        super().__init__(
            f"{step} failed: {self.reason}",
            "This is a fault of the program or the machine: the log has the whole story.",
        )


def find_reelflow_error(failure: BaseException) -> ReelflowError | None:
    """Return the `ReelflowError` that TFX or Beam has wrapped in a failure; None without one.

    The innermost wins: Beam raises a copy that has the step's name at its end and lacks the remedy.
    """
    chain = list(_chain(failure))
    for error in reversed(chain):
        if isinstance(error, ReelflowError) and not _STEP.search(error.message):
            return error
    exit_codes = {cls.__name__: cls.exit_code for cls in _subclasses(ReelflowError)}
    for error in chain:
        for name, message in reversed(_RAISED.findall(str(error))):
            if name in exit_codes:
                return _rebuilt(message, exit_codes[name])
        if isinstance(error, ReelflowError):
            return _rebuilt(_STEP.sub("", error.message), type(error).exit_code)
    return None


def _rebuilt(message: str, exit_code: int) -> ReelflowError:
    error = ReelflowError(message)  # a subclass may take other arguments
    error.exit_code = exit_code
    return error


def _chain(failure: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    error: BaseException | None = failure
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _subclasses(cls: type[ReelflowError]) -> Iterator[type[ReelflowError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from _subclasses(sub)


def as_reelflow_error(failure: Exception, step: str) -> ReelflowError:
    """Return a `ReelflowError` as it is, and any other failure of a step as `StepFailed`."""
    return failure if isinstance(failure, ReelflowError) else StepFailed(step, failure)

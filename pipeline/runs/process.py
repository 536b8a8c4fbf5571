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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pipeline.runs.failures import Terminated, machine_fault
from reelflow.base.common import file_lock
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import Layout

# Beam's workers answer with a traceback as text; its last line is "module.Class: message".
_RAISED = re.compile(r"^(?:[\w.]+\.)?(\w+): (.+?)(?: \[while running '[^\n]*'\])?$", re.MULTILINE)
_LOCK_SECONDS = 5.0
_STEP = re.compile(r" \[while running '[^\n]*'\]\Z")


@contextmanager
def locked_output(layout: Layout) -> Iterator[None]:
    """Lock the output folder: two runs at a time would push over each other.

    Raises:
        BadInput: another process has locked it, it cannot be written to, or `latest` in it is none
            of Reelflow's links.
    """
    with ExitStack() as stack:
        try:
            layout.output.mkdir(parents=True, exist_ok=True)
            acquired = stack.enter_context(file_lock(layout.lock))
        except OSError as error:
            at = error.filename or layout.output
            remedy = "Give this user the right to write there, or choose another --output."
            raise BadInput(f"{at}: {error.strerror}.", remedy) from None
        if not acquired:
            raise BadInput(
                f"{layout.output}: another run is at work in this folder.",
                "Wait for it, or choose another --output.",
            )
        check_output(layout)
        yield


def check_output(layout: Layout) -> None:
    """Find at the start what would stop a run at its end.

    Raises:
        BadInput: `latest` is no link, or MLMD's file is no sqlite database, or is locked.
    """
    if layout.latest.exists() and not layout.latest.is_symlink():
        raise BadInput(
            f"{layout.latest} is not the link to the newest run that Reelflow makes.",
            "Move it away, or choose another --output.",
        )
    if layout.metadata.is_file():
        _check_unlocked(layout.metadata)


def check_artifacts(layout: Layout) -> None:
    """Find artifacts that no database knows, whose numbers a new one would give again.

    Raises:
        BadInput: there are some.
    """
    if layout.metadata.is_file() and layout.metadata.stat().st_size:
        return
    if any(path.name.isdigit() for path in layout.artifacts.glob("*/*/*")):
        raise BadInput(
            f"{layout.artifacts} has artifacts, but {layout.metadata}, which knows them, is gone.",
            "Restore it from a copy. Or remove the folder: the next run computes everything anew.",
        )


def _check_unlocked(database: Path) -> None:
    """Raise `BadInput` if another program has the database locked, which MLMD waits for mutely."""
    import sqlite3

    connection = sqlite3.connect(database, timeout=_LOCK_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise BadInput(
            f"{database}: {error}; another program uses it.",
            "Let that program end, for example a database browser, and run again.",
        ) from None
    except sqlite3.DatabaseError as error:
        raise BadInput(
            f"{database} is not ML Metadata's database, or it is damaged: {error}.",
            "Restore it from a copy. Or move it and the folder artifacts away: the next run then "
            "computes everything anew; pushed models and the registry are not in it.",
        ) from None
    finally:
        connection.close()


class Interrupts:
    """Note of Ctrl-C or SIGTERM, which a library's import may turn into any other exception.

    The first one counts: what cleans up after it is left in peace.
    """

    def __init__(self) -> None:
        self.seen: KeyboardInterrupt | None = None

    def __enter__(self) -> Interrupts:
        signals = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._interrupt) for number in signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, _: object) -> None:
        if self.seen is None:
            self.seen = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
            raise self.seen


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
        for stream in (sys.stdout, sys.stderr, terminal):
            with suppress(OSError):  # the disk is full: what follows says so
                stream.flush()
        with suppress(OSError):
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
    """Return a `ReelflowError` as it is, and any other failure of a step as `StepFailed`.

    A fault of the machine whose cause is known, as a full disk, has words of its own.
    """
    if isinstance(failure, ReelflowError):
        return failure
    known = machine_fault(failure)
    if known is None:
        return StepFailed(step, failure)
    return ReelflowError(f"{step} failed. {known.message}", known.remedy)


def with_remedy(error: ReelflowError, remedy: str) -> ReelflowError:
    """Return the error with another remedy."""
    changed = _rebuilt(error.message, error.exit_code)
    changed.remedy = remedy
    return changed

"""The last resort of every command: a failure of any kind ends in words and an exit code.

Imports nothing heavy, so that it also stands when an import fails.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from types import FrameType
from typing import Final

from reelflow.base.errors import ReelflowError
from reelflow.base.untrusted import printable

_SQLITE: Final = {
    "database or disk is full": "The disk is full.",
    "cannot commit - no transaction is active": "The disk is full, or cannot be written to.",
}
"""Words of sqlite, which MLMD and MLflow hand on in errors of their own, to ours."""
_MAKE_ROOM: Final = "Make room and run again: finished steps come from the cache."
FAULT: Final = 1
"""Exit code after a fault of the program or the machine."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; it ends a command as Ctrl-C does."""


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code after Ctrl-C or SIGTERM, the same as in shells."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


def name_of(interrupt: KeyboardInterrupt) -> str:
    """Return the word for Ctrl-C or SIGTERM that begins a message."""
    return "Terminated" if isinstance(interrupt, Terminated) else "Interrupted"


@contextmanager
def explained() -> Iterator[None]:
    """Turn what no command has caught into a message and an exit code; SIGTERM is as Ctrl-C.

    Raises:
        SystemExit: instead of any other failure.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except ReelflowError as error:
        print(f"error: {error.message}\n{error.remedy}".rstrip(), file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        print(f"{name_of(interrupt)}.", file=sys.stderr)
        raise SystemExit(exit_code(interrupt)) from None
    except Exception as failure:
        print(*words_of(failure), sep="\n", file=sys.stderr)
        raise SystemExit(FAULT) from failure


def words_of(failure: Exception) -> tuple[str, str]:
    """Return message and remedy for a fault; its traceback is kept in a file."""
    known = machine_fault(failure)
    if known is not None:
        return f"error: {known.message}", known.remedy
    first = printable((str(failure).strip().splitlines() or [""])[0])
    place = _keep_traceback(failure)
    return (
        f"error: {type(failure).__name__}: {first}".rstrip(": "),
        f"This is a fault of the program or the machine; {place}.",
    )


def machine_fault(failure: BaseException) -> ReelflowError | None:
    """Return words for a fault of the machine that is known by its cause; None for others."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, MemoryError):
            return ReelflowError(
                "There is not enough memory.",
                "Give the process more memory; docs/how-to/big-data.md says what takes it.",
            )
        for words, message in _SQLITE.items():
            if words in str(cause):
                return ReelflowError(message, _MAKE_ROOM)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f", at {cause.filename}" if cause.filename else ""
            return ReelflowError(
                f"The disk is full{where}.",
                _MAKE_ROOM,
            )
        if isinstance(cause, ModuleNotFoundError) and find_spec("tfx") is None:
            return ReelflowError(
                f"The package {cause.name} is not installed: this is the light installation, "
                "which serves.",
                "What makes models needs the whole one, `reelflow[serve,train]` (./setup.sh).",
            )
        if isinstance(cause, PermissionError) or (
            isinstance(cause, OSError) and cause.errno == errno.EROFS
        ):
            return ReelflowError(
                f"{cause.filename or 'A file'}: {os.strerror(cause.errno or errno.EACCES)}.",
                "Give this user the right to read and write there.",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _keep_traceback(failure: Exception) -> str:
    """Write the traceback to a file, or to stderr where no file can be; return words for it."""
    name = f"reelflow-fault-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    path = os.path.join(tempfile.gettempdir(), name)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(printable("".join(traceback.format_exception(failure))))
    except OSError:
        print(printable("".join(traceback.format_exception(failure))), file=sys.stderr)
        return "the traceback is above"
    return f"the traceback is in {path}"


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated

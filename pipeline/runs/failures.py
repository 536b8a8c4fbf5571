"""The errors behind what TFX, Beam and the libraries raise. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reelflow.base.errors import ReelflowError

# Beam's workers answer with a traceback as text; its last line is "module.Class: message".
_RAISED = re.compile(r"^(?:[\w.]+\.)?(\w+): (.+?)(?: \[while running '[^\n]*'\])?$", re.MULTILINE)
_STEP = re.compile(r" \[while running '[^\n]*'\]\Z")


class StepFailed(ReelflowError):
    """A fault of the program or the machine inside a step.

    Attributes:
        reason: the fault's type and the first line of its message.
    """

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
    classes = {cls.__name__: cls for cls in _subclasses(ReelflowError)}
    for error in chain:
        for name, message in reversed(_RAISED.findall(str(error))):
            if name in classes:
                return _rebuilt(classes[name], message)
        if isinstance(error, ReelflowError):
            return _rebuilt(type(error), _STEP.sub("", error.message))
    return None


def _rebuilt(cls: type[ReelflowError], message: str) -> ReelflowError:
    """Return an error of the same exit code; a subclass may take other arguments."""
    error = ReelflowError(message)
    error.exit_code = cls.exit_code
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

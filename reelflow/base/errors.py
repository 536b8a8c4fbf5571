"""Errors with a remedy, which the command line prints without a traceback."""

from __future__ import annotations

from collections.abc import Sequence

from reelflow.base.untrusted import printable


class ReelflowError(Exception):
    """A failure with a clear cause and, where there is one, a remedy.

    Attributes:
        message: what is wrong, naming file and line where they are known; printable.
        remedy: what to do about it; empty if there is nothing to suggest.
        exit_code: the exit code of the command line.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message, self.remedy = printable(message), printable(remedy)
        super().__init__(f"{self.message} {self.remedy}".strip())


class BadInput(ReelflowError):
    """Wrong use, wrong configuration or unusable data: exit code 2.

    Attributes:
        settings: what the remedy suggests to set, as `data.header=false`; empty if it names none.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "", settings: Sequence[str] = ()) -> None:
        super().__init__(message, remedy)
        self.settings = tuple(settings)

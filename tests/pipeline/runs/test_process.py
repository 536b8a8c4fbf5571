"""Our own errors are found inside what TFX and Beam make of them."""

from __future__ import annotations

import pytest

from pipeline.runs.process import find_reelflow_error
from reelflow.base.errors import BadInput, ReelflowError


def _raised(failure: Exception, cause: Exception | None) -> Exception:
    failure.__cause__ = cause
    return failure


def test_a_cause_is_found_with_its_remedy() -> None:
    ours = BadInput("a.csv: empty.", "Fill it.")
    assert find_reelflow_error(_raised(RuntimeError("x"), _raised(ValueError("y"), ours))) is ours


def test_the_original_wins_over_beams_copy() -> None:
    ours = BadInput("a.csv: empty.", "Fill it.")
    copy = BadInput("a.csv: empty. Fill it. [while running 'Read']")
    assert find_reelflow_error(_raised(copy, ours)) is ours


def test_beams_copy_alone_is_cleaned() -> None:
    found = find_reelflow_error(BadInput("a.csv: empty. [while running 'Read/ParDo(X)']"))
    assert found is not None
    assert (found.message, found.exit_code) == ("a.csv: empty.", 2)


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("Traceback:\n  x\nratings.errors.BadInput: a: b. [while running 'R']", "a: b.", 2),
        ("Traceback:\n  x\nratings.errors.ReelflowError: a: b.\n", "a: b.", 1),
    ],
)
def test_a_workers_traceback_is_read(text: str, message: str, code: int) -> None:
    found = find_reelflow_error(RuntimeError(text))
    assert found is not None
    assert (found.message, found.exit_code) == (message, code)


def test_other_failures_are_not_ours() -> None:
    assert find_reelflow_error(_raised(RuntimeError("ValueError: a"), KeyError("b"))) is None


def test_a_loop_of_causes_ends() -> None:
    first, second = RuntimeError("1"), RuntimeError("2")
    first.__cause__, second.__cause__ = second, first
    assert find_reelflow_error(first) is None


def test_subclasses_keep_their_exit_code() -> None:
    class Odd(ReelflowError):
        exit_code = 7

        def __init__(self, file: str, line: int) -> None:
            super().__init__(f"{file}:{line} is odd.")

    found = find_reelflow_error(RuntimeError("x.Odd: a:1 is odd. [while running 'R']"))
    assert found is not None
    assert (found.message, found.exit_code) == ("a:1 is odd.", 7)
    assert Odd("a", 1).message == found.message

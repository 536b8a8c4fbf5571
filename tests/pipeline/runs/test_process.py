"""Our own errors are found inside what TFX and Beam make of them; an output that is another's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.runs.process import find_reelflow_error, locked_output
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import Layout


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


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Give up root's rights, to which no folder is read-only, where the tests have them."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("harm", ["read-only", "foreign lock"])
def test_an_output_that_is_not_ours_is_refused_with_words(harm: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        layout = Layout.of(name)
        layout.output.chmod(0o755)
        if harm == "foreign lock":
            layout.lock.touch()
            layout.lock.chmod(0o444)
        else:
            layout.output.chmod(0o555)
        with (
            _as_nobody(),
            pytest.raises(BadInput, match=r"\.lock: Permission denied") as refused,
            locked_output(layout),
        ):
            pass
        assert "Give this user the right to write there" in refused.value.remedy
        layout.output.chmod(0o755)

"""Every failure that no command has caught ends in words and an exit code."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from pipeline.runs import failures
from reelflow.base.errors import BadInput


def _end(raised: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended, failures.explained():
        raise raised
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.fixture(autouse=True)
def _signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_fault_has_a_message_and_keeps_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = _end(IndexError("list index out of range"), capsys)
    assert code == 1
    assert err.startswith("error: IndexError: list index out of range\n")
    [kept] = tmp_path.glob("reelflow-fault-*.txt")
    assert str(kept) in err
    assert "Traceback" in kept.read_text()


def test_a_fault_whose_traceback_cannot_be_kept_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/no/such/folder")
    code, err = _end(IndexError("boom"), capsys)
    assert code == 1
    assert "Traceback" in err
    assert "the traceback is above" in err


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x"), "disk is full, at /data/x"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("Error when executing query: database or disk is full"), "disk is full"),
        (RuntimeError("cannot commit - no transaction is active query: COMMIT;"), "disk is full"),
    ],
)
def test_faults_of_the_machine_have_a_remedy(
    raised: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = RuntimeError("while running a step")
    wrapped.__cause__ = raised
    code, err = _end(wrapped, capsys)
    assert code == 1
    assert words in err
    assert len(err.splitlines()) == 2


def test_bad_input_keeps_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(BadInput("No.", "Try yes."), capsys) == (2, "error: No.\nTry yes.\n")


def test_a_termination_is_as_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def terminated() -> None:
        with failures.explained():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with pytest.raises(SystemExit) as ended:
        terminated()
    assert ended.value.code == 143
    assert capsys.readouterr().err == "Terminated.\n"
    assert _end(KeyboardInterrupt(), capsys) == (130, "Interrupted.\n")

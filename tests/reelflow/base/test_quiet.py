"""Standard error held back, and let out on failure."""

from __future__ import annotations

import os

import pytest

from reelflow.base.environment import quiet_stderr


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"C++ says hello\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def _fail() -> None:
    with quiet_stderr():
        os.write(2, b"the cause\n")
        raise ValueError("broken")


def test_a_failure_lets_out_what_was_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"):
        _fail()
    assert capfd.readouterr().err == "the cause\n"

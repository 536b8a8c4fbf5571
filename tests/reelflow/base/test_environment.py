"""The process is set up before TensorFlow is imported, and its messages are held back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from reelflow.base.environment import prepare, quiet_stderr


def test_keras_2_is_not_negotiable_and_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    prepare()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["GRPC_VERBOSITY"] == "ERROR"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["data", "--help"], ["run", "--no"]]
)
def test_the_command_starts_without_anything_heavy(arguments: list[str]) -> None:
    heavy = "{'tensorflow', 'tfx', 'apache_beam', 'pyarrow', 'numpy'}"
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('loaded', sorted({heavy} & set(sys.modules))))\n"
        f"sys.argv = ['reelflow', *{arguments!r}]\n"
        "from pipeline.cli import main\n"
        "main()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "loaded []" in run.stdout
    assert run.returncode == (2 if "--no" in arguments else 0)


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

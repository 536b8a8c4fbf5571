"""The command in the process of the tests, which has imported TFX already: that costs seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.cli.app import app

ROOT = Path(__file__).parents[1]
EXECUTABLE = Path(sys.executable).with_name("reelflow")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def reelflow(*words: str | Path) -> Ended:
    """Call `reelflow` in this process, its descriptors 1 and 2 as in one of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _descriptors(out, err):
            try:
                app([str(word) for word in words], prog_name="reelflow")
            except SystemExit as ended:
                code = int(ended.code or 0)
            else:
                code = 0
        return Ended(code, _text(out), _text(err))


def reelflow_process(*words: str | Path) -> Ended:
    """Call `reelflow` as people do."""
    command = [str(EXECUTABLE), *map(str, words)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def _descriptors(out: IO[bytes], err: IO[bytes]) -> Iterator[None]:
    with ExitStack() as stack:
        for number, file, redirect in ((1, out, redirect_stdout), (2, err, redirect_stderr)):
            getattr(sys, ("stdout", "stderr")[number - 1]).flush()
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(file.fileno(), number)
            # pytest's own streams do not go where the descriptors go.
            stream: Any = stack.enter_context(open(number, "w", buffering=1, closefd=False))
            stack.enter_context(redirect(stream))
        yield


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()

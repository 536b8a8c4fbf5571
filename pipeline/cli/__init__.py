"""The `reelflow` command: one file a sub-command, heavy imports inside the functions."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of `reelflow`; ends the process with one of the documented exit codes."""
    from pipeline.cli.app import app
    from reelflow.base.environment import prepare

    prepare()
    try:
        app(prog_name="reelflow")
    finally:
        # CPython notes a KeyboardInterrupt that crosses an `exec` of text (as in an import of a
        # named tuple), and under `python -m` would end by the signal although it was handled.
        exec("")
        if "tensorflow" in sys.modules:
            _hush()


def _hush() -> None:
    """Drop what TensorFlow's own destructors print while the interpreter shuts down."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)

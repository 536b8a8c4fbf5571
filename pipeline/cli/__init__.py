"""The `reelflow` command: one file a sub-command, heavy imports inside the functions."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_SUPERVISED = ("run", "compare", "sweep")
"""Sub-commands that train, and so may be killed for want of memory."""


def main() -> None:
    """Entry point of `reelflow`; ends the process with one of the documented exit codes."""
    from pipeline.runs import supervisor
    from reelflow.base.environment import die_with_parent, prepare_program
    from reelflow.base.errors import BadInput

    try:
        prepare_program()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if (parent := os.environ.pop(supervisor.PARENT, None)) is not None:
        die_with_parent(int(parent))
    if supervisor.AVAILABLE and sys.argv[1:2] and sys.argv[1] in _SUPERVISED:
        supervisor.supervised(_command)
    _command()


def _command() -> None:
    """Run the sub-command; ends by `SystemExit`."""
    from pipeline.runs.failures import explained

    try:
        with explained():
            from pipeline.cli.app import app

            app(prog_name="reelflow")
    finally:
        # CPython notes a KeyboardInterrupt that crosses an `exec` of text (as in an import of a
        # named tuple), and under `python -m` would end by the signal although it was handled.
        exec("")
        if "tensorflow" in sys.modules:
            _hush()


def _hush() -> None:
    """Drop what TensorFlow's own destructors print while the interpreter shuts down."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a full disk, or a reader that has gone
            stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)

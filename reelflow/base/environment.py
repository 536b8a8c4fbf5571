"""The environment that TensorFlow must find set, and its start-up messages held back."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.base.memory import use_large_blocks_again

# Set beforehand, these keep their values, to look for trouble; by default only errors are logged.
_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "AUTOGRAPH_VERBOSITY": "0",
    "GLOG_minloglevel": "2",
    "GRPC_VERBOSITY": "ERROR",
    "PYTHONWARNINGS": "ignore",
    # With oneDNN, TensorFlow's tensors come from pools that double and are never given back.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # On a GPU, memory as it is needed: training, checks and servers may share one.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


def prepare() -> None:
    """Set the variables that TensorFlow, Beam and gRPC read at import, for children as well.

    And let this process use large blocks of memory again. Imports nothing large and may be called
    more than once. Call it before TensorFlow is imported: later the variables have no effect, and
    TFRS refuses Keras 3 by itself.
    """
    # TFRS and TFT know Keras 2 only; TensorFlow reads this when it is imported (docs/adr/).
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if os.environ["PYTHONWARNINGS"] == "ignore":
        warnings.simplefilter("ignore")
    use_large_blocks_again()


UMASK = "REELFLOW_UMASK"
"""Variable with the umask of a program of Reelflow, octal; files hold what users have rated."""


def prepare_program() -> None:
    """Set up a process of our own: `prepare`, files for their owner alone, printable logs.

    Raises:
        BadInput: REELFLOW_UMASK is no umask.
    """
    from reelflow.base.errors import BadInput
    from reelflow.base.untrusted import keep_logs_printable

    prepare()
    keep_logs_printable()
    text = os.environ.get(UMASK, "077")
    try:
        os.umask(int(text, 8))
    except (ValueError, OverflowError):
        raise BadInput(f"{UMASK} = {text!r} is no umask.", "For example 077, or 027.") from None


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and let it out if the block fails.

    TensorFlow's log level does not reach lines written before its logging is initialised, hence the
    descriptor and not `sys.stderr`.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            buffer.seek(0)
            os.write(stderr, buffer.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, where it can (Linux).

    Args:
        parent: process id of the parent, which may have died already.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)

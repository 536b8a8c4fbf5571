"""The one place that sets the process up for TensorFlow; call `prepare` before it is imported."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# TFRS and TFT know Keras 2 only; TensorFlow reads this when it is imported (docs/adr/).
_REQUIRED = {"TF_USE_LEGACY_KERAS": "1"}

# Whoever looks for trouble may set these; by default the libraries keep to errors.
_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "AUTOGRAPH_VERBOSITY": "0",
    "GLOG_minloglevel": "2",
    "GRPC_VERBOSITY": "ERROR",
    "PYTHONWARNINGS": "ignore",
}


def prepare() -> None:
    """Set the variables that TensorFlow, Beam and gRPC read at import, for children as well.

    Imports nothing and may be called more than once. Too late once TensorFlow is imported: then
    TFRS refuses Keras 3 by itself.
    """
    os.environ.update(_REQUIRED)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if os.environ["PYTHONWARNINGS"] == "ignore":
        warnings.simplefilter("ignore")


# Keeps what TensorFlow's C++ parts say while starting off the terminal.


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back file descriptor 2; if the block fails, let out what was said.

    TensorFlow's log level does not reach lines written before its logging is initialised, hence the
    descriptor and not `sys.stderr`.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)

"""Large variables of a loaded model in memory that several processes share.

Each is written to a file once, and its variable's buffer then is a mapping of that file, so that
the system keeps one copy of its pages whatever the number of processes. A process that is forked
after TensorFlow has started its threads may hang, so that every one loads the model for itself.
"""

from __future__ import annotations

import fcntl
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from reelflow.saved_model.client import Signatures

_LEAST: Final = 16 << 20
"""Bytes from which on a variable is shared: TensorFlow copies mappings below some 10 MB."""


def variables_of(signatures: Signatures) -> list[Any]:
    """Return a model's variables, in the same order whenever it is loaded."""
    functions: list[Any] = [signatures.functions[name] for name in sorted(signatures.functions)]
    found = {
        variable.handle._id: variable
        for function in functions
        for variable in function.graph.variables
    }
    return list(found.values())


def share(variables: Iterable[Any], folder: Path) -> int:
    """Let variables live in files of a folder, which the first process writes; return their bytes.

    Args:
        variables: of one loaded model, in the same order in every process.
        folder: for this model alone; it is made if need be. Files that were mapped may be removed.

    Raises:
        OSError: a file cannot be written.
    """
    import tensorflow as tf

    large = [
        (number, variable)
        for number, variable in enumerate(variables)
        if variable.dtype != tf.string and _bytes(variable) >= _LEAST
    ]
    if not large:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for number, variable in large:
            file = folder / str(number)
            if not file.is_file():
                unfinished = file.with_suffix(".part")
                variable.numpy().tofile(unfinished)
                unfinished.rename(file)
    for number, variable in large:
        mapped = tf.raw_ops.ImmutableConst(
            dtype=variable.dtype,
            shape=variable.shape,
            memory_region_name=str(folder / str(number)),
        )
        variable.assign(mapped, read_value=False)
    return sum(_bytes(variable) for _, variable in large)


def _bytes(variable: Any) -> int:
    return math.prod(variable.shape) * int(variable.dtype.size)

"""Variables in mapped files: the same values, one file for all processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from reelflow.saved_model.client import Signatures
from reelflow.saved_model.shared import share, variables_of

ROWS = 5 << 20  # float32: 20 MB


def test_large_variables_are_mapped_and_equal(tmp_path: Path) -> None:
    values = np.arange(ROWS, dtype=np.float32)
    folder = tmp_path / "model"
    first, second = tf.Variable(values), tf.Variable(values)
    small = tf.Variable([1.0, 2.0])
    assert share([small, first], folder) == values.nbytes
    written = (folder / "1").stat()
    assert share([small, second], folder) == values.nbytes
    assert (folder / "1").stat().st_mtime_ns == written.st_mtime_ns
    assert Path("/proc/self/maps").read_text().count(f"{folder}/1") >= 1
    (folder / "1").unlink()  # what is mapped stays
    for variable in (first, second):
        assert np.array_equal(variable.numpy(), values)
    assert float(tf.gather(first, [ROWS - 1])[0]) == ROWS - 1


def test_a_small_model_is_left_alone(exported: Path, tmp_path: Path) -> None:
    variables = variables_of(Signatures.load(exported))
    assert len(variables) == 2
    assert share(variables, tmp_path / "model") == 0
    assert not (tmp_path / "model").exists()

"""Sufficient statistics for TFMA: one weighted row for each combination of slices.

All gated metrics are means (RMSE is the root of one), so a cell's mean with the cell's size as
example weight gives TFMA exactly what its rows would, at a cost that does not grow with the test
split (docs/adr/0008).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from components.evaluator.metrics import Floats
from components.evaluator.slices import Labels

WEIGHT: Final = "rows"
ZERO: Final = "zero"
RMSE: Final = "rmse"


def aggregate(columns: Mapping[str, Floats], slices: Mapping[str, Labels]) -> pa.RecordBatch:
    """Groups rows by all slices at once.

    Args:
        columns: metric to its value for each row, float64 [rows]; `squared_error` becomes the root
            of its mean, under the name `rmse`.
        slices: slice key to the row's value, text [rows].

    Returns:
        One row a cell, each column a list array with one value, as TFMA wants.
    """
    labels = np.stack(list(slices.values()), axis=1)
    cells, where = np.unique(labels, axis=0, return_inverse=True)
    where = where.reshape(-1)
    sizes = np.bincount(where, minlength=len(cells))
    out: dict[str, pa.Array] = {
        key: pa.array([value.encode() for value in cells[:, i]], pa.binary())
        for i, key in enumerate(slices)
    }
    for name, values in columns.items():
        means = np.bincount(where, weights=values, minlength=len(cells)) / sizes
        if name == "squared_error":
            out[RMSE] = pa.array(np.sqrt(means), pa.float32())
        else:
            out[name] = pa.array(means, pa.float32())
    out[WEIGHT] = pa.array(sizes, pa.float32())
    out[ZERO] = pa.array(np.zeros(len(cells)), pa.float32())
    offsets = pa.array(np.arange(len(cells) + 1), pa.int32())
    lists = [pa.ListArray.from_arrays(offsets, array) for array in out.values()]
    return pa.RecordBatch.from_arrays(lists, names=list(out))

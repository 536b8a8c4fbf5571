"""Evenly spread rows of a Parquet split, so that statistics cost the same whatever the size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


def even_rows(total: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose positions at equal distances, the first one drawn by seed.

    Args:
        total: rows there are.
        count: rows to choose, at most `total`.
        seed: of the first position.

    Returns:
        int64 [count], ascending, distinct, 0 to total - 1.
    """
    first = np.random.default_rng(seed).random()
    positions = np.floor((np.arange(count) + first) * (total / max(count, 1))).astype(np.int64)
    return np.minimum(positions, total - 1)


def shares(rows: dict[str, int], most: int) -> dict[str, int]:
    """Return the rows to take of each split, in proportion, at least one of each that has any."""
    total = sum(rows.values())
    if total <= most:
        return dict(rows)
    return {split: min(n, max(1, n * most // total)) for split, n in rows.items()}


def count_rows(paths: Sequence[str]) -> int:
    """Count the rows of Parquet files by their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


def write_subset(paths: Sequence[str], positions: npt.NDArray[np.int64], destination: str) -> None:
    """Copy some rows of Parquet files to one, a row group in memory at a time.

    Args:
        paths: files with the same columns, at least one.
        positions: rows of the files in a row, int64, ascending.
        destination: the Parquet file to write; its folder is made.
    """
    parts, start = [], 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.metadata.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                first, last = np.searchsorted(positions, [start, stop])
                if first < last:
                    rows = pa.array(positions[first:last] - start)
                    parts.append(file.read_row_group(group).take(rows))
                start = stop
            schema = file.schema_arrow
    Path(destination).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables([schema.empty_table(), *parts]), destination)

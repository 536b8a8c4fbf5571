"""Parquet shards of the `examples` and `catalogue` artifacts, and evenly spread rows of them.

Every column is an Arrow list. Statistics of evenly spread rows cost the same whatever the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from reelflow.base import columns
from reelflow.data.ingest import scratch
from reelflow.data.ingest.partition import Ratings
from reelflow.data.parquet import open_own
from reelflow.data.schema import single_values

_ROW_GROUP: Final = 2**18
# Timestamps and titles hardly repeat: to look for repetitions would double the time of a shard.
_REPEATING: Final = [
    f"{name}.list.item" for name in (columns.USER_ID, columns.MOVIE_ID, columns.RATING)
]

RATINGS: Final = pa.schema(
    [
        (columns.USER_ID, pa.list_(pa.string())),
        (columns.MOVIE_ID, pa.list_(pa.string())),
        (columns.RATING, pa.list_(pa.float32())),
        (columns.TIMESTAMP, pa.list_(pa.int64())),
    ]
)


def shard_path(uri: str, split: str, prefix: str, index: int, count: int) -> str:
    """Return the path of a shard, the same for every attempt: a repeated one replaces it."""
    return f"{uri}/Split-{split}/{prefix}-{index:05d}-of-{count:05d}.parquet"


def write_shard(table: pa.Table, path: str, work: str) -> None:
    """Write a Parquet file as a whole, replacing what is there; `work` as in `scratch`."""
    scratch.make_folder(path.rsplit("/", 1)[0])
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=_ROW_GROUP,
        use_dictionary=_REPEATING,
        use_compliant_nested_type=False,  # TFX expects Arrow's own "item"
    )
    scratch.write_atomically(path, sink.getvalue().to_pybytes(), work)


def ratings_table(ratings: Ratings, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Make a table of `RATINGS` of the rows at some positions, int64 [n]."""
    user = pa.DictionaryArray.from_arrays(pa.array(ratings.user[rows]), ratings.users)
    movie = pa.DictionaryArray.from_arrays(pa.array(ratings.movie[rows]), ratings.movies)
    timestamp = pa.nulls(len(rows), pa.int64())
    if ratings.timestamp is not None:
        timestamp = pa.array(ratings.timestamp[rows])
    values = (user.cast(pa.string()), movie.cast(pa.string()), pa.array(ratings.rating[rows]))
    return pa.table([single_values(column) for column in (*values, timestamp)], schema=RATINGS)


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
    return sum(open_own(path).metadata.num_rows for path in paths)


def write_subset(paths: Sequence[str], positions: npt.NDArray[np.int64], destination: str) -> None:
    """Copy some rows of Parquet files to one, a row group in memory at a time.

    Args:
        paths: files with the same columns, at least one.
        positions: rows to copy, counted over all files, int64, ascending.
        destination: the Parquet file to write; its folder is made.
    """
    parts, start = [], 0
    for path in paths:
        with open_own(path) as file:
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

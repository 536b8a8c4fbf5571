"""Parquet shards of the `examples` and `catalogue` artifacts: every column an Arrow list."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tfx.dsl.io import fileio

from components.example_gen.arrange import Ratings
from components.example_gen.whole import write_whole
from components.trainer import features

_ROW_GROUP: Final = 2**18
# Timestamps and titles hardly repeat: to look for repetitions would double the time of a shard.
_REPEATING: Final = [
    f"{name}.list.item" for name in (features.USER_ID, features.MOVIE_ID, features.RATING)
]

RATINGS: Final = pa.schema(
    [
        (features.USER_ID, pa.list_(pa.string())),
        (features.MOVIE_ID, pa.list_(pa.string())),
        (features.RATING, pa.list_(pa.float32())),
        (features.TIMESTAMP, pa.list_(pa.int64())),
    ]
)


def shard_path(uri: str, split: str, prefix: str, index: int, count: int) -> str:
    """Path of a shard; the same for every attempt at it, so that a repeated attempt replaces it."""
    return f"{uri}/Split-{split}/{prefix}-{index:05d}-of-{count:05d}.parquet"


def write_shard(table: pa.Table, path: str, work: str) -> None:
    """Write a Parquet file as a whole, replacing what is there; `work` as in `write_whole`."""
    fileio.makedirs(path.rsplit("/", 1)[0])
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=_ROW_GROUP,
        use_dictionary=_REPEATING,
        use_compliant_nested_type=False,  # TFX expects Arrow's own "item"
    )
    write_whole(path, sink.getvalue().to_pybytes(), work)


def ratings_table(ratings: Ratings, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Some ratings as a table of `RATINGS`.

    Args:
        ratings: what to take them from.
        rows: int64 [n], which.
    """
    user = pa.DictionaryArray.from_arrays(pa.array(ratings.user[rows]), ratings.users)
    movie = pa.DictionaryArray.from_arrays(pa.array(ratings.movie[rows]), ratings.movies)
    if ratings.timestamp is None:
        timestamp = pa.nulls(len(rows), pa.list_(pa.int64()))
    else:
        timestamp = single_values(pa.array(ratings.timestamp[rows]))
    columns = [
        single_values(user.cast(pa.string())),
        single_values(movie.cast(pa.string())),
        single_values(pa.array(ratings.rating[rows])),
        timestamp,
    ]
    return pa.table(columns, schema=RATINGS)


def single_values(values: pa.Array) -> pa.ListArray:
    """Each value as a list of one; each null as a null list [n]."""
    if not values.null_count:
        offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, values)
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(valid)])
    # A null offset makes the list that begins there null.
    offsets = pa.array(ends, pa.int32(), mask=np.append(~valid, False))
    return pa.ListArray.from_arrays(offsets, values.drop_null())

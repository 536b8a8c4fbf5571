"""Files that appear as a whole, so that work done twice leaves what work done once does.

A distributed engine repeats what a lost worker was doing, and the lost worker may only have been
cut off: then both write the same file, maybe while a third reads it.
"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from reelflow.base import columns as features
from reelflow.data import files
from reelflow.data.arrow import single_values
from reelflow.data.ingest.partition import Ratings


def write_whole(path: str, data: bytes, work: str) -> None:
    """Write a file that nobody ever sees in part, replacing what is there.

    Args:
        path: what to write.
        data: all of it.
        work: a folder on the same file system for what is unfinished. What a killed worker leaves
            there must be nobody's input.

    Raises:
        OSError: a folder is not there, or the file system is full.
    """
    if files.is_remote(path):  # an object appears when it is complete
        _write(path, data)
        return
    unfinished = f"{work}/unfinished-{uuid.uuid4().hex}"
    _write(unfinished, data)
    tf.io.gfile.rename(unfinished, path, overwrite=True)


def _write(path: str, data: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(data)


# Parquet shards of the `examples` and `catalogue` artifacts: every column an Arrow list.


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
    tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
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

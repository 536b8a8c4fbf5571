"""Arrow schemas of the canonical tables, the curated TFDV schemas, and helpers for Arrow data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from reelflow.base import columns

ID_TYPE: Final = pa.dictionary(pa.int32(), pa.string())

PARSED: Final = pa.schema(
    [
        (columns.USER_ID, ID_TYPE),
        (columns.MOVIE_ID, ID_TYPE),
        (columns.RATING, pa.float32()),
        (columns.TIMESTAMP, pa.int64()),
        (columns.FILE, pa.int32()),
        (columns.OFFSET, pa.int64()),
    ]
)
"""Valid ratings with the place that each came from; `timestamp` is null if the source has none."""

REJECTED: Final = pa.schema(
    [(columns.FILE, pa.int32()), (columns.OFFSET, pa.int64()), (columns.REASON, pa.uint8())]
)
"""Places of the rows that were refused, and why."""

MOVIES: Final = pa.schema(
    [
        (columns.MOVIE_ID, pa.string()),
        (columns.TITLE, pa.string()),
        (columns.GENRES, pa.list_(pa.string())),
        (columns.YEAR, pa.int64()),
    ]
)
"""The catalogue: every movie once."""

FEATURES: Final = pa.field(columns.FEATURES, pa.list_(pa.string()))
"""A further column of the catalogue, if the configuration declares columns as features."""

USERS: Final = pa.schema(
    [
        (columns.USER_ID, pa.string()),
        (columns.GENDER, pa.string()),
        (columns.AGE, pa.int64()),
        (columns.OCCUPATION, pa.string()),
        (columns.ZIP_CODE, pa.string()),
    ]
)
"""User attributes, null where they are not known; read only if the configuration opts in."""

# What schemas/*.pbtxt say, and ingestion has to know before TFDV looks at it.
TIMES: Final = (0, 4_102_444_800)
"""Domain of timestamps in seconds: 1970 to 2100."""
YEARS: Final = (-4000, 2100)
"""Domain of the years of release, of books too; a year outside of it is taken for missing."""
LONGEST_LIST: Final = 1024
"""Most genres, or features, of one movie."""


def curated_schema(name: str) -> Path:
    """Return the file of a curated TFDV schema, a text proto for ImportSchemaGen.

    Args:
        name: `ratings` (of the artifact `examples`) or `movies` (of `catalogue`).

    Raises:
        FileNotFoundError: there is no such schema.
    """
    return (Path(__file__).parents[2] / "schemas" / f"{name}.pbtxt").resolve(strict=True)


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a table's column as one array, copied only if it has several chunks."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def single_values(values: pa.Array) -> pa.ListArray:
    """Wrap each value in a list of one, each null in a null list [n]."""
    if not values.null_count:
        offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, values)
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(valid)])
    # A null offset makes the list that begins there null.
    offsets = pa.array(ends, pa.int32(), mask=np.append(~valid, False))
    return pa.ListArray.from_arrays(offsets, values.drop_null())


def to_ipc(table: pa.Table) -> bytes:
    """Serialize a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data

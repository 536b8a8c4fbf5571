"""Small helpers around Arrow tables."""

from __future__ import annotations

import pyarrow as pa


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A table's column as one array, copied only if it has several chunks."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)

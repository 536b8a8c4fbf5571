"""Arrow helpers: joining chunks, lists of one value, tables as bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.ipc


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A table's column as one array, copied only if it has several chunks."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


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


def to_ipc(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_ipc(data: bytes) -> pa.Table:
    """A table from an Arrow IPC stream, without copying its data."""
    with pyarrow.ipc.open_stream(data) as reader:
        return reader.read_all()

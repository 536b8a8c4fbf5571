"""Parquet files to columns, a part of a row group at a time; a row's place is its number from 0."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import files
from reelflow.data.formats.adapter import RatingsFile
from reelflow.data.forms.rows import Rows
from reelflow.data.parquet import open_parquet
from reelflow.data.reading import Chunk

_ROW_BYTES: Final = 64
"""Of ratings in memory, about; what a block comes to in rows follows from it."""


def check_types(types: Sequence[tuple[str, str, pa.DataType]], path: str) -> None:
    """Refuse columns of types that cannot stand for what they are mapped to.

    Args:
        types: canonical column, name and Arrow type of each.
        path: the file, for messages.

    Raises:
        BadInput: such a column.
    """
    for column, name, data_type in types:
        if isinstance(data_type, pa.DictionaryType):
            data_type = data_type.value_type
        simple = (
            pa.types.is_integer(data_type)
            or pa.types.is_floating(data_type)
            or pa.types.is_decimal(data_type)
            or pa.types.is_string(data_type)
            or pa.types.is_large_string(data_type)
            or pa.types.is_null(data_type)
        )
        timely = pa.types.is_timestamp(data_type) or pa.types.is_date(data_type)
        if not (simple or (timely and column == columns.TIMESTAMP)):
            raise BadInput(
                f"{path}: the column {name} is of type {data_type}, which is no {column}.",
                "Write it as text or as a number, or map another column in data.columns.",
            )


def read_rows(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[Rows]:
    """Read the row groups of a chunk in blocks of about `block_bytes`.

    Raises:
        BadInput: the file cannot be read.
    """
    layout = file.layout
    names = {c: n for c, n in zip(layout.columns, layout.names, strict=True) if c is not None}
    with open_parquet(file.path) as parquet:
        total = max(1, parquet.metadata.num_rows)
        stored = files.size_of(file.path)
        first = 0
        for group in range(parquet.num_row_groups):
            row = first
            first += parquet.metadata.row_group(group).num_rows
            if row < chunk.start or (chunk.end is not None and row >= chunk.end):
                continue
            for batch in parquet.iter_batches(
                batch_size=max(1, block_bytes // _ROW_BYTES),
                row_groups=[group],
                columns=list(names.values()),
                use_threads=False,
            ):
                cells = [_plain(batch.column(name)) for name in names.values()]
                count = batch.num_rows
                yield Rows(
                    size=stored * count // total,
                    offsets=np.arange(row, row + count, dtype=np.int64),
                    reasons=np.zeros(count, np.uint8),
                    table=pa.table(cells, names=list(names)),
                    at=np.arange(count),
                )
                row += count


def _plain(values: pa.Array) -> pa.Array:
    """Return values as one of the few types that the checks know."""
    if isinstance(values.type, pa.DictionaryType):
        values = values.dictionary_decode()
    if pa.types.is_decimal(values.type) or pa.types.is_float16(values.type):
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_large_string(values.type) or pa.types.is_null(values.type):
        values = values.cast(pa.string())
    return values.fill_null("") if pa.types.is_string(values.type) else values


def rows_as_json(path: str, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Look rows up by their ascending numbers, once each.

    Yields:
        Number of the row, and all its values as a JSON object.

    Raises:
        BadInput: the file cannot be read.
    """
    wanted = np.unique(np.array(numbers, np.int64))
    with open_parquet(path) as parquet:
        first = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            mine = wanted[(wanted >= first) & (wanted < first + count)]
            if len(mine):
                table = parquet.read_row_group(group, use_threads=False)
                rows = pc.take(table, pa.array(mine - first)).to_pylist()
                for number, row in zip(mine.tolist(), rows, strict=True):
                    yield number, json.dumps(row, default=str).encode()
            first += count

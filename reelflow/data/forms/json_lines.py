"""JSON lines to columns: Arrow's reader for a block, Python's for one that it does not take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.json

from reelflow.base import columns
from reelflow.data import quarantine, reading
from reelflow.data.formats.adapter import Layout, RatingsFile
from reelflow.data.forms.rows import Codes, Rows
from reelflow.data.reading import Chunk, Lines

_TYPES: Final[dict[type, pa.DataType]] = {str: pa.string(), int: pa.int64()}


def read_rows(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[Rows]:
    """Read a chunk in blocks of about `block_bytes`.

    Raises:
        BadInput: the file cannot be read.
    """
    for offset, block in reading.read_chunk(file, chunk, block_bytes):
        yield split_objects(block, offset, file.layout)


def split_objects(block: bytes, offset: int, layout: Layout) -> Rows:
    """Read the objects of a block, one in each line; a row is the same in any block.

    Args:
        block: whole lines.
        offset: position of the block in the file's content.
        layout: names and columns of the file.
    """
    lines = reading.find_lines(block)
    lines = lines.without(reading.blank_lines(lines, b""))
    reasons = np.zeros(len(lines), np.uint8)
    if layout.encoding == "utf-8":
        reasons[reading.undecodable(lines, block)] = quarantine.ENCODING.code
    names = {c: n for c, n in zip(layout.columns, layout.names, strict=True) if c is not None}
    table = None if reasons.any() else _read_block(block, lines, names)
    if table is None:
        table = _read_lines(block, lines, reasons, layout.encoding, names)
    at = np.flatnonzero(reasons == 0)
    return Rows(len(block), lines.starts + offset, reasons, table, at)


def parse_object(line: str) -> dict[str, Any] | None:
    """Read an object, whose numbers stay as they are written; None if there is no object."""
    try:
        value = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text_of(value: Any) -> str | None:
    """Return the text of a value of `parse_object`; None of lists and objects."""
    if value is None or isinstance(value, str):
        return value or ""
    return None if isinstance(value, (dict, list)) else json.dumps(value)


def _read_block(block: bytes, lines: Lines, names: dict[str, str]) -> pa.Table | None:
    """Read a block at once; None unless every line is an object of the same types."""
    if not len(lines):
        return None
    whole = (lines.data[lines.starts] == ord("{")) & (lines.data[lines.ends - 1] == ord("}"))
    if not whole.all() or block.find(b"\\u") >= 0:
        return None
    try:
        first = json.loads(block[lines.starts[0] : lines.ends[0]])
        types = {name: _type_of(column, first[name]) for column, name in names.items()}
        table = pyarrow.json.read_json(
            pa.BufferReader(block),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(list(types.items())),
                newlines_in_values=False,
                unexpected_field_behavior="ignore",
            ),
        )
    except (ValueError, RecursionError, KeyError, TypeError):  # ArrowInvalid is a ValueError
        return None
    if table.num_rows != len(lines):  # several objects in a line
        return None
    return table.select(list(names.values())).rename_columns(list(names))


def _type_of(column: str, value: object) -> pa.DataType:
    if column == columns.RATING and isinstance(value, (int, float)) and value is not True:
        return pa.float64()
    return _TYPES[type(value)]


def _read_lines(
    block: bytes, lines: Lines, reasons: Codes, encoding: str, names: dict[str, str]
) -> pa.Table:
    """Read line by line those without a reason, and give reasons to those that are no objects."""
    cells: dict[str, list[str]] = {column: [] for column in names}
    for at in np.flatnonzero(reasons == 0).tolist():
        line = block[lines.starts[at] : lines.ends[at]].decode(encoding, errors="replace")
        row = parse_object(line)
        texts = [None] if row is None else [text_of(row.get(name)) for name in names.values()]
        if None in texts:
            reasons[at] = quarantine.COLUMNS.code
        elif not _encodable(texts):
            reasons[at] = quarantine.ENCODING.code
        else:
            for column, text in zip(names, texts, strict=True):
                cells[column].append(text or "")
    return pa.table({column: pa.array(values, pa.string()) for column, values in cells.items()})


def _encodable(texts: Sequence[str | None]) -> bool:
    """Return False for half a surrogate pair, which only an escape can write."""
    try:
        "".join(text or "" for text in texts).encode()
    except UnicodeEncodeError:
        return False
    return True

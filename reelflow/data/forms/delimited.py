"""Delimited text to columns, vectorised.

Python runs line by line only where a line holds quotes that mean something, or cannot be decoded.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from reelflow.data import quarantine, reading
from reelflow.data.formats.adapter import Layout, RatingsFile
from reelflow.data.forms.rows import Rows
from reelflow.data.reading import Chunk, Lines, Mask, Positions

_SEPARATOR = b"\x1f"  # stands for a delimiter of several bytes
_MIN_BLOCK = 2**20
_BLANK = np.frombuffer(b' \t"', np.uint8)


def read_rows(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[Rows]:
    """Read a chunk in blocks of about `block_bytes`.

    Raises:
        BadInput: the file cannot be read.
    """
    for offset, block in reading.read_chunk(file, chunk, block_bytes):
        yield split_lines(block, offset, file.layout)


def split_lines(block: bytes, offset: int, layout: Layout) -> Rows:
    """Split the lines of a block into columns; a quoted value ends in its own line.

    Args:
        block: whole lines.
        offset: position of the block in the file's content.
        layout: of the file.
    """
    size, lines = len(block), reading.find_lines(block)
    blank = reading.blank_lines(lines, layout.delimiter)
    lines = lines.without(blank)
    offsets = lines.starts + offset
    damaged = reading.lines_with(lines, block, 0)
    if layout.encoding == "utf-8":
        damaged |= reading.undecodable(lines, block)
    elif not block.isascii():
        block = block.decode(layout.encoding, errors="replace").encode()
        lines = reading.find_lines(block).without(blank)
    reasons = np.where(damaged, quarantine.ENCODING.code, 0).astype(np.uint8)

    delimiter = layout.delimiter
    # pyarrow takes a carriage return inside a line for the line's end.
    broken = reading.lines_with(lines, block, reading.RETURN)
    if len(delimiter) > 1:
        broken |= reading.lines_with(lines, block, _SEPARATOR[0])
        block, delimiter = block.replace(delimiter, _SEPARATOR), _SEPARATOR
        lines = reading.find_lines(block).without(blank)
    elif delimiter == b" ":
        block = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb" {2,}", b" ", block))
        lines = reading.find_lines(block).without(blank)
    quoted = (
        reading.lines_with(lines, block, reading.QUOTE)
        if layout.quoted
        else np.zeros(len(lines), np.bool_)
    )
    delimiters = np.flatnonzero(lines.data == delimiter[0])
    needless = np.zeros(0, np.int64)
    if quoted.any():
        simple, needless = reading.simply_quoted(lines, delimiters)
        quoted &= ~simple
    broken |= ~quoted & ~reading.lines_of_count(lines, delimiters, len(layout.columns) - 1)
    reasons[broken & ~damaged] = quarantine.COLUMNS.code

    unquoted = np.flatnonzero((reasons == 0) & ~quoted)
    as_it_is = len(unquoted) == len(lines) and not blank.any() and not len(needless)
    table = _read_unquoted(lines, unquoted, needless, as_it_is, delimiter, layout.columns)
    chosen = np.flatnonzero((reasons == 0) & quoted)
    if not len(chosen):
        return Rows(size, offsets, reasons, table, unquoted)
    further, fits = _read_quoted(lines, chosen, block, delimiter, layout.columns)
    reasons[chosen[~fits]] = quarantine.COLUMNS.code
    table = pa.concat_tables([table, further])
    position = np.concatenate([unquoted, chosen[fits]])
    order = np.argsort(position, kind="stable")
    return Rows(size, offsets, reasons, table.take(pa.array(order)), position[order])


def _read_quoted(
    lines: Lines, chosen: Positions, block: bytes, delimiter: bytes, columns: tuple[str | None, ...]
) -> tuple[pa.Table, Mask]:
    """Read lines one by one, and say which have the right number of columns, bool [chosen]."""
    rows, fits = [], np.zeros(len(chosen), np.bool_)
    for at, (start, end) in enumerate(zip(lines.starts[chosen], lines.ends[chosen], strict=True)):
        text = block[start:end].decode("utf-8")
        try:
            # A reader for each line: one reader would look for a missing quote in the next lines.
            row = next(csv.reader([text], delimiter=delimiter.decode(), strict=True))
        except csv.Error:
            continue
        if len(row) == len(columns):
            rows.append(row)
            fits[at] = True
    columns_of_rows = list(zip(*rows, strict=True)) or [()] * len(columns)
    places = {name: at for at, name in enumerate(columns) if name is not None}
    cells = {name: pa.array(columns_of_rows[at], pa.string()) for name, at in places.items()}
    return pa.table(cells), fits


def _read_unquoted(
    lines: Lines,
    chosen: Positions,
    needless: Positions,
    as_it_is: bool,
    delimiter: bytes,
    columns: tuple[str | None, ...],
) -> pa.Table:
    """Read the columns, as strings, of lines that have the right number of delimiters.

    Quotes have no meaning in them; those that stand around complete values are `needless`. Nothing
    has to be left out of the block if it can be read `as_it_is`.
    """
    canonical = [column for column in columns if column is not None]
    if not len(chosen):
        return pa.table([pa.array([], pa.string()) for _ in canonical], names=canonical)
    data, behind = lines.data, lines.ends[chosen]
    if not as_it_is:
        begin = np.zeros(len(data) + 1, np.int8)
        begin[lines.starts[chosen]] = 1
        begin[behind] -= 1
        kept = np.cumsum(begin[:-1], dtype=np.int8).view(np.bool_)
        # The byte behind a line is its newline or carriage return, or there is none.
        kept[behind[behind < len(kept)]] = True
        kept[needless] = False
        data = np.append(data[kept], np.uint8(reading.NEWLINE))
        data[data == reading.RETURN] = reading.NEWLINE
    longest = int((behind - lines.starts[chosen]).max())
    # Ignored columns need a name too, and any that is not a canonical one will do.
    names = [column or f"ignored {at}" for at, column in enumerate(columns)]
    # `read_csv` is parallel, and walks through all objects of the process at every call.
    small = len(data) < _MIN_BLOCK
    read = _read_stream if small else pyarrow.csv.read_csv
    return read(
        pa.BufferReader(pa.py_buffer(data)),
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, block_size=max(_MIN_BLOCK, 2 * longest + 2)
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter.decode(), quote_char=False, ignore_empty_lines=True
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=canonical,
            column_types={column: pa.string() for column in canonical},
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )


def _read_stream(source: pa.BufferReader, **options: Any) -> pa.Table:
    return pyarrow.csv.open_csv(source, **options).read_all()

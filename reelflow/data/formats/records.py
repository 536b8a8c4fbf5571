"""Files of movies and users, cut into records: text of any kind, JSON lines and Parquet.

The encoding, the delimiter and the rest are found out for each file, and said. A record that cannot
be read is given with its bytes, its line and the reason, and the others are read all the same.
"""

from __future__ import annotations

import ast
import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa

from reelflow.base.errors import BadInput
from reelflow.data import containers, quarantine
from reelflow.data.formats.cells import Cell, as_cell
from reelflow.data.formats.layouts import TableLayout
from reelflow.data.formats.splitting import CELL_BYTES, Splitter, find_delimiter, quotes_escaped
from reelflow.data.parquet import MAGIC, open_parquet
from reelflow.data.quarantine import Reason

_BLOCK: Final = 2**20
_SNIFFED: Final = 200
"""Lines that are looked at to find things out."""
_BATCH: Final = 4_096
_RESTORE: Final = "Restore the file, or take it out of the data folder."


class Record(NamedTuple):
    """A row of a table: its cells in the order of the file's columns, or the reason to refuse it.

    `line` is where it begins, from 1; of Parquet the row. `raw` are its bytes without line end.
    """

    line: int
    raw: bytes
    cells: Sequence[Cell] = ()
    refused: Reason | None = None


@dataclass(frozen=True)
class Found:
    """The form of a table: what was found out, or what the format says."""

    form: str = "text"
    """`text`, `JSON lines` or `Parquet`."""
    encoding: str = "utf-8"
    """Of text: `utf-8`, `latin-1` or `cp1252`."""
    delimiter: str = ""
    """Of text."""
    names: tuple[str, ...] = ()
    """Names of the columns; empty if there is no header."""
    width: int = 0
    """Number of columns."""
    first: tuple[str, ...] = ()
    """Cells of the first line, whether it is the header or not."""


@dataclass(frozen=True)
class Table:
    """An opened table."""

    found: Found
    records: Iterable[Record] = field(repr=False)


def open_table(path: str, layout: TableLayout) -> Table:
    """Find out the form of a file of movies or users; its records are read when asked for.

    Args:
        path: the file.
        layout: what is known of it.

    Raises:
        BadInput: the file cannot be read, is empty, or is no table; also while reading.
    """
    with _content(path) as content:
        head = content.read(_BLOCK)
    if not head.strip(codecs.BOM_UTF8 + b" \t\r\n"):
        raise BadInput(f"{path} is empty.", _RESTORE)
    if head.startswith(MAGIC):
        return _open_parquet(path)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInput(f"{path} is UTF-16.", "Save the file as UTF-8.")
    if b"\0" in head:
        raise BadInput(f"{path} holds zero bytes: it is no text.", "Export it as CSV in UTF-8.")
    end = b"\r" if b"\n" not in head and b"\r" in head else b"\n"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"{") and not layout.delimiter:
        return _open_json(path, end)
    if start[:1] in (b"[", b"<") and not layout.delimiter:
        kind = "one JSON array" if start.startswith(b"[") else "HTML or XML"
        raise BadInput(
            f"{path} is {kind}, not a table.", "Write it as CSV, or as one JSON object a line."
        )
    return _open_text(path, layout, end)


def _content(path: str) -> Any:
    return containers.open_content(path)


def _lines(path: str, end: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a text from 1, without `end`, blank ones too; the first without mark."""
    with _content(path) as content:
        for number, line in enumerate(_cut(content, end), start=1):
            if len(line) >= CELL_BYTES:
                raise BadInput(
                    f"{path}, line {number}: longer than {CELL_BYTES >> 20} MiB.",
                    "This is no table of movies or users; name another file.",
                )
            yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _cut(content: IO[bytes], end: bytes) -> Iterator[bytes]:
    if end == b"\n":
        while line := content.readline(CELL_BYTES):
            yield line.removesuffix(end)
        return
    rest = b""
    while block := content.read(_BLOCK):
        *whole, rest = (rest + block).split(end)
        yield from whole
        if len(rest) >= CELL_BYTES:
            yield rest
            return
    if rest:
        yield rest


# Text.


@dataclass(frozen=True)
class _Traits:
    encoding: str
    escaped: tuple[str, ...]
    """Lines that hold an escaped quote, the first ones."""


def _traits(path: str, end: bytes) -> _Traits:
    """Look at every line of a text once, for its encoding."""
    unicode = other = windows = undefined = 0
    escaped: list[bytes] = []
    for _, line in _lines(path, end):
        if b'\\"' in line and len(escaped) < _SNIFFED:
            escaped.append(line)
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            unicode += 1
        except UnicodeDecodeError:
            other += 1
            windows += re.search(rb"[\x80-\x9f]", line) is not None
            undefined += re.search(rb"[\x81\x8d\x8f\x90\x9d]", line) is not None
    encoding = "utf-8"
    # A file of one is not taken for the other because of a few damaged lines.
    if other > unicode:
        encoding = "cp1252" if windows and not undefined else "latin-1"
    return _Traits(encoding, tuple(line.decode(encoding, "replace") for line in escaped))


def _open_text(path: str, layout: TableLayout, end: bytes) -> Table:
    traits = _traits(path, end)
    encoding = layout.encoding or traits.encoding
    sample = [
        line.decode(encoding, errors="surrogateescape")
        for _, line in islice((at for at in _lines(path, end) if at[1].strip()), _SNIFFED)
    ]
    delimiter = layout.delimiter or find_delimiter(sample, layout.quoted, layout.understands)
    quoted = layout.quoted and len(delimiter) == 1
    escaped = quoted and quotes_escaped(traits.escaped, delimiter)
    splitter = Splitter(delimiter, quoted, escaped, layout.rest)
    first = tuple(
        # What cannot be decoded must not reach messages.
        cell.strip().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for cell in splitter.first(sample)
    )
    has_header = layout.columns is None and not layout.by_position
    names = first if has_header else ()
    width = len(first) if layout.columns is None else len(layout.columns)
    records = _Lazy(lambda: _text_records(path, end, encoding, splitter, width, has_header))
    return Table(Found("text", encoding, delimiter, names, width, first), records)


@dataclass(frozen=True)
class _Lazy:
    """Records that are read whenever they are iterated over."""

    read: Callable[[], Iterator[Record]]

    def __iter__(self) -> Iterator[Record]:
        return self.read()


def _text_records(
    path: str, end: bytes, encoding: str, splitter: Splitter, width: int, has_header: bool
) -> Iterator[Record]:
    """Read the records of a text, the header left out."""
    lines = ((at, line.decode(encoding, "surrogateescape")) for at, line in _lines(path, end))
    rows = splitter.rows(lines, width)
    if has_header:
        next(rows, None)
    for number, taken, cells in rows:
        raw = end.join(line.encode(encoding, "surrogateescape") for line in taken)
        raw = raw.removesuffix(b"\r")
        if not all(map(_decoded, taken)):
            yield Record(number, raw, refused=quarantine.ENCODING)
        elif len(cells) != width or any("\0" in cell for cell in cells):
            yield Record(number, raw, refused=quarantine.COLUMNS)
        else:
            yield Record(number, raw, [cell.strip() for cell in cells])


def _decoded(line: str) -> bool:
    """Return False for a line that holds bytes which could not be decoded."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


# JSON lines.


def _open_json(path: str, end: bytes) -> Table:
    names: dict[str, None] = {}
    for _, line in islice(_lines(path, end), _SNIFFED):
        row = _object(line)
        names |= dict.fromkeys(map(str, row or ()))
    columns = tuple(names)
    if not columns:
        raise BadInput(f"{path} looks like JSON lines, but the first lines are no objects.")
    records = _Lazy(lambda: _json_records(path, end, columns))
    return Table(Found("JSON lines", "utf-8", "", columns, len(columns), columns), records)


def _object(line: bytes) -> dict[str, Any] | None:
    """Read an object as JSON or as Python writes it; None if the line is none."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(line.decode("utf-8").strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _json_records(path: str, end: bytes, names: Sequence[str]) -> Iterator[Record]:
    for number, line in _lines(path, end):
        if not line.strip():
            continue
        row, raw = _object(line), line.removesuffix(b"\r")
        if row is None:
            yield Record(number, raw, refused=quarantine.COLUMNS)
            continue
        cells = [as_cell(row.get(name)) for name in names]
        if b"\\u" in line and not _is_text(cells):
            yield Record(number, raw, refused=quarantine.ENCODING)
        else:
            yield Record(number, raw, cells)


def _is_text(cells: Sequence[Cell]) -> bool:
    """Return False for half a surrogate pair, which only an escape can write."""
    try:
        "".join(text for cell in cells for text in cell).encode()
    except UnicodeEncodeError:
        return False
    return True


# Parquet.


def _open_parquet(path: str) -> Table:
    with open_parquet(path) as file:
        names = tuple(file.schema_arrow.names)
    records = _Lazy(lambda: _parquet_records(path))
    return Table(Found("Parquet", "", "", names, len(names), names), records)


def _parquet_records(path: str) -> Iterator[Record]:
    number = 0
    with open_parquet(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            # By column: two columns may have the same name.
            for row in zip(*map(_values, batch.columns), strict=True):
                number += 1
                raw = json.dumps(row, ensure_ascii=False, default=str).encode(errors="replace")
                yield Record(number, raw, [as_cell(value) for value in row])


def _values(column: pa.Array) -> list[Any]:
    """Return Python's values of a column; times that Python has no room for are texts."""
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        values = column.cast(pa.string()).to_pylist()
    return values

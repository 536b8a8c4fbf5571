"""Parsing: a block of a ratings file to valid ratings, and the places of the other rows.

Vectorised: Python runs line by line only where a line holds a quote or cannot be decoded. For 1M
ratings (23 MB) a block takes about 0.3 s on one core.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from reelflow.base import columns
from reelflow.data import quarantine, reading, schema
from reelflow.data.formats.adapter import Layout, RatingsFile
from reelflow.data.formats.source import Source
from reelflow.data.reading import Lines, Mask, Positions, plan_chunks, read_chunk
from reelflow.data.scale import Bounds
from reelflow.data.schema import one_chunk

_SEPARATOR: Final = b"\x1f"  # stands for a delimiter of several bytes
_MIN_BLOCK: Final = 2**20
_BLOCK_BYTES: Final = 16 * 2**20

_NUMBER: Final = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
_WHOLE: Final = r"^-?\d{1,18}$"
_WHOLE_LENGTH: Final = 18
# Beside the codes of quarantine.REASONS: such rows are not damaged.
_UNRATED: Final = 255
_BLANK: Final = 254

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rules:
    """The definition of a valid rating."""

    limits: Bounds
    """Of ratings."""
    movie_ids: pa.Array | None
    """String array of the movies that there are, or None if every movie is accepted."""
    unrated: tuple[float, ...] = ()
    """Values that stand for "not rated"."""

    @classmethod
    def of(cls, source: Source, movies: pa.Table | None) -> Rules:
        """Return the rules for a source whose catalogue has been read."""
        ids = None if movies is None else one_chunk(movies.column(columns.MOVIE_ID))
        return cls(source.limits, ids, source.unrated)


@dataclass(frozen=True)
class Parsed:
    """The rows of a block, in order of offset."""

    ratings: pa.Table
    """Of `schema.PARSED`: the valid ratings."""
    rejected: pa.Table
    """Of `schema.REJECTED`: the other rows."""
    read: int
    """Number of rows; blank lines, and lines of blank cells, are none."""
    unrated: int = 0
    """Rows that hold no rating, by the rules; in neither table."""
    outside: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """Ratings of the rows that are refused as out of range, float32 [n]."""


def parse_block(block: bytes, *, offset: int, file: int, layout: Layout, rules: Rules) -> Parsed:
    """Parse a block of whole lines.

    Args:
        block: bytes that begin at the beginning of a line.
        offset: position of the block in the file's content.
        file: index of the file in the source.
        layout: delimiter and columns of the file.
        rules: the definition of a valid rating.

    Returns:
        The valid ratings, and the others with their reasons. Where several reasons apply, the first
        of `reelflow.data.quarantine.REASONS` counts. A row is the same wherever blocks are cut.
    """
    offsets, reasons, table, rows = _read_rows(block, layout)
    table, invalid = validate(table, rules)
    reasons[rows] = invalid
    good = invalid == 0
    outside = table.column(columns.RATING).to_numpy()[invalid == quarantine.RATING_RANGE.code]
    blank = _blank(block, offsets, reasons, layout.delimiter)
    reasons[blank] = _BLANK
    if not good.all():
        table = table.filter(pa.array(good))
    rows = rows[good]
    ratings = (
        table.append_column(columns.FILE, pa.array(np.full(len(rows), file, np.int32)))
        .append_column(columns.OFFSET, pa.array(offsets[rows] + offset))
        .cast(schema.PARSED)
    )
    bad = np.flatnonzero((reasons != 0) & (reasons < _BLANK))
    rejected = pa.table(
        [
            pa.array(np.full(len(bad), file, np.int32)),
            pa.array(offsets[bad] + offset),
            pa.array(reasons[bad]),
        ],
        schema=schema.REJECTED,
    )
    unrated = int((reasons == _UNRATED).sum())
    return Parsed(ratings, rejected, len(offsets) - len(blank), unrated, outside)


def _blank(block: bytes, offsets: Positions, reasons: Codes, delimiter: bytes) -> Positions:
    """Return the refused lines, int64 [n], whose cells are all blank: they are no rows."""
    maybe = np.flatnonzero(
        (reasons == quarantine.EMPTY_ID.code) | (reasons == quarantine.COLUMNS.code)
    )
    empty = delimiter + b' \t\r"'
    blank = []
    for line in maybe.tolist():
        # Only lines of such bytes alone are looked at as a whole.
        if block[offsets[line]] in empty:
            end = block.find(b"\n", offsets[line])
            text = block[offsets[line] : len(block) if end < 0 else end]
            if not text.strip(empty) and text.count(b'"') % 2 == 0:
                blank.append(line)
    return np.array(blank, np.int64)


def parse_files(
    files: Sequence[RatingsFile], rules: Rules, chunk_bytes: int
) -> Iterator[tuple[int, Parsed]]:
    """Parse ratings files one after the other, a block in memory at a time.

    Yields:
        Bytes of the block, and its ratings.

    Raises:
        BadInput: a file cannot be read.
    """
    for chunk in plan_chunks(files, chunk_bytes):
        file = files[chunk.file]
        for offset, block in read_chunk(file, chunk, _BLOCK_BYTES):
            yield (
                len(block),
                parse_block(block, offset=offset, file=chunk.file, layout=file.layout, rules=rules),
            )


def _read_rows(block: bytes, layout: Layout) -> tuple[Positions, Codes, pa.Table, Positions]:
    """Split the lines into columns; a quoted value ends in its own line.

    Returns:
        Offsets of all lines [lines], reasons of those that cannot be read [lines], columns of the
        others as strings [rows], and the line of each of those [rows].
    """
    lines = reading.find_lines(block)
    reasons = np.zeros(len(lines), np.uint8)
    damaged = reading.undecodable(lines, block)
    reasons[damaged] = quarantine.ENCODING.code
    quoted = (
        reading.lines_with(lines, block, reading.QUOTE)
        if layout.quoted
        else np.zeros(len(lines), np.bool_)
    )
    offsets = lines.starts

    delimiter = layout.delimiter
    # pyarrow takes a carriage return inside a line for the line's end.
    broken = reading.lines_with(lines, block, reading.RETURN)
    if len(delimiter) > 1:
        broken |= reading.lines_with(lines, block, _SEPARATOR[0])
        block = block.replace(delimiter, _SEPARATOR)
        lines, delimiter = reading.find_lines(block), _SEPARATOR
    delimiters = np.flatnonzero(lines.data == delimiter[0])
    needless = np.zeros(0, np.int64)
    if quoted.any():
        simple, needless = reading.simply_quoted(lines, delimiters)
        quoted &= ~simple
    broken |= ~quoted & ~reading.lines_of_count(lines, delimiters, len(layout.columns) - 1)
    reasons[broken & ~damaged] = quarantine.COLUMNS.code

    unquoted = np.flatnonzero((reasons == 0) & ~quoted)
    table = _read_unquoted(lines, unquoted, needless, delimiter, layout.columns)
    chosen = np.flatnonzero((reasons == 0) & quoted)
    if not len(chosen):
        return offsets, reasons, table, unquoted
    rows, fits = [], np.zeros(len(chosen), np.bool_)
    for at, (start, end) in enumerate(zip(lines.starts[chosen], lines.ends[chosen], strict=True)):
        text = block[start:end].decode("utf-8")
        try:
            # A reader for each line: one reader would look for a missing quote in the next lines.
            row = next(csv.reader([text], delimiter=delimiter.decode(), strict=True))
        except csv.Error:
            continue
        if len(row) == len(layout.columns):
            rows.append(row)
            fits[at] = True
    reasons[chosen[~fits]] = quarantine.COLUMNS.code
    columns_of_rows = list(zip(*rows, strict=True)) or [()] * len(layout.columns)
    places = {name: at for at, name in enumerate(layout.columns) if name is not None}
    further = {name: pa.array(columns_of_rows[at], pa.string()) for name, at in places.items()}
    table = pa.concat_tables([table, pa.table(further)])
    position = np.concatenate([unquoted, chosen[fits]])
    order = np.argsort(position, kind="stable")
    return offsets, reasons, table.take(pa.array(order)), position[order]


def _read_unquoted(
    lines: Lines,
    chosen: Positions,
    needless: Positions,
    delimiter: bytes,
    columns: tuple[str | None, ...],
) -> pa.Table:
    """Read the columns, as strings, of lines that have the right number of delimiters.

    Quotes have no meaning in them; those that stand around complete values are `needless`.
    """
    canonical = [column for column in columns if column is not None]
    if not len(chosen):
        return pa.table([pa.array([], pa.string()) for _ in canonical], names=canonical)
    data, behind = lines.data, lines.ends[chosen]
    if len(chosen) < len(lines) or len(needless):
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
    return pyarrow.csv.read_csv(
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


def validate(table: pa.Table, rules: Rules) -> tuple[pa.Table, Codes]:
    """Check and convert the columns of ratings.

    Args:
        table: the canonical columns as strings, without nulls [rows]; `timestamp` may be missing,
            and `rating`: then it is 1.
        rules: the definition of a valid rating.

    Returns:
        Table with user_id and movie_id dictionary<int32, string>, rating float32, timestamp int64
        [rows], whose values mean something in the valid rows only; and the reason of each row as an
        `code` of a `reelflow.data.quarantine.Reason`, 0 for a valid one and `_UNRATED` for one
        without a rating [rows].
    """
    cells = {name: one_chunk(table.column(name)) for name in table.column_names}
    for name, strings in cells.items():
        if _holds(strings, b" \t"):
            cells[name] = pc.ascii_trim_whitespace(strings)
    reasons = np.zeros(table.num_rows, np.uint8)
    users, user_empty = _ids(cells[columns.USER_ID])
    movies, movie_empty = _ids(cells[columns.MOVIE_ID])
    _refuse(reasons, user_empty | movie_empty, quarantine.EMPTY_ID.code)

    rating = np.ones(table.num_rows)
    if columns.RATING in cells:
        rating = _numbers(cells[columns.RATING])
        with np.errstate(over="ignore"):  # 1e50 is no rating either
            _refuse(reasons, ~np.isfinite(rating.astype(np.float32)), quarantine.RATING.code)
        if rules.unrated:
            _refuse(reasons, np.isin(rating, rules.unrated), _UNRATED)
        _refuse(reasons, ~rules.limits.hold(rating), quarantine.RATING_RANGE.code)

    if columns.TIMESTAMP in cells:
        timestamp, wrong = _whole_numbers(cells[columns.TIMESTAMP])
        _refuse(reasons, wrong, quarantine.TIMESTAMP.code)
    else:
        timestamp = pa.nulls(table.num_rows, pa.int64())

    if rules.movie_ids is not None:
        known = pc.is_in(movies.dictionary, value_set=rules.movie_ids)
        _refuse(reasons, ~_per_row(known, movies), quarantine.UNKNOWN_MOVIE.code)
    arrays = [users, movies, pa.array(rating.astype(np.float32)), timestamp]
    return pa.table(arrays, names=list(columns.RATINGS_COLUMNS)), reasons


def _refuse(reasons: Codes, wrong: Mask, code: int) -> None:
    reasons[wrong & (reasons == 0)] = code


def _holds(strings: pa.Array, searched: bytes) -> bool:
    """Return True if any of the bytes is anywhere in the strings."""
    buffer = strings.buffers()[2]
    content = np.frombuffer(b"" if buffer is None else buffer, np.uint8)
    return any(bool((content == byte).any()) for byte in searched)


def _numbers(strings: pa.Array) -> npt.NDArray[np.float64]:
    """Read decimal numbers, NaN where there is none; few are distinct, so each is read once."""
    encoded = strings.dictionary_encode()
    numeric = pc.match_substring_regex(encoded.dictionary, _NUMBER)
    numbers = pc.if_else(numeric, encoded.dictionary, pa.scalar(None, pa.string()))
    of_rows: npt.NDArray[np.float64] = _per_row(numbers.cast(pa.float64()), encoded)
    return np.asarray(of_rows, np.float64)


def _ids(strings: pa.Array) -> tuple[pa.DictionaryArray, Mask]:
    encoded = strings.dictionary_encode()
    return encoded, _per_row(pc.equal(encoded.dictionary, ""), encoded)


def _per_row(per_value: pa.Array, encoded: pa.DictionaryArray) -> npt.NDArray[Any]:
    """Spread a property of the distinct values to the rows."""
    of_value: npt.NDArray[Any] = per_value.to_numpy(zero_copy_only=False)
    return of_value[encoded.indices.to_numpy()]


def _whole_numbers(strings: pa.Array) -> tuple[pa.Array, Mask]:
    """Whole numbers of at most 18 digits, and where there is none.

    What the cast alone would take (hexadecimal, more digits) has to be refused in every block, or
    a row would depend on where the blocks are cut.
    """
    longest = pc.max(pc.binary_length(strings)).as_py() or 0
    if longest <= _WHOLE_LENGTH and not _holds(strings, b"xX"):
        try:
            return strings.cast(pa.int64()), np.zeros(len(strings), np.bool_)
        except pa.ArrowInvalid:
            pass
    valid = pc.match_substring_regex(strings, _WHOLE)
    numbers = pc.if_else(valid, strings, pa.scalar("0")).cast(pa.int64())
    return numbers, ~valid.to_numpy(zero_copy_only=False)

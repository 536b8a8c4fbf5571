"""The quarantine: refused rows with their file, line and reason, and their bytes.

A new reason is a line of the table below, in the order in which reasons take precedence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final, NamedTuple

import numpy as np
import pyarrow as pa

from reelflow.base.untrusted import no_formula
from reelflow.data.formats.adapter import Form, RatingsFile
from reelflow.data.forms.parquet_rows import rows_as_json
from reelflow.data.reading import NEWLINE, Chunk, read_chunk


class Reason(NamedTuple):
    """A reason to refuse a row."""

    code: int
    """As in the column `reason` of `schema.REJECTED`; 0 stands for a good row."""
    name: str
    """As in the files and in the configuration's documents."""
    words: str
    """As in the report."""


REASONS: Final = (
    Reason(1, "encoding", "broken text encoding"),
    Reason(2, "columns", "wrong number of columns, or a broken row"),
    Reason(3, "empty_id", "empty user or movie id"),
    Reason(4, "rating", "rating is no number"),
    Reason(5, "rating_range", "rating out of range"),
    Reason(6, "timestamp", "timestamp that cannot be read"),  # as `Layout.times` says
    Reason(7, "timestamp_range", "timestamp before 1970 or after 2100"),
    Reason(8, "unknown_movie", "movie not in the catalogue"),
    Reason(9, "duplicate", "the same user and movie again"),
    Reason(10, "conflict", "the same id again, with other content"),  # of movies and users
)
"""All reasons; where several apply to a row, the first one is given."""
ENCODING, COLUMNS, EMPTY_ID, RATING, RATING_RANGE, *_ = REASONS
TIMESTAMP, TIMESTAMP_RANGE, UNKNOWN_MOVIE, DUPLICATE, CONFLICT = REASONS[5:]
NAMES: Final = ("", *(reason.name for reason in REASONS))
"""Names by code."""
WORDS: Final = {reason.name: reason.words for reason in REASONS}

HEADER: Final = b"file\tline\treason\trow\n"
_BLOCK: Final = 16 * 2**20
# The return of a file of CRLF lines ends its rows.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\Z)|\xc2[\x80-\x9f]")
_HARMFUL: Final = re.compile(
    rb"\n|" + _CONTROL.pattern + rb"|(?:^|\t)[ \xc2\xa0\xef\xbb\xbf]*(?:[=+@-]|\xef\xbc)"
)


class QuarantinedRow(NamedTuple):
    """A refused row: `line` counts from 1, header included; `row` is without the newline.

    Of Parquet, the number of the row from 1, and its values as a JSON object.
    """

    file: str
    line: int
    reason: str
    row: bytes


def find_rows(rejected: pa.Table, files: Sequence[RatingsFile]) -> Iterator[QuarantinedRow]:
    """Look up refused rows in their files, each of which is read once, up to its last such row.

    Args:
        rejected: table of `schema.REJECTED`, in any order.
        files: the ratings files of the source.

    Yields:
        The rows in order of file and line.

    Raises:
        BadInput: a file cannot be read.
    """
    file_of, offset_of, reason_of = (rejected.column(at).to_numpy() for at in range(3))
    for index, file in enumerate(files):
        mine = np.flatnonzero(file_of == index)
        mine = mine[np.argsort(offset_of[mine], kind="stable")]
        if file.layout.form is Form.PARQUET and len(mine):
            reasons = dict(zip(offset_of[mine].tolist(), reason_of[mine], strict=True))
            for number, row in rows_as_json(file.path, list(reasons)):
                yield QuarantinedRow(file.name, number + 1, NAMES[reasons[number]], row)
            continue
        done, lines_before = 0, 0
        # From the first byte, so that a header counts as a line.
        blocks = read_chunk(file, Chunk(0, index, 0, None), _BLOCK) if len(mine) else ()
        for start, block in blocks:
            newlines = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
            until = int(np.searchsorted(offset_of[mine], start + len(block)))
            rows = mine[done:until]
            local = offset_of[rows] - start
            line_of = np.searchsorted(newlines, local)
            ends = np.append(newlines, len(block))[line_of]
            for at, end, line, reason in zip(local, ends, line_of, reason_of[rows], strict=True):
                number = lines_before + int(line) + 1
                yield QuarantinedRow(file.name, number, NAMES[reason], block[at:end])
            done, lines_before = until, lines_before + len(newlines)
            if done == len(mine):
                break


def write_quarantine(rows: Iterable[QuarantinedRow], sink: IO[bytes]) -> None:
    r"""Write `quarantine.tsv`: a header, then one line a row, the row's bytes last.

    They are unchanged, but that what a terminal would obey, and a line break inside of a row, is
    written as an escape, `\x1b` or `\n`, and that a cell which a spreadsheet would compute begins
    with an apostrophe.
    """
    sink.write(HEADER)
    for file, line, reason, row in rows:
        sink.write(_harmless(f"{file}\t{line}\t{reason}\t".encode() + row) + b"\n")


def _harmless(line: bytes) -> bytes:
    if not _HARMFUL.search(line):
        return line
    line = _CONTROL.sub(_escaped, line.replace(b"\n", b"\\n"))
    cells = line.decode("utf-8", "surrogateescape").split("\t")
    return "\t".join(map(no_formula, cells)).encode("utf-8", "surrogateescape")


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in match[0])

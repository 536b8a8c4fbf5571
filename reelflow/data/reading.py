"""Ratings files in pieces of bounded size, and the lines of such a piece, found by numpy."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from reelflow.base.errors import BadInput
from reelflow.data import containers, files
from reelflow.data.formats.adapter import Form, RatingsFile
from reelflow.data.parquet import row_ranges

NEWLINE: Final = ord("\n")
RETURN: Final = ord("\r")
QUOTE: Final = ord('"')
_SMALL: Final = 8
"""Small files together are at most this part of a chunk."""
LONGEST_LINE: Final = 64 * 2**20
"""Bytes; what has no line end for as long is no table."""

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Chunk:
    """A part of a ratings file: the lines whose first byte lies in [start, end).

    Of Parquet, the rows with these numbers, which are whole row groups.
    """

    index: int
    """Position among the chunks of the source; chunks are in the order of files and offsets."""
    file: int
    """Index of the file in the source."""
    start: int
    end: int | None
    """None: up to the end, as of compressed files, which have to be read from their beginning."""
    last_file: int | None = None
    """Index of the last of several small files that are one chunk, each of them whole."""

    def parts(self, ratings_files: Sequence[RatingsFile]) -> list[Chunk]:
        """Return a chunk for each file."""
        if self.last_file is None:
            return [self]
        files_of_chunk = range(self.file, self.last_file + 1)
        return [Chunk(self.index, i, ratings_files[i].data_start, None) for i in files_of_chunk]


def plan_chunks(ratings_files: Sequence[RatingsFile], chunk_bytes: int) -> list[Chunk]:
    """Cut ratings files into chunks of about `chunk_bytes`; a compressed file is one.

    Small files, as the Netflix Prize has one for each movie, are put together.

    Raises:
        BadInput: a file cannot be read.
    """
    chunks: list[Chunk] = []
    small = 0  # bytes of the last chunk, if it is of small files
    for index, file in enumerate(ratings_files):
        if file.layout.form is Form.PARQUET:
            for start, end in row_ranges(file.path, chunk_bytes):
                chunks.append(Chunk(len(chunks), index, start, end))
            small = 0
            continue
        if file.compression:
            small = 0
            chunks.append(Chunk(len(chunks), index, file.data_start, None))
            continue
        with containers.reading(file.path):
            size = files.size_of(file.path)
        if small + size <= chunk_bytes // _SMALL and small and chunks:
            chunks[-1] = replace(chunks[-1], end=None, last_file=index)
            small += size
            continue
        for start in range(file.data_start, size, chunk_bytes):
            chunks.append(Chunk(len(chunks), index, start, min(start + chunk_bytes, size)))
        small = size if file.data_start < size <= chunk_bytes // _SMALL else 0
    return chunks


@contextmanager
def open_lines(file: RatingsFile) -> Iterator[IO[bytes]]:
    """Open a ratings file, whose lines then end with line feeds.

    Raises:
        BadInput: the file cannot be read.
    """
    with containers.open_content(file.path) as content:
        if file.layout.line_end == b"\r":
            yield io.BufferedReader(_LineFeeds(content))
        else:
            yield content


def read_chunk(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a chunk in blocks.

    Yields:
        Offset of the block in the file's content, and its bytes: complete lines, of which only the
        file's last may lack its newline. At most `block_bytes` and one line.

    Raises:
        BadInput: the file cannot be read.
    """
    with open_lines(file) as content:
        offset = chunk.start
        if file.compression:
            _skip(content, chunk.start)
        elif chunk.start > file.data_start:
            # The line that reaches into this chunk belongs to the one before. It has ended if the
            # byte before the chunk is its newline.
            content.seek(chunk.start - 1)
            offset += len(_rest_of_line(content, file)) - 1
        else:
            content.seek(chunk.start)
        while chunk.end is None or offset < chunk.end:
            size = block_bytes if chunk.end is None else min(block_bytes, chunk.end - offset)
            block = content.read(size)
            if not block:
                return
            if not block.endswith(b"\n"):
                block += _rest_of_line(content, file)
            yield offset, block
            offset += len(block)


def _rest_of_line(content: IO[bytes], file: RatingsFile) -> bytes:
    rest = content.readline(LONGEST_LINE)
    if len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
        raise BadInput(
            f"{file.path}: a line is longer than {LONGEST_LINE // 2**20} MiB.",
            "This is hardly a table of ratings: take it out of the data folder, or mend it.",
        )
    return rest


def _skip(content: IO[bytes], count: int) -> None:
    while count > 0:
        skipped = len(content.read(min(count, LONGEST_LINE)))
        count = count - skipped if skipped else 0


class _LineFeeds(io.RawIOBase):
    """A file whose carriage returns are read as line feeds, byte for byte."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._content.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:  # the buffer protocol has no type before Python 3.12
        view = memoryview(buffer)
        data = self._content.read(len(view)).replace(b"\r", b"\n")
        view[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class Lines:
    """The lines of a block that are not blank.

    Attributes:
        data: uint8 [bytes], the block.
        starts: int64 [lines], first byte of each line.
        ends: int64 [lines], behind the last byte of each, without newline and carriage return.
    """

    data: npt.NDArray[np.uint8]
    starts: Positions
    ends: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def without(self, lines: Mask) -> Lines:
        """Return these lines without some, bool [lines]."""
        return Lines(self.data, self.starts[~lines], self.ends[~lines]) if lines.any() else self

    def holding(self, positions: Positions) -> Positions:
        """Return the indices of the lines in which sorted byte positions lie, int64, once each."""
        following = np.searchsorted(self.starts, positions, side="right")
        line, positions = following[following > 0] - 1, positions[following > 0]
        return np.unique(line[positions < self.ends[line]])


def find_lines(block: bytes) -> Lines:
    """Find the lines of a block that begins and ends with whole lines."""
    data = np.frombuffer(block, np.uint8)
    newlines = np.flatnonzero(data == NEWLINE)
    starts = np.concatenate([[0], newlines + 1]).astype(np.int64)
    ends = np.concatenate([newlines, [len(data)]]).astype(np.int64)
    if b"\r" in block:
        filled = ends > starts
        ends[filled] -= data[ends[filled] - 1] == RETURN
    kept = ends > starts
    return Lines(data, starts[kept], ends[kept])


def lines_of_count(lines: Lines, positions: Positions, count: int) -> Mask:
    """Mark the lines that hold exactly `count` of the sorted byte positions, bool [lines]."""
    if count and len(positions) == count * len(lines):
        # Nearly always every line is as it should be, which is quicker to see than to count.
        table = positions.reshape(-1, count)
        if (table[:, 0] >= lines.starts).all() and (table[:, -1] < lines.ends).all():
            return np.ones(len(lines), np.bool_)
    before_end = np.searchsorted(positions, lines.ends)
    return np.asarray(before_end - np.searchsorted(positions, lines.starts) == count)


def lines_with(lines: Lines, block: bytes, byte: int) -> Mask:
    """Mark the lines that hold a byte, bool [lines]."""
    mask = np.zeros(len(lines), np.bool_)
    if bytes([byte]) in block:
        mask[lines.holding(np.flatnonzero(lines.data == byte))] = True
    return mask


def blank_lines(lines: Lines, delimiter: bytes) -> Mask:
    """Mark the lines in which every cell is blank, bool [lines]."""
    ignored = b" \t" + delimiter
    maybe = np.zeros(256, np.bool_)
    maybe[np.frombuffer(ignored + b'"', np.uint8)] = True
    mask = np.asarray(maybe[lines.data[lines.starts]])
    for at in np.flatnonzero(mask):
        line = lines.data[lines.starts[at] : lines.ends[at]].tobytes()
        unquoted = line.replace(b'""', b"") if delimiter and delimiter in line else line
        mask[at] = not unquoted.strip(ignored)
    return mask


def undecodable(lines: Lines, block: bytes) -> Mask:
    """Mark the lines that are not UTF-8, bool [lines]."""
    mask = np.zeros(len(lines), np.bool_)
    if block.isascii():
        return mask
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        for line in lines.holding(np.flatnonzero(lines.data >= 0x80)):
            try:
                block[lines.starts[line] : lines.ends[line]].decode("utf-8")
            except UnicodeDecodeError:
                mask[line] = True
    return mask


def simply_quoted(lines: Lines, delimiters: Positions) -> tuple[Mask, Positions]:
    """Find the lines in which quotes only stand around complete values.

    Args:
        lines: the lines of a block.
        delimiters: sorted positions of all delimiters.

    Returns:
        bool [lines], lines that mean the same without their quotes; the positions of these, int64.
    """
    quotes = np.flatnonzero(lines.data == QUOTE)
    line = np.searchsorted(lines.starts, quotes, side="right") - 1
    counts = np.bincount(line, minlength=len(lines))
    first = np.cumsum(counts) - counts
    opening = (np.arange(len(quotes)) - first[line]) % 2 == 0

    delimiter = lines.data[delimiters[0]] if len(delimiters) else NEWLINE
    before = (quotes == lines.starts[line]) | (lines.data[quotes - 1] == delimiter)
    last = quotes + 1 == lines.ends[line]
    behind = last | (lines.data[np.minimum(quotes + 1, len(lines.data) - 1)] == delimiter)
    passed = np.searchsorted(delimiters, quotes)
    partner = np.minimum(np.arange(len(quotes)) + 1, len(quotes) - 1)
    complete = np.where(opening, before & (passed == passed[partner]), behind)

    simple = (counts > 0) & (counts % 2 == 0)
    simple[line[~complete]] = False
    return simple, quotes[simple[line]]

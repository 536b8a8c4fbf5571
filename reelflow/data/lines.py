"""Lines and columns in a block of bytes, found by numpy and not line by line."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_NEWLINE: Final = ord("\n")
_RETURN: Final = ord("\r")
_QUOTE: Final = ord('"')

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


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

    def text(self, line: int) -> bytes:
        """The bytes of one line."""
        return self.data[self.starts[line] : self.ends[line]].tobytes()

    def holding(self, positions: Positions) -> Positions:
        """Indices of the lines in which sorted byte positions lie, int64, once each."""
        following = np.searchsorted(self.starts, positions, side="right")
        line, positions = following[following > 0] - 1, positions[following > 0]
        return np.unique(line[positions < self.ends[line]])


def find_lines(block: bytes) -> Lines:
    """Find the lines of a block that begins and ends with whole lines."""
    data = np.frombuffer(block, np.uint8)
    newlines = np.flatnonzero(data == _NEWLINE)
    starts = np.concatenate([[0], newlines + 1]).astype(np.int64)
    ends = np.concatenate([newlines, [len(data)]]).astype(np.int64)
    if b"\r" in block:
        filled = ends > starts
        ends[filled] -= data[ends[filled] - 1] == _RETURN
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
                lines.text(line).decode("utf-8")
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
    quotes = np.flatnonzero(lines.data == _QUOTE)
    line = np.searchsorted(lines.starts, quotes, side="right") - 1
    counts = np.bincount(line, minlength=len(lines))
    first = np.cumsum(counts) - counts
    opening = (np.arange(len(quotes)) - first[line]) % 2 == 0

    delimiter = lines.data[delimiters[0]] if len(delimiters) else _NEWLINE
    before = (quotes == lines.starts[line]) | (lines.data[quotes - 1] == delimiter)
    last = quotes + 1 == lines.ends[line]
    behind = last | (lines.data[np.minimum(quotes + 1, len(lines.data) - 1)] == delimiter)
    passed = np.searchsorted(delimiters, quotes)
    partner = np.minimum(np.arange(len(quotes)) + 1, len(quotes) - 1)
    complete = np.where(opening, before & (passed == passed[partner]), behind)

    simple = (counts > 0) & (counts % 2 == 0)
    simple[line[~complete]] = False
    return simple, quotes[simple[line]]


def quoted_values(
    lines: Lines, block: bytes, chosen: Positions, delimiter: str
) -> list[list[str] | None]:
    """Split lines that hold quotes; None for a line whose quotes do not match.

    Doubled quotes stand for one. A quoted value ends in its own line.
    """
    values: list[list[str] | None] = []
    starts, ends = lines.starts[chosen].tolist(), lines.ends[chosen].tolist()
    for start, end in zip(starts, ends, strict=True):
        text = block[start:end].decode("utf-8")
        try:
            # A reader for each line: one reader would look for a missing quote in the next lines.
            values.append(next(csv.reader([text], delimiter=delimiter, strict=True)))
        except csv.Error:
            values.append(None)
    return values

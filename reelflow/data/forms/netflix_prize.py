"""The text of the Netflix Prize: `movie:` lines, each followed by `user,rating,date`.

A chunk may begin in the midst of a movie, which is then looked for backwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Final

import numpy as np
import pyarrow as pa

from reelflow.base import columns
from reelflow.data import reading
from reelflow.data.formats.adapter import RatingsFile
from reelflow.data.forms.delimited import split_lines
from reelflow.data.forms.rows import Rows
from reelflow.data.reading import Chunk

HEADER: Final = re.compile(rb"(\d{1,18}):[ \t]*\r?")
_BEFORE: Final = re.compile(rb"\n(\d{1,18}):[ \t]*\r?(?=\n)")
_LONGEST: Final = 64
"""Bytes of a `movie:` line, with the line end before it; more than any has."""
_WINDOW: Final = 2**20


def read_rows(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[Rows]:
    """Read a chunk in blocks of about `block_bytes`; `movie:` lines are no rows.

    Raises:
        BadInput: the file cannot be read.
    """
    movie = b""
    if chunk.start > file.data_start and not file.compression:
        with reading.open_lines(file) as content:
            movie = movie_before(content, chunk.start)
    for offset, block in reading.read_chunk(file, chunk, block_bytes):
        rows, movie = split_movies(block, offset, file, movie)
        yield rows


def movie_before(content: IO[bytes], start: int) -> bytes:
    """Return the movie of the last `movie:` line that begins before a position; empty if none."""
    end = start
    while end > 0:
        begin = max(0, end - _WINDOW)
        content.seek(begin)
        window = content.read(end - begin + _LONGEST)
        if begin == 0:
            window, begin = b"\n" + window, -1
        found = [m for m in _BEFORE.finditer(window + b"\n") if begin + m.start() + 1 < end]
        if found:
            return bytes(found[-1][1])
        # The line end before a line is a part of the pattern.
        end = begin + 1 if begin > 0 else 0
    return b""


def split_movies(block: bytes, offset: int, file: RatingsFile, movie: bytes) -> tuple[Rows, bytes]:
    """Read the rows of a block.

    Args:
        block: whole lines.
        offset: position of the block in the file's content.
        file: whose layout has no column of movies.
        movie: the movie before the block.

    Returns:
        The rows, and the last movie.
    """
    lines = reading.find_lines(block)
    places, movies = [-1], [movie]
    colons = np.flatnonzero(lines.data == ord(":"))
    for at in lines.holding(colons).tolist():
        match = HEADER.fullmatch(block[lines.starts[at] : lines.ends[at]])
        if match is not None:
            places.append(int(lines.starts[at]) + offset)
            movies.append(match[1])
    rows = split_lines(block, offset, file.layout)
    kept = ~np.isin(rows.offsets, places)
    number = np.cumsum(kept) - 1
    offsets = rows.offsets[kept]
    which = np.searchsorted(places, offsets[number[rows.at]], side="right") - 1
    ids = pa.array([text.decode() for text in movies]).take(pa.array(which))
    table = rows.table.append_column(columns.MOVIE_ID, ids)
    return Rows(rows.size, offsets, rows.reasons[kept], table, number[rows.at]), movies[-1]

"""Ratings files in pieces of bounded size that begin and end with complete lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from reelflow.data import files
from reelflow.data.formats.adapter import RatingsFile


@dataclass(frozen=True)
class Chunk:
    """A part of a ratings file: the lines whose first byte lies in [start, end)."""

    index: int
    """Position among the chunks of the source; chunks are in the order of files and offsets."""
    file: int
    """Index of the file in the source."""
    start: int
    end: int | None
    """None: up to the end, as for gzip, whose content has to be read from its beginning."""


def plan_chunks(ratings_files: Sequence[RatingsFile], chunk_bytes: int) -> list[Chunk]:
    """Cut ratings files into chunks of about `chunk_bytes`; a gzip file is one chunk.

    Raises:
        BadInput: a file cannot be read.
    """
    chunks: list[Chunk] = []
    for index, file in enumerate(ratings_files):
        if file.gzipped:
            chunks.append(Chunk(len(chunks), index, file.data_start, None))
            continue
        with files.reading(file.path):
            size = files.size_of(file.path)
        for start in range(file.data_start, size, chunk_bytes):
            chunks.append(Chunk(len(chunks), index, start, min(start + chunk_bytes, size)))
    return chunks


def read_chunk(file: RatingsFile, chunk: Chunk, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a chunk in blocks.

    Yields:
        Offset of the block in the file's content, and its bytes: complete lines, of which only the
        file's last may lack its newline. At most `block_bytes` and one line.

    Raises:
        BadInput: the file cannot be read.
    """
    with files.open_content(file.path, file.gzipped) as content:
        yield from _blocks(content, file, chunk, block_bytes)


def _blocks(
    content: IO[bytes], file: RatingsFile, chunk: Chunk, block_bytes: int
) -> Iterator[tuple[int, bytes]]:
    offset = chunk.start
    if file.gzipped:
        content.read(chunk.start)
    elif chunk.start > file.data_start:
        # The line that reaches into this chunk belongs to the one before. It has ended if the
        # byte before the chunk is its newline.
        content.seek(chunk.start - 1)
        offset += len(content.readline()) - 1
    else:
        content.seek(chunk.start)
    while chunk.end is None or offset < chunk.end:
        size = block_bytes if chunk.end is None else min(block_bytes, chunk.end - offset)
        block = content.read(size)
        if not block:
            return
        if not block.endswith(b"\n"):
            block += content.readline()
        yield offset, block
        offset += len(block)


def read_file(file: RatingsFile, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Read a file from its first byte, header included, as `read_chunk` reads a chunk."""
    chunk = Chunk(0, 0, 0, None)
    with files.open_content(file.path, file.gzipped) as content:
        yield from _blocks(content, file, chunk, block_bytes)

"""What a data folder holds, without running a pipeline: counts, and a preview of the quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.config import Config
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.inputs import open_data
from reelflow.data.parse import Rules, parse_block
from reelflow.data.quarantine import NAMES, QuarantinedRow, find_rows
from reelflow.data.reading import plan_chunks, read_chunk

_BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Inspection:
    """What is in a data folder.

    Attributes:
        source: format and files.
        read: rows, blank lines not counted.
        kept: valid rows; exact duplicates are told apart by a run only.
        users: users with a valid rating.
        rated: movies with a valid rating.
        movies: movies in the movies' file; none if there is no such file.
        quarantined: refused rows by reason.
        preview: the first refused rows of every reason, in order of file and line.
    """

    source: Source
    read: int
    kept: int
    users: int
    rated: int
    movies: int | None
    quarantined: dict[str, int]
    preview: list[QuarantinedRow]


def inspect(
    config: Config,
    folder: str,
    first: int = 3,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Read every rating once, in blocks; memory grows with users and movies only.

    Args:
        config: `data` and `split` say how to read the folder; its `data.path` is not looked at.
        folder: the data folder, or a pattern of spans.
        first: rows to preview per reason.
        progress: is told the bytes read since the last call.

    Raises:
        BadInput: the folder cannot be read as ratings.
    """
    source = open_data(config, folder)
    movies = source.read_movies()
    known = None if movies is None else movies.column(columns.MOVIE_ID).combine_chunks()
    rules = Rules(source.rating_min, source.rating_max, known)
    read = kept = 0
    users: set[str] = set()
    rated: set[str] = set()
    counts: Counter[str] = Counter()
    refused = []
    for chunk in plan_chunks(source.ratings_files, config.data.chunk_bytes):
        file = source.ratings_files[chunk.file]
        for offset, block in read_chunk(file, chunk, _BLOCK_BYTES):
            parsed = parse_block(
                block, offset=offset, file=chunk.file, layout=file.layout, rules=rules
            )
            read += parsed.read
            kept += parsed.ratings.num_rows
            users.update(_distinct(parsed.ratings, columns.USER_ID))
            rated.update(_distinct(parsed.ratings, columns.MOVIE_ID))
            refused.append(_first_of_each(parsed.rejected, counts, first))
            if progress:
                progress(len(block))
    rejected = pa.concat_tables([schema.REJECTED.empty_table(), *refused])
    return Inspection(
        source=source,
        read=read,
        kept=kept,
        users=len(users),
        rated=len(rated),
        movies=None if movies is None else movies.num_rows,
        quarantined=dict(counts),
        preview=list(find_rows(rejected, source.ratings_files)),
    )


def _distinct(ratings: pa.Table, column: str) -> list[str]:
    values = pc.unique(ratings.column(column).cast(pa.string()))
    distinct: list[str] = values.to_pylist()
    return distinct


def _first_of_each(rejected: pa.Table, counts: Counter[str], first: int) -> pa.Table:
    """Counts the refused rows and keeps those with which no reason has more than `first`."""
    codes = rejected.column(columns.REASON).to_numpy()
    chosen = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        seen = counts[NAMES[code]]
        chosen.append(rows[: max(0, first - seen)])
        counts[NAMES[code]] += len(rows)
    return rejected.take(pa.array(np.concatenate(chosen) if chosen else np.array([], np.int64)))

"""The inspection of a data folder without a pipeline: counts, and a preview of the quarantine."""

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
from reelflow.data.parse import Rules, parse_files
from reelflow.data.quarantine import NAMES, QuarantinedRow, find_rows


@dataclass(frozen=True)
class Inspection:
    """The content of a data folder.

    Users and `rated` movies are those with a valid rating; `quarantined` are rows by reason.
    """

    source: Source
    read: int
    kept: int
    """Valid rows; exact duplicates are found by a run only."""
    users: int
    rated: int
    movies: int | None
    """Movies in the movies' file; None if there is no such file."""
    quarantined: dict[str, int]
    preview: list[QuarantinedRow]
    """The first refused rows of every reason, in order of file and line."""


def inspect(
    config: Config,
    folder: str,
    first: int = 3,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Read every rating once, in blocks; memory grows with users and movies only.

    Args:
        config: as for `open_data`.
        folder: the data folder, or a pattern of spans.
        first: rows to preview per reason.
        progress: called with the bytes read since the last call.

    Raises:
        BadInput: the folder cannot be read as ratings.
    """
    source = open_data(config, folder)
    movies = source.read_movies()
    rules = Rules.of(source, movies)
    read = kept = 0
    users: set[str] = set()
    rated: set[str] = set()
    counts: Counter[str] = Counter()
    refused = []
    for size, parsed in parse_files(source.ratings_files, rules, config.data.chunk_bytes):
        read += parsed.read
        kept += parsed.ratings.num_rows
        for ids, column in ((users, columns.USER_ID), (rated, columns.MOVIE_ID)):
            values = parsed.ratings.column(column).cast(pa.string())
            ids.update(pc.unique(values).to_pylist())
        refused.append(_first_of_each(parsed.rejected, counts, first))
        if progress:
            progress(size)
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


def _first_of_each(rejected: pa.Table, counts: Counter[str], first: int) -> pa.Table:
    """Count the refused rows, and keep at most `first` of each reason over all calls."""
    codes = rejected.column(columns.REASON).to_numpy()
    chosen = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        seen = counts[NAMES[code]]
        chosen.append(rows[: max(0, first - seen)])
        counts[NAMES[code]] += len(rows)
    return rejected.take(pa.array(np.concatenate(chosen) if chosen else np.array([], np.int64)))

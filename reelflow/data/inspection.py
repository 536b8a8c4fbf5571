"""The inspection of a data folder without a pipeline: counts, and a preview of the quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.config import Config, DataConfig
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest.results import RatingScale
from reelflow.data.inputs import open_data
from reelflow.data.parse import Rules, parse_files
from reelflow.data.quarantine import NAMES, QuarantinedRow, find_rows
from reelflow.data.scale import (
    NO_VALUES,
    Bounds,
    ValueCounts,
    count_values,
    decide_scale,
    describe_scale,
    extremes,
    merge_values,
)


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
    ratings: RatingScale
    """The values of the valid rows."""
    unrated: int
    """Rows left out by `data.unrated`."""
    quarantined: dict[str, int]
    preview: list[QuarantinedRow]
    """The first refused rows of every reason, in order of file and line."""


def inspect(
    config: Config,
    folder: str,
    first: int = 3,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Read every rating in blocks; memory grows with users and movies only.

    They are read once more if some lie outside the scale that all of them together have.

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
    found = _read(source, rules, config.data, first, progress)
    scale = decide_scale(found.values, source, config.data)
    if scale.refused:
        limits = Bounds(
            max(rules.limits.lowest, scale.accepted.lowest),
            min(rules.limits.highest, scale.accepted.highest),
        )
        found = _read(source, replace(rules, limits=limits), config.data, first)
    return Inspection(
        source=source,
        read=found.read,
        kept=found.kept,
        users=len(found.users),
        rated=len(found.rated),
        movies=None if movies is None else movies.num_rows,
        ratings=describe_scale(scale, source, config.data, found.extremes),
        unrated=found.unrated,
        quarantined=dict(found.counts),
        preview=list(find_rows(found.rejected, source.ratings_files)),
    )


@dataclass
class _Found:
    """One reading of all ratings."""

    read: int = 0
    kept: int = 0
    unrated: int = 0
    users: set[str] = field(default_factory=set)
    rated: set[str] = field(default_factory=set)
    values: ValueCounts = NO_VALUES
    extremes: tuple[float, ...] = ()
    """Lowest and highest valid rating; empty without any."""
    counts: Counter[str] = field(default_factory=Counter)
    """Refused rows by reason."""
    rejected: pa.Table = None
    """The first of them, of `schema.REJECTED`."""


def _read(
    source: Source,
    rules: Rules,
    data: DataConfig,
    first: int,
    progress: Callable[[int], None] | None = None,
) -> _Found:
    found, refused = _Found(), []
    for size, parsed in parse_files(source.ratings_files, rules, data.chunk_bytes):
        found.read += parsed.read
        found.kept += parsed.ratings.num_rows
        found.unrated += parsed.unrated
        for ids, column in ((found.users, columns.USER_ID), (found.rated, columns.MOVIE_ID)):
            distinct = pc.unique(parsed.ratings.column(column).cast(pa.string()))
            ids.update(distinct.to_pylist())
        rating = parsed.ratings.column(columns.RATING)
        found.values = merge_values([found.values, count_values(rating, source.documented)])
        so_far = np.array(found.extremes, np.float32)
        found.extremes = extremes(np.append(rating.to_numpy(), so_far))
        refused.append(_first_of_each(parsed.rejected, found.counts, first))
        if progress:
            progress(size)
    found.rejected = pa.concat_tables([schema.REJECTED.empty_table(), *refused])
    return found


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

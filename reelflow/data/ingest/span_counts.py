"""Counts of each span by itself, which DataGate holds against the spans before.

A partition has all rows of its users, so that its counts of users are final; those of movies and
ratings are added up over the partitions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest.partition import Ratings
from reelflow.data.ingest.results import SpanCounts
from reelflow.data.ingest.tally import Tally
from reelflow.data.parquet import from_ipc
from reelflow.data.quarantine import DUPLICATE
from reelflow.data.scale import LIMIT, as_written
from reelflow.data.spans import Window

COUNTED: Final = 60
"""Newest spans that are counted: as many as may be looked at, and as many before them."""

_NEW: Final = "new"
_LARGEST: Final = "largest"
_ROWS: Final = "rows"
_SPAN: Final = "span"
_PARTIAL: Final = pa.schema(
    [
        (_SPAN, pa.int32()),
        (columns.MOVIE_ID, pa.string()),
        (columns.RATING, pa.float32()),
        (_ROWS, pa.int64()),
        (_NEW, pa.int64()),
        (_LARGEST, pa.int64()),
    ]
)
"""Rows of a span in a partition, with one movie, or with one rating, or (both null) all of them;
those of users whom no earlier span has; and those of the user who has most."""


def spans_of_files(source: Source, window: Window) -> tuple[int, ...]:
    """Return the span of each ratings file: its place among those that are counted, from 1.

    0 stands for all older ones, so that counts do not grow with the window.
    """
    folders = [f"{span.folder.rstrip('/')}/" for span in window.spans]
    older = max(0, len(folders) - COUNTED)
    return tuple(
        next(max(0, at + 1 - older) for at, f in enumerate(folders) if file.path.startswith(f))
        for file in source.ratings_files
    )


def count_partition(ratings: Ratings, spans: Sequence[int], stars: bool) -> bytes:
    """Count the kept ratings of one partition by span.

    Args:
        ratings: the rows kept.
        spans: span of each file, as `spans_of_files` has them.
        stars: True if the ratings are on a scale.

    Returns:
        A table of `_PARTIAL`, serialized.
    """
    span = np.asarray(spans, np.int64)[ratings.file]
    first = np.full(len(ratings.users), COUNTED + 1, np.int64)
    np.minimum.at(first, ratings.user, span)
    rows = {_SPAN: span, _NEW: (first[ratings.user] == span).astype(np.int64)}
    of_users = pa.table({**rows, "user": ratings.user}).group_by([_SPAN, "user"])
    users = of_users.aggregate([(_NEW, "count"), (_NEW, "sum")])
    parts = [
        _table(
            users.group_by(_SPAN).aggregate(
                [("new_count", "sum"), ("new_sum", "sum"), ("new_count", "max")]
            ),
            {_ROWS: "new_count_sum", _NEW: "new_sum_sum", _LARGEST: "new_count_max"},
        )
    ]
    movies = pa.DictionaryArray.from_arrays(pa.array(ratings.movie), ratings.movies)
    keys = {columns.MOVIE_ID: movies.cast(pa.string())}
    if stars and len(np.unique(ratings.rating)) <= LIMIT:
        keys[columns.RATING] = pa.array(ratings.rating)
    for name, key in keys.items():
        grouped = pa.table({**rows, name: key}).group_by([_SPAN, name])
        counted = grouped.aggregate([(_NEW, "count"), (_NEW, "sum")])
        parts.append(_table(counted, {name: name, _ROWS: "new_count", _NEW: "new_sum"}))
    return schema.to_ipc(pa.concat_tables(parts))


def _table(counted: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Return a table of `_PARTIAL` with the columns of another one, by their names there."""
    cells = [
        counted.column(names.get(field.name, field.name)).cast(field.type)
        if field.name in {_SPAN, *names}
        else pa.nulls(counted.num_rows, field.type)
        for field in _PARTIAL
    ]
    return pa.table(cells, schema=_PARTIAL)


def add_up(
    partials: Sequence[bytes], tally: Tally, spans: Sequence[int], window: Window
) -> list[SpanCounts]:
    """Return the counts of the newest spans, given those of all partitions.

    Args:
        partials: as `count_partition` has made them.
        tally: of all chunks and partitions.
        spans: span of each file, as `spans_of_files` has them.
        window: the spans.
    """
    tables = [_PARTIAL.empty_table(), *(from_ipc(partial) for partial in partials)]
    table = pa.concat_tables(tables)
    of_movies = pc.is_valid(table.column(columns.MOVIE_ID))
    of_values = pc.is_valid(table.column(columns.RATING))
    movies = _summed(table.filter(of_movies), columns.MOVIE_ID)
    values = _summed(table.filter(of_values), columns.RATING)
    by_movie, by_value = _by_span(movies), _by_span(values)
    whole = table.filter(pc.invert(pc.or_(of_movies, of_values)))
    whole = whole.group_by(_SPAN).aggregate([(_ROWS, "sum"), (_NEW, "sum"), (_LARGEST, "max")])
    by_span = {row[_SPAN]: row for row in whole.to_pylist()}
    seen: set[str] = set()
    known: Counter[int] = Counter()
    for row in movies:
        known[row.span] += row.rows if row.key in seen else 0
        seen.add(row.key)
    read, damaged = Counter[int](), Counter[int]()
    for file, rows in tally.file_read.items():
        read[spans[file]] += rows
    again = tally.rejected.column(columns.REASON).to_numpy() == DUPLICATE.code
    places = tally.rejected.column(columns.FILE).to_numpy()[~again]
    for file, rows in enumerate(np.bincount(places).tolist()):
        damaged[spans[file]] += rows
    found = []
    for at, span in enumerate(window.spans[-COUNTED:], start=1):
        rows_of = by_span.get(at, {f"{_ROWS}_sum": 0, f"{_NEW}_sum": 0, f"{_LARGEST}_max": 0})
        kept = rows_of[f"{_ROWS}_sum"]
        found.append(
            SpanCounts(
                span=span.name,
                read=read[at],
                damaged=damaged[at],
                kept=kept,
                largest_user=rows_of[f"{_LARGEST}_max"],
                largest_movie=_largest((row.rows, row.key) for row in by_movie[at]),
                known_users=kept - rows_of[f"{_NEW}_sum"],
                known_movies=known[at],
                newcomers_movie=_largest((row.new, row.key) for row in by_movie[at]),
                values={as_written(np.float32(row.key)): row.rows for row in by_value[at]},
            )
        )
    return found


class _Count(NamedTuple):
    """Rows of a span with one movie or rating, and those of new users."""

    span: int
    key: Any
    rows: int
    new: int


def _summed(table: pa.Table, key: str) -> list[_Count]:
    """Add partitions up, by span and key."""
    grouped = table.group_by([_SPAN, key]).aggregate([(_ROWS, "sum"), (_NEW, "sum")])
    names = (_SPAN, key, f"{_ROWS}_sum", f"{_NEW}_sum")
    cells = (grouped.column(name).to_pylist() for name in names)
    return sorted(map(_Count._make, zip(*cells, strict=True)))


def _by_span(counts: Iterable[_Count]) -> defaultdict[int, list[_Count]]:
    found: defaultdict[int, list[_Count]] = defaultdict(list)
    for row in counts:
        found[row.span].append(row)
    return found


def _largest(counts: Iterable[tuple[int, str]]) -> tuple[str, int] | None:
    rows, key = max(counts, default=(0, ""))
    return (key, rows) if rows else None

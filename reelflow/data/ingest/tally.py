"""The tally of a chunk or a partition, and the `quarantine` artifact made of all of them.

A tally is small enough that one process can gather those of all workers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from reelflow.base import columns
from reelflow.base.common import added
from reelflow.config import DataConfig
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.formats.summary import TableSummary
from reelflow.data.ingest.arrange import Arranged
from reelflow.data.ingest.catalogue import movies_hash
from reelflow.data.ingest.partition import Ratings, combine, hash_strings, mix
from reelflow.data.ingest.results import (
    IdHint,
    IngestSummary,
    RowCounts,
    SharedRows,
    SpanCounts,
    SplitChoice,
)
from reelflow.data.ingest.split import TEST, TRAIN, Codes
from reelflow.data.parquet import from_ipc
from reelflow.data.quarantine import NAMES
from reelflow.data.scale import (
    NO_VALUES,
    Refused,
    ValueCounts,
    decide_scale,
    describe_scale,
    extremes,
    merge_refused,
    merge_values,
)
from reelflow.data.schema import to_ipc
from reelflow.data.spans import Window

_KEY: Final = b"tally"


@dataclass(frozen=True)
class Tally:
    """Counts that add up over chunks and partitions.

    Attributes:
        rejected: table of `schema.REJECTED`.
        read: rows read.
        file_read: rows read of each file, by its index.
        rows: rows kept in each of `columns.RATING_SPLITS`.
        unrated: rows without a rating, by the configuration.
        filtered: rows left out by a filter, by its option.
        repeated: rows that gave way to another of the same user and movie.
        pairs: users and movies with more than one rating.
        ends: ratings refused as too low, and as too high.
        file_rows: different valid rows of each file, by its index.
        shared: to two files, by their indices, the rows that are in both.
        values: ratings of the valid rows, by value.
        choice: the split that was made, as JSON; the same in every partition.
        users: distinct users kept.
        ratings: lowest and highest rating kept; empty if none was.
        times: first and last timestamp kept; empty if there is none.
        known_test: test rows whose user has a rating in train.
        movie_ids: movies that were rated, if they have to be known.
        content: two sums of row hashes modulo 2**64, so that the order of the rows does not matter.
        problem: message and remedy of a BadInput met on a worker; empty if there was none.
    """

    rejected: pa.Table
    read: int = 0
    file_read: Mapping[int, int] = field(default_factory=dict)
    rows: tuple[int, ...] = (0,) * len(columns.RATING_SPLITS)
    unrated: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    pairs: int = 0
    ends: tuple[Refused, Refused] = (Refused(), Refused())
    file_rows: tuple[int, ...] = ()
    shared: Mapping[tuple[int, int], int] = field(default_factory=dict)
    values: ValueCounts = NO_VALUES
    choice: str = ""
    users: int = 0
    ratings: tuple[float, ...] = ()
    times: tuple[int, ...] = ()
    known_test: int = 0
    movie_ids: tuple[str, ...] = ()
    content: tuple[int, int] = (0, 0)
    problem: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Serialize."""
        counts = {k: v for k, v in vars(self).items() if k != "rejected"}
        counts["values"] = self.values.to_json()
        counts["file_read"] = list(self.file_read.items())
        counts["ends"] = [vars(end) for end in self.ends]
        counts["shared"] = [[*files, rows] for files, rows in self.shared.items()]
        table = self.rejected.replace_schema_metadata({_KEY: json.dumps(counts).encode()})
        return to_ipc(table)


def tally_from_bytes(data: bytes) -> Tally:
    """Read what `Tally.to_bytes` made."""
    table = from_ipc(data)
    counts = json.loads(table.schema.metadata[_KEY])
    typed = {
        "rejected": table.replace_schema_metadata(None),
        "values": ValueCounts.from_json(counts.pop("values")),
        "file_read": dict(counts.pop("file_read")),
        "ends": tuple(Refused(**end) for end in counts.pop("ends")),
        "shared": {(first, second): rows for first, second, rows in counts.pop("shared")},
    }
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in counts.items()}
    return Tally(**fields, **typed)


def tally_arranged(arranged: Arranged) -> Tally:
    """Count what arranging a partition has left out."""
    return Tally(
        rejected=arranged.rejected,
        repeated=arranged.repeated,
        pairs=arranged.pairs,
        ends=arranged.ends,
        file_rows=arranged.file_rows,
        shared=arranged.shared,
    )


def tally_split(
    ratings: Ratings,
    splits: Codes,
    choice: SplitChoice | None,
    movies: bool,
    filtered: Mapping[str, int],
    repeated: int = 0,
) -> Tally:
    """Count the kept ratings of one partition, and list their movies if asked to.

    Args:
        ratings: the rows kept.
        splits: uint8 [rows], by the `choice` that was made.
        choice: of the split.
        movies: True to list the movies.
        filtered: rows that filters have left out.
        repeated: rows left out as their pair is in another split.
    """
    rows = np.bincount(splits, minlength=len(columns.RATING_SPLITS))
    # The dictionaries may hold ids of refused rows alone.
    rated = ratings.movies.take(pa.array(np.unique(ratings.movie))) if movies else None
    hashes = combine(
        hash_strings(ratings.users)[ratings.user], hash_strings(ratings.movies)[ratings.movie]
    )
    hashes = combine(hashes, ratings.rating.view(np.uint32).astype(np.uint64))
    times = ratings.timestamp
    if times is not None:
        hashes = combine(hashes, times.view(np.uint64))
    trained = np.bincount(ratings.user[splits == TRAIN], minlength=len(ratings.users)) > 0
    return Tally(
        rejected=schema.REJECTED.empty_table(),
        filtered=filtered,
        repeated=repeated,
        choice="" if choice is None else choice.model_dump_json(),
        rows=tuple(int(count) for count in rows),
        users=len(np.unique(ratings.user)),
        ratings=extremes(ratings.rating),
        times=() if times is None or not len(times) else (int(times.min()), int(times.max())),
        known_test=int(trained[ratings.user[splits == TEST]].sum()),
        movie_ids=() if rated is None else tuple(rated.to_pylist()),
        content=(int(hashes.sum()), int(mix(hashes).sum())),
    )


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up; of several problems the first is kept, in the order given."""
    # Of none, too: a compressed file may hold nothing but a header.
    parts = [Tally(rejected=schema.REJECTED.empty_table()), *tallies]
    times = [at for part in parts for at in part.times]
    return Tally(
        rejected=pa.concat_tables([part.rejected for part in parts]),
        read=sum(part.read for part in parts),
        rows=tuple(sum(counts) for counts in zip(*(part.rows for part in parts), strict=True)),
        unrated=sum(part.unrated for part in parts),
        filtered=added(part.filtered for part in parts),
        repeated=sum(part.repeated for part in parts),
        pairs=sum(part.pairs for part in parts),
        ends=(
            merge_refused(part.ends[0] for part in parts),
            merge_refused(part.ends[1] for part in parts),
        ),
        file_read=added(part.file_read for part in parts),
        file_rows=tuple(map(sum, zip_longest(*(part.file_rows for part in parts), fillvalue=0))),
        shared=added(part.shared for part in parts),
        values=merge_values(part.values for part in parts),
        choice=next((part.choice for part in parts if part.choice), ""),
        users=sum(part.users for part in parts),
        ratings=extremes(np.array([at for part in parts for at in part.ratings])),
        times=(min(times), max(times)) if times else (),
        known_test=sum(part.known_test for part in parts),
        movie_ids=tuple(sorted({movie for part in parts for movie in part.movie_ids})),
        content=(
            sum(part.content[0] for part in parts) % 2**64,
            sum(part.content[1] for part in parts) % 2**64,
        ),
        problem=next((part.problem for part in parts if part.problem), ()),
    )


def summarize(
    source: Source,
    tally: Tally,
    movies: pa.Table,
    data: DataConfig,
    window: Window | None = None,
    absent_features: Sequence[str] = (),
    tables: Sequence[TableSummary] = (),
    years_dropped: int = 0,
    ids: IdHint | None = None,
    span_counts: Sequence[SpanCounts] = (),
) -> IngestSummary:
    """Make the content of `report.json`.

    Args:
        source: the opened files.
        tally: of all chunks and partitions.
        movies: the catalogue, of `schema.MOVIES`.
        data: the section `data`.
        window: the spans that were read, if the data have spans.
        absent_features: as in `IngestSummary`.
        tables: the accounts of the movies' and users' files.
        years_dropped: as in `IngestSummary`, like `ids`.
        ids: likewise.
        span_counts: likewise.
    """
    splits = dict(zip(columns.RATING_SPLITS, tally.rows, strict=True))
    refused = np.bincount(tally.rejected.column(columns.REASON).to_numpy(), minlength=len(NAMES))
    content = f"{tally.content[0]:016x}{tally.content[1]:016x}{movies_hash(movies)}"
    return IngestSummary(
        format=source.format.value,
        synthetic=source.synthetic,
        span=None if window is None else window.newest.name,
        spans=[] if window is None else window.names,
        window=window,
        files=[file.name for file in source.ratings_files],
        rows=RowCounts(read=tally.read, kept=sum(tally.rows), **splits),
        users=tally.users,
        movies=movies.num_rows,
        split=SplitChoice.model_validate_json(tally.choice),
        ratings=describe_scale(
            decide_scale(tally.values, source, data), source, data, tally.ratings, tally.ends
        ),
        repeated=tally.repeated,
        pairs=tally.pairs,
        repeated_by=data.repeated,
        filtered=dict(tally.filtered),
        shared=_shared(source, tally, window),
        times=(tally.times[0], tally.times[-1]) if tally.times else None,
        known_test=tally.known_test,
        years_dropped=years_dropped,
        ids=ids,
        unrated=tally.unrated,
        quarantined={name: int(n) for name, n in zip(NAMES, refused, strict=True) if n},
        data_hash=hashlib.sha256(content.encode()).hexdigest(),
        absent_features=list(absent_features),
        span_counts=list(span_counts),
        tables=list(tables),
    )


def _shared(source: Source, tally: Tally, window: Window | None) -> list[SharedRows]:
    """Describe the files that have rows in common."""
    files = source.ratings_files
    return [
        SharedRows(
            files=(files[first].name, files[second].name),
            rows=rows,
            of=(tally.file_rows[first], tally.file_rows[second]),
            spans=window is not None
            and os.path.dirname(files[first].path) != os.path.dirname(files[second].path),
        )
        for (first, second), rows in tally.shared.items()
    ]

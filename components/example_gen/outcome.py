"""What became of a chunk or a partition: small enough that one process can gather them all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from components.example_gen.arrange import Ratings
from components.example_gen.hashing import combine, hash_strings, mix
from components.example_gen.split import Codes
from components.trainer import features
from ratings import schema

_KEY: Final = b"outcome"


@dataclass(frozen=True)
class Outcome:
    """Counts that add up over chunks and partitions.

    Attributes:
        rejected: table of `ratings.schema.REJECTED`.
        read: rows read.
        rows: rows kept in each of `features.RATING_SPLITS`.
        users: distinct users kept.
        movie_ids: films that were rated; only if the source has no films' file.
        content: two sums of row hashes modulo 2**64, so that the order of the rows does not matter.
        problem: message and remedy of a BadInput met on a worker; empty if there was none.
    """

    rejected: pa.Table
    read: int = 0
    rows: tuple[int, ...] = (0,) * len(features.RATING_SPLITS)
    users: int = 0
    movie_ids: tuple[str, ...] = ()
    content: tuple[int, int] = (0, 0)
    problem: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Serialize."""
        rest = {k: v for k, v in vars(self).items() if k != "rejected"}
        table = self.rejected.replace_schema_metadata({_KEY: json.dumps(rest).encode()})
        return table_bytes(table)


def outcome_from_bytes(data: bytes) -> Outcome:
    """What `Outcome.to_bytes` made."""
    table = table_from_bytes(data)
    rest = json.loads(table.schema.metadata[_KEY])
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in rest.items()}
    return Outcome(rejected=table.replace_schema_metadata(None), **fields)


def table_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def table_from_bytes(data: bytes) -> pa.Table:
    """A table from an Arrow IPC stream, without copying its data."""
    with pyarrow.ipc.open_stream(data) as reader:
        return reader.read_all()


def partition_outcome(
    ratings: Ratings, splits: Codes, duplicates: pa.Table, films: bool
) -> Outcome:
    """What became of the ratings of one partition.

    Args:
        ratings: those that were kept.
        splits: uint8 [rows], their splits.
        duplicates: those that were not, as `ratings.schema.REJECTED`.
        films: whether to list the films.
    """
    rows = np.bincount(splits, minlength=len(features.RATING_SPLITS))
    # The dictionaries may hold ids of refused rows alone.
    rated = ratings.movies.take(pa.array(np.unique(ratings.movie))) if films else None
    return Outcome(
        rejected=duplicates,
        rows=tuple(int(count) for count in rows),
        users=len(np.unique(ratings.user)),
        movie_ids=() if rated is None else tuple(rated.to_pylist()),
        content=_content(ratings),
    )


def _content(ratings: Ratings) -> tuple[int, int]:
    pair = combine(
        hash_strings(ratings.users)[ratings.user], hash_strings(ratings.movies)[ratings.movie]
    )
    row = combine(pair, ratings.rating.view(np.uint32).astype(np.uint64))
    if ratings.timestamp is not None:
        row = combine(row, ratings.timestamp.view(np.uint64))
    return int(row.sum()), int(mix(row).sum())


def merge_outcomes(outcomes: Iterable[Outcome]) -> Outcome:
    """Add outcomes up; of several problems the first is kept, in the order given."""
    parts = list(outcomes)
    return Outcome(
        rejected=pa.concat_tables(
            [schema.REJECTED.empty_table(), *(part.rejected for part in parts)]
        ),
        read=sum(part.read for part in parts),
        rows=tuple(sum(counts) for counts in zip(*(part.rows for part in parts), strict=True)),
        users=sum(part.users for part in parts),
        movie_ids=tuple(sorted({movie for part in parts for movie in part.movie_ids})),
        content=(
            sum(part.content[0] for part in parts) % 2**64,
            sum(part.content[1] for part in parts) % 2**64,
        ),
        problem=next((part.problem for part in parts if part.problem), ()),
    )

"""The tally of a chunk or a partition, and the `quarantine` artifact made of all of them.

A tally is small enough that one process can gather those of all workers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig, SplitKind
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.formats.summary import TableSummary
from reelflow.data.ingest.catalogue import movies_hash
from reelflow.data.ingest.partition import Arranged, combine, hash_strings, mix
from reelflow.data.ingest.results import IngestSummary, RowCounts, SplitChoice
from reelflow.data.ingest.split import MIN_LAST, Codes
from reelflow.data.quarantine import NAMES
from reelflow.data.scale import (
    NO_VALUES,
    ValueCounts,
    decide_scale,
    describe_scale,
    extremes,
    merge_values,
)
from reelflow.data.schema import from_ipc, to_ipc
from reelflow.data.spans import Window

_KEY: Final = b"tally"


@dataclass(frozen=True)
class Tally:
    """Counts that add up over chunks and partitions.

    Attributes:
        rejected: table of `schema.REJECTED`.
        read: rows read.
        rows: rows kept in each of `columns.RATING_SPLITS`.
        unrated: rows without a rating, by the configuration.
        repeated: rows of events and counts that were added to an earlier one.
        values: ratings of the valid rows, by value.
        choice: the split that was made, as JSON; the same in every partition.
        users: distinct users kept.
        ratings: lowest and highest rating kept; empty if none was.
        movie_ids: movies that were rated; only if the source has no movies' file.
        content: two sums of row hashes modulo 2**64, so that the order of the rows does not matter.
        problem: message and remedy of a BadInput met on a worker; empty if there was none.
    """

    rejected: pa.Table
    read: int = 0
    rows: tuple[int, ...] = (0,) * len(columns.RATING_SPLITS)
    unrated: int = 0
    repeated: int = 0
    values: ValueCounts = NO_VALUES
    choice: str = ""
    users: int = 0
    ratings: tuple[float, ...] = ()
    movie_ids: tuple[str, ...] = ()
    content: tuple[int, int] = (0, 0)
    problem: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Serialize."""
        counts = {k: v for k, v in vars(self).items() if k not in ("rejected", "values")}
        counts["values"] = self.values.to_json()
        table = self.rejected.replace_schema_metadata({_KEY: json.dumps(counts).encode()})
        return to_ipc(table)


def tally_from_bytes(data: bytes) -> Tally:
    """Read what `Tally.to_bytes` made."""
    table = from_ipc(data)
    counts = json.loads(table.schema.metadata[_KEY])
    values = ValueCounts.from_json(counts.pop("values"))
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in counts.items()}
    return Tally(rejected=table.replace_schema_metadata(None), values=values, **fields)


def tally_partition(
    arranged: Arranged, splits: Codes, choice: SplitChoice | None, movies: bool
) -> Tally:
    """Count the kept ratings of one partition, and list their movies if asked to.

    `splits` is uint8 [rows], by the `choice` that was made.
    """
    ratings = arranged.ratings
    rows = np.bincount(splits, minlength=len(columns.RATING_SPLITS))
    # The dictionaries may hold ids of refused rows alone.
    rated = ratings.movies.take(pa.array(np.unique(ratings.movie))) if movies else None
    hashes = combine(
        hash_strings(ratings.users)[ratings.user], hash_strings(ratings.movies)[ratings.movie]
    )
    hashes = combine(hashes, ratings.rating.view(np.uint32).astype(np.uint64))
    if ratings.timestamp is not None:
        hashes = combine(hashes, ratings.timestamp.view(np.uint64))
    return Tally(
        rejected=arranged.rejected,
        repeated=arranged.repeated,
        choice="" if choice is None else choice.model_dump_json(),
        rows=tuple(int(count) for count in rows),
        users=len(np.unique(ratings.user)),
        ratings=extremes(ratings.rating),
        movie_ids=() if rated is None else tuple(rated.to_pylist()),
        content=(int(hashes.sum()), int(mix(hashes).sum())),
    )


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up; of several problems the first is kept, in the order given."""
    parts = list(tallies)
    return Tally(
        rejected=pa.concat_tables(
            [schema.REJECTED.empty_table(), *(part.rejected for part in parts)]
        ),
        read=sum(part.read for part in parts),
        rows=tuple(sum(counts) for counts in zip(*(part.rows for part in parts), strict=True)),
        unrated=sum(part.unrated for part in parts),
        repeated=sum(part.repeated for part in parts),
        values=merge_values(part.values for part in parts),
        choice=next((part.choice for part in parts if part.choice), ""),
        users=sum(part.users for part in parts),
        ratings=extremes(np.array([at for part in parts for at in part.ratings])),
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
            decide_scale(tally.values, source, data), source, data, tally.ratings
        ),
        repeated=tally.repeated,
        unrated=tally.unrated,
        quarantined={name: int(n) for name, n in zip(NAMES, refused, strict=True) if n},
        data_hash=hashlib.sha256(content.encode()).hexdigest(),
        absent_features=list(absent_features),
        tables=list(tables),
    )


def check_rows(summary: IngestSummary, split: SplitConfig, quarantine: str) -> None:
    """Refuse data without ratings, or a split without train or test rows.

    Raises:
        BadInput: says why, and what to do; names `quarantine`, the path of the refused rows.
    """
    rows, files = summary.rows, ", ".join(summary.files)
    if not rows.read:
        raise BadInput(f"There are no ratings in {files}.", "Restore the file.")
    if not rows.kept:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in summary.quarantined.items())
        raise BadInput(
            f"None of the {rows.read:,} ratings in {files} is valid: {reasons}.",
            f"The rows and reasons are in {quarantine}; check data.format and the rating range.",
        )
    empty = [name for name in (columns.TRAIN, columns.TEST) if not rows.splits[name]]
    if not empty:
        return
    kind = summary.split.kind
    if kind is SplitKind.LEAVE_LAST:
        needed = split.validation_count + split.test_count + 1
        why = (
            f"leave_last needs users with at least {needed} ratings, and none has as many. "
            "Lower split.validation and split.test, or use another split.kind."
        )
    elif kind is SplitKind.LAST:
        why = f"last needs users with at least {MIN_LAST} ratings. Use split.kind = 'random'."
    elif kind is SplitKind.TEMPORAL:
        why = (
            f"the timestamps of the {rows.kept:,} ratings cannot be cut at the shares wanted, "
            "since too many are equal. Change the shares, or use split.kind = 'random'."
        )
    elif kind is SplitKind.PREDEFINED:
        why = "all rows of its files were refused. See the quarantine, or name other files."
    else:
        why = (
            f"{rows.kept:,} ratings are too few for the shares wanted. "
            "Raise the share, or add ratings."
        )
    raise BadInput(f"The {empty[0]} split is empty: {why}")

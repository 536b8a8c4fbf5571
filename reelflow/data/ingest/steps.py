"""The steps of ingestion over one chunk or one partition, for Beam's workers and for a rehearsal.

Workers pass each other file names only. Rows go through files in a working folder that all of them
reach, so that memory is bounded by the size of a chunk and of a partition. A file's name and bytes
follow from its chunk or partition alone: a step that an engine repeats changes nothing. Imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Feedback, Repeated, SplitKind
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest import core, scratch
from reelflow.data.ingest.arrange import Policy, arrange, one_side
from reelflow.data.ingest.partition import Hashes, Ratings, partition_by_user
from reelflow.data.ingest.span_counts import count_partition
from reelflow.data.ingest.split import (
    Codes,
    KnownCounts,
    SplitPlan,
    TimeCounts,
    assign_splits,
    choose_split,
    count_known,
    count_times,
    find_cuts,
    temporal_shares,
)
from reelflow.data.ingest.tally import (
    Tally,
    merge_tallies,
    tally_arranged,
    tally_from_bytes,
    tally_split,
)
from reelflow.data.parquet import from_ipc
from reelflow.data.parse import Rules, parse_chunk
from reelflow.data.reading import Chunk
from reelflow.data.scale import ValueCounts, count_values, decide_scale, refused_ends

SINCE = "since"
"""The filter by time, as the configuration names it."""
SPANS = "spans"
"""Files with the counts of each span."""


@dataclass(frozen=True)
class Folders:
    """The folders that ingestion writes, on one file system that every worker reaches."""

    examples: str
    catalogue: str
    quarantine: str
    scratch: str
    """Working folder, removed at the end."""


@dataclass(frozen=True)
class Job:
    """The conversion of one source, as every worker gets it."""

    source: Source
    data: DataConfig
    rules: Rules
    plan: SplitPlan
    attributes: pa.Table | None
    """Table of `schema.USERS`, if the configuration opts in."""
    folders: Folders
    spans: tuple[int, ...] = ()
    """Span of each ratings file, as `span_counts.spans_of_files` has them; empty without spans."""
    listed: bool = False
    """List the movies that are rated, also where nothing depends on them."""

    @property
    def by_times(self) -> bool:
        """True if the split goes by the times of all ratings."""
        return self.plan.kind in (SplitKind.TEMPORAL, SplitKind.AUTO)


def check_filters(source: Source, data: DataConfig) -> None:
    """Refuse a filter by time where there are no times.

    Raises:
        BadInput: so it is.
    """
    if data.since is not None and not source.has_timestamps:
        raise BadInput(
            f"data.since goes by time, but {source.ratings_files[0].name} has no timestamps.",
            "Unset data.since, or map the timestamp column in [data.columns].",
        )


@dataclass(frozen=True)
class ParsedChunk:
    """A chunk whose rows are in spill files.

    Attributes:
        spilled: partition and path of each spill file.
        values: the valid ratings by value.
    """

    spilled: tuple[tuple[int, str], ...]
    values: ValueCounts


def spill_chunk(chunk: Chunk, job: Job) -> ParsedChunk:
    """Parse a chunk into one spill file for each partition and block.

    The names of the spill files sort in the order of files and offsets.
    """
    folder = job.folders.scratch
    spilled, tallies = [], []
    try:
        blocks = parse_chunk(job.source.ratings_files, chunk, job.rules, job.data.chunk_bytes)
        for number, parsed in enumerate(blocks):
            ratings, filtered = _since(parsed.ratings, job.data)
            tallies.append(
                Tally(
                    parsed.rejected,
                    parsed.read,
                    parsed.file_read,
                    unrated=parsed.unrated,
                    filtered=filtered,
                    ends=refused_ends(parsed.outside, job.rules.limits),
                    values=count_values(ratings.column(columns.RATING), job.source.documented),
                )
            )
            for partition, table in partition_by_user(ratings, job.data.partitions).items():
                path = f"{folder}/spill-{partition:05d}-{chunk.index:08d}-{number:08d}.arrow"
                scratch.write_atomically(path, schema.to_ipc(table), folder)
                spilled.append((partition, path))
    except BadInput as error:
        # From here it would reach the user as an error of Beam; `ingest` raises it again.
        rejected = schema.REJECTED.empty_table()
        tallies.append(Tally(rejected=rejected, problem=(error.message, error.remedy)))
    tally = merge_tallies(tallies)
    path = f"{folder}/tally-chunk-{chunk.index:08d}.arrow"
    scratch.write_atomically(path, tally.to_bytes(), folder)
    return ParsedChunk(tuple(spilled), tally.values)


def _since(ratings: pa.Table, data: DataConfig) -> tuple[pa.Table, dict[str, int]]:
    """Leave out ratings before a day, and count them."""
    if data.since is None:
        return ratings, {}
    begin = datetime(data.since.year, data.since.month, data.since.day, tzinfo=timezone.utc)
    kept = ratings.filter(
        pc.greater_equal(ratings.column(columns.TIMESTAMP), int(begin.timestamp()))
    )
    left_out = ratings.num_rows - kept.num_rows
    return kept, {SINCE: left_out} if left_out else {}


def arrange_partition(group: tuple[int, Iterable[str]], job: Job, values: ValueCounts) -> int:
    """Bring a partition into its final order, in one file, and count what is left out.

    Args:
        group: the partition, from 0, and its spill files; an empty path stands for none.
        job: the conversion.
        values: ratings of all chunks, by value.

    Returns:
        The partition.
    """
    partition, paths = group
    scale = decide_scale(values, job.source, job.data)
    sides = None
    if job.plan.kind is SplitKind.PREDEFINED:
        sides = [
            columns.RATING_SPLITS.index(name or columns.TRAIN) for name in job.plan.file_splits
        ]
    policy = Policy(scale.feedback, scale.accepted, job.data.repeated, sides)
    tables = (from_ipc(scratch.read(path)) for path in sorted(paths) if path)
    arranged = arrange(tables, policy)
    content = {"arranged": arranged.ratings.to_bytes()}
    content["tally-arranged"] = tally_arranged(arranged).to_bytes()
    if core.wanted(job.data):
        content["pairs"] = core.pairs_to_bytes(arranged.ratings)
    for name, data in content.items():
        scratch.write_atomically(_path(name, job, partition), data, job.folders.scratch)
    return partition


def _path(name: str, job: Job, partition: int) -> str:
    return f"{job.folders.scratch}/{name}-{partition:05d}.arrow"


def find_core_of(partitions: Iterable[int], job: Job) -> Hashes:
    """Return the hashes of the movies that the filters leave out, uint64."""
    paths = [_path("pairs", job, partition) for partition in sorted(partitions)]
    return core.find_core(paths, scratch.read, job.data)


def _kept(partition: int, job: Job, gone: Hashes) -> tuple[Ratings, Mapping[str, int]]:
    """Return the ratings of a partition that the filters keep, and the others by filter."""
    ratings = Ratings.from_bytes(scratch.read(_path("arranged", job, partition)))
    if not core.wanted(job.data):
        return ratings, {}
    kept, filtered = core.in_core(ratings, gone, job.data)
    return ratings.take(np.flatnonzero(kept)), filtered


def count_times_of(partition: int, job: Job, gone: Hashes = core.NO_MOVIES) -> TimeCounts:
    """Count the kept rows of a partition by time."""
    timestamp = _kept(partition, job, gone)[0].timestamp
    return count_times(np.zeros(0, np.int64) if timestamp is None else timestamp)


def count_known_of(
    partition: int, job: Job, times: TimeCounts, gone: Hashes = core.NO_MOVIES
) -> KnownCounts:
    """Count what the cuts by the `times` of all partitions would come to in one of them."""
    ratings = _kept(partition, job, gone)[0]
    timestamp = np.zeros(0, np.int64) if ratings.timestamp is None else ratings.timestamp
    return count_known(ratings.user, timestamp, find_cuts(times, temporal_shares(job.plan.config)))


def split_partition(
    partition: int,
    job: Job,
    times: TimeCounts | None = None,
    known: KnownCounts | None = None,
    gone: Hashes = core.NO_MOVIES,
) -> tuple[Ratings, Codes]:
    """Assign the ratings of a partition to splits, and write its tally.

    Args:
        partition: its number, from 0.
        job: the conversion.
        times: counts of all partitions, for a split by the times of all.
        known: likewise, where `auto` has to choose.
        gone: movies that the filters leave out.

    Returns:
        The ratings that are kept, and the split of each.
    """
    ratings, filtered = _kept(partition, job, gone)
    if job.spans:
        counted = count_partition(ratings, job.spans, job.data.feedback is not Feedback.COUNTS)
        path = _path(SPANS, job, partition)
        scratch.write_atomically(path, counted, job.folders.scratch)
    plan = job.plan
    if times is not None:
        plan = choose_split(plan, times, known)
    splits, repeated = assign_splits(ratings, plan), 0
    if job.data.repeated is Repeated.ALL:
        rows = one_side(ratings, splits)
        repeated = len(splits) - len(rows)
        ratings, splits = ratings.take(rows), splits[rows]
    listed = job.listed or job.rules.movie_ids is None or job.data.min_movie_ratings is not None
    tally = tally_split(ratings, splits, plan.choice, listed, filtered, repeated)
    path = _path("tally-partition", job, partition)
    scratch.write_atomically(path, tally.to_bytes(), job.folders.scratch)
    return ratings, splits


def gather_spans(job: Job) -> list[bytes]:
    """Return the counts by span of all partitions."""
    return [scratch.read(path) for path in scratch.find(f"{job.folders.scratch}/{SPANS}-*.arrow")]


def gather_tallies(job: Job) -> Tally:
    """Return the tally of all chunks and partitions."""
    paths = scratch.find(f"{job.folders.scratch}/tally-*.arrow")
    return merge_tallies(tally_from_bytes(scratch.read(path)) for path in paths)

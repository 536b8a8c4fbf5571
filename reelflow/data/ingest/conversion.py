"""The conversion by Beam: chunks to spill files, and the spill files of a partition to shards.

Workers pass each other file names only. Rows go through files in a working folder that all of
them reach, so that memory is bounded by the size of a chunk and of a partition. A file's name and
bytes follow from its chunk or partition alone: a step that an engine repeats changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import SplitKind
from reelflow.data import schema
from reelflow.data.arrow import from_ipc, to_ipc
from reelflow.data.formats.source import Source
from reelflow.data.ingest import shards
from reelflow.data.ingest.catalogue import users_split
from reelflow.data.ingest.partition import arrange, partition_by_user
from reelflow.data.ingest.shards import write_atomically
from reelflow.data.ingest.split import (
    SplitPlan,
    TimeCounts,
    assign_splits,
    count_times,
    find_cuts,
    merge_counts,
    temporal_shares,
)
from reelflow.data.ingest.tally import (
    Tally,
    merge_tallies,
    tally_from_bytes,
    tally_partition,
)
from reelflow.data.parse import Rules, parse_block
from reelflow.data.reading import Chunk, read_chunk


@dataclass(frozen=True)
class Job:
    """The conversion of one source, as every worker gets it."""

    source: Source
    rules: Rules
    plan: SplitPlan
    attributes: pa.Table | None
    """Table of `schema.USERS`, if the configuration opts in."""
    with_features: bool
    """True if the catalogue has a column of declared movie features."""
    partitions: int
    chunk_bytes: int
    folder: str
    """Working folder of this run; on the same file system as the outputs."""
    examples_uri: str
    catalogue_uri: str


def parse_chunk(job: Job, chunk: Chunk) -> list[tuple[int, str]]:
    """Parse a chunk into one spill file for each partition and block.

    Returns:
        Partition and path of each spill file. Names sort in the order of files and offsets.
    """
    file = job.source.ratings_files[chunk.file]
    spilled, tallies = [], []
    try:
        for number, (offset, block) in enumerate(read_chunk(file, chunk, job.chunk_bytes)):
            parsed = parse_block(
                block, offset=offset, file=chunk.file, layout=file.layout, rules=job.rules
            )
            tallies.append(Tally(rejected=parsed.rejected, read=parsed.read))
            for partition, table in partition_by_user(parsed.ratings, job.partitions).items():
                path = f"{job.folder}/spill-{partition:05d}-{chunk.index:08d}-{number:08d}.arrow"
                write_atomically(path, to_ipc(table), job.folder)
                spilled.append((partition, path))
    except BadInput as error:
        # From here it would reach the user as an error of Beam; the executor raises it again.
        rejected = schema.REJECTED.empty_table()
        tallies.append(Tally(rejected=rejected, problem=(error.message, error.remedy)))
    path = f"{job.folder}/tally-chunk-{chunk.index:08d}.arrow"
    write_atomically(path, merge_tallies(tallies).to_bytes(), job.folder)
    return spilled


def count_partition(paths: Iterable[str]) -> TimeCounts:
    """Count the rows of a partition by time, without duplicates."""
    ratings, _ = arrange(_read_spilled(paths))
    times = np.zeros(0, np.int64) if ratings.timestamp is None else ratings.timestamp
    return count_times(times)


def finish_partition(
    job: Job, partition: int, paths: Iterable[str], times: TimeCounts | None
) -> None:
    """Write a partition's shards of `examples` and of the catalogue's users, and its tally.

    Args:
        job: the conversion.
        partition: from 0.
        paths: its spill files; there may be none.
        times: counts of all partitions, for the temporal split.
    """
    ratings, duplicates = arrange(_read_spilled(paths))
    plan = job.plan
    if times is not None:
        before_validation, before_test = find_cuts(times, temporal_shares(plan.config))
        plan = SplitPlan(plan.config, plan.file_splits, (before_validation, before_test))
    splits = assign_splits(ratings, plan)
    for code, name in enumerate(columns.RATING_SPLITS):
        table = shards.ratings_table(ratings, np.flatnonzero(splits == code))
        path = shards.shard_path(job.examples_uri, name, "ratings", partition, job.partitions)
        shards.write_shard(table, path, job.folder)
    users = users_split(ratings, splits, job.attributes, job.with_features)
    path = shards.shard_path(job.catalogue_uri, columns.USERS, "users", partition, job.partitions)
    shards.write_shard(users, path, job.folder)
    movies = job.rules.movie_ids is None
    tally = tally_partition(ratings, splits, duplicates, movies)
    path = f"{job.folder}/tally-partition-{partition:05d}.arrow"
    write_atomically(path, tally.to_bytes(), job.folder)


def gather_tallies(job: Job) -> Tally:
    """Return the tally of all chunks and partitions."""
    paths = sorted(tf.io.gfile.glob(f"{job.folder}/tally-*.arrow"))
    return merge_tallies(tally_from_bytes(_read(path)) for path in paths)


def _read_spilled(paths: Iterable[str]) -> Iterator[pa.Table]:
    return (from_ipc(_read(path)) for path in sorted(paths))


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        data: bytes = file.read()
    return data


def _parse(chunk: Chunk, job: Job) -> list[tuple[int, str]]:
    return parse_chunk(job, chunk)


def _count(group: tuple[int, Iterable[str]]) -> TimeCounts:
    return count_partition(_spilled(group))


def _finish(group: tuple[int, Iterable[str]], job: Job, times: TimeCounts | None = None) -> None:
    finish_partition(job, group[0], _spilled(group), times)


def _spilled(group: tuple[int, Iterable[str]]) -> list[str]:
    return [path for path in group[1] if path]


def build_graph(pipeline: beam.Pipeline, job: Job, chunks: Sequence[Chunk]) -> None:
    """Add the conversion of a source to a Beam pipeline.

    Args:
        pipeline: the Beam pipeline to add to.
        job: the conversion.
        chunks: the source in pieces.
    """
    spilled = (
        pipeline
        | "Chunks" >> beam.Create(list(chunks))
        | "ParseChunk" >> beam.FlatMap(_parse, job=job).with_output_types(tuple[int, str])
    )
    # Every partition is finished, also one that got no rows: its shards are there, and empty.
    empty = [(index, "") for index in range(job.partitions)]
    no_rows = pipeline | "Partitions" >> beam.Create(empty, reshuffle=False)
    grouped = (spilled, no_rows) | beam.Flatten() | "ByPartition" >> beam.GroupByKey()
    if job.plan.config.kind is SplitKind.TEMPORAL:
        times = grouped | "CountTimes" >> beam.Map(_count) | beam.CombineGlobally(merge_counts)
        finish = beam.Map(_finish, job=job, times=beam.pvalue.AsSingleton(times))
    else:
        finish = beam.Map(_finish, job=job)
    _ = grouped | "FinishPartition" >> finish

"""What the workers do: a chunk to spill files, and a partition's spill files to shards.

Workers hand each other file names only. Rows go through files in a working folder that all of
them reach, so that memory is bounded by the size of a chunk and of a partition. A file's name and
its bytes follow from the work alone: what an engine does twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from components.example_gen import shards
from components.example_gen.arrange import arrange
from components.example_gen.catalogue import users_split
from components.example_gen.cut import TimeCounts, count_times, find_cuts
from components.example_gen.outcome import (
    Outcome,
    merge_outcomes,
    outcome_from_bytes,
    partition_outcome,
    table_bytes,
    table_from_bytes,
)
from components.example_gen.partition import partition_by_user
from components.example_gen.split import SplitPlan, assign_splits, temporal_shares
from components.example_gen.whole import write_whole
from components.trainer import features
from ratings import schema
from ratings.chunks import Chunk, read_chunk
from ratings.errors import BadInput
from ratings.formats.source import Source
from ratings.parse import parse_block
from ratings.values import Rules


@dataclass(frozen=True)
class Job:
    """What every worker has to know."""

    source: Source
    rules: Rules
    plan: SplitPlan
    attributes: pa.Table | None
    """User attributes of `ratings.schema.USERS`, if the configuration opts in."""
    with_features: bool
    """Whether the catalogue has a column of declared film features."""
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
    spilled, outcomes = [], []
    try:
        for number, (offset, block) in enumerate(read_chunk(file, chunk, job.chunk_bytes)):
            parsed = parse_block(
                block, offset=offset, file=chunk.file, layout=file.layout, rules=job.rules
            )
            outcomes.append(Outcome(rejected=parsed.rejected, read=parsed.read))
            for partition, table in partition_by_user(parsed.ratings, job.partitions).items():
                path = f"{job.folder}/spill-{partition:05d}-{chunk.index:08d}-{number:08d}.arrow"
                write_whole(path, table_bytes(table), job.folder)
                spilled.append((partition, path))
    except BadInput as error:
        # From here it would reach the user as an error of Beam; the executor raises it again.
        rejected = schema.REJECTED.empty_table()
        outcomes.append(Outcome(rejected=rejected, problem=(error.message, error.remedy)))
    path = f"{job.folder}/outcome-chunk-{chunk.index:08d}.arrow"
    write_whole(path, merge_outcomes(outcomes).to_bytes(), job.folder)
    return spilled


def count_partition(paths: Iterable[str]) -> TimeCounts:
    """Rows of a partition by time, duplicates not counted."""
    ratings, _ = arrange(_read_spilled(paths))
    times = np.zeros(0, np.int64) if ratings.timestamp is None else ratings.timestamp
    return count_times(times)


def finish_partition(
    job: Job, partition: int, paths: Iterable[str], times: TimeCounts | None
) -> None:
    """Write a partition's shards of `examples` and of the catalogue's users, and its outcome.

    Args:
        job: what to do.
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
    for code, name in enumerate(features.RATING_SPLITS):
        table = shards.ratings_table(ratings, np.flatnonzero(splits == code))
        path = shards.shard_path(job.examples_uri, name, "ratings", partition, job.partitions)
        shards.write_shard(table, path, job.folder)
    users = users_split(ratings, splits, job.attributes, job.with_features)
    path = shards.shard_path(job.catalogue_uri, features.USERS, "users", partition, job.partitions)
    shards.write_shard(users, path, job.folder)
    films = job.rules.movie_ids is None
    outcome = partition_outcome(ratings, splits, duplicates, films)
    path = f"{job.folder}/outcome-partition-{partition:05d}.arrow"
    write_whole(path, outcome.to_bytes(), job.folder)


def gather_outcomes(job: Job) -> Outcome:
    """The outcome of all chunks and partitions."""
    paths = sorted(fileio.glob(f"{job.folder}/outcome-*.arrow"))
    return merge_outcomes(outcome_from_bytes(_read(path)) for path in paths)


def _read_spilled(paths: Iterable[str]) -> Iterator[pa.Table]:
    return (table_from_bytes(_read(path)) for path in sorted(paths))


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        data: bytes = file.read()
    return data

"""The whole ingestion: a source to the `examples`, the `catalogue` and the `quarantine`.

Beam converts chunks to spill files, and the spill files of a partition to shards. Workers pass each
other file names only. Rows go through files in a working folder that all of them reach, so that
memory is bounded by the size of a chunk and of a partition. A file's name and bytes follow from its
chunk or partition alone: a step that an engine repeats changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Feedback, SplitConfig, SplitKind
from reelflow.data import files, schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest import catalogue, shards
from reelflow.data.ingest.partition import arrange, partition_by_user
from reelflow.data.ingest.results import QUARANTINE_FILE, IngestSummary, RatingScale, SplitChoice
from reelflow.data.ingest.split import (
    SplitPlan,
    TimeCounts,
    assign_splits,
    count_times,
    find_cuts,
    merge_counts,
    plan_split,
    temporal_shares,
)
from reelflow.data.ingest.tally import (
    Tally,
    check_rows,
    merge_tallies,
    summarize,
    tally_from_bytes,
    tally_partition,
)
from reelflow.data.parse import Rules, parse_block
from reelflow.data.quarantine import find_rows, write_quarantine
from reelflow.data.reading import Chunk, plan_chunks, read_chunk
from reelflow.data.spans import Window


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


def ingest(
    source: Source,
    data: DataConfig,
    split: SplitConfig,
    folders: Folders,
    pipeline: beam.Pipeline,
    window: Window | None = None,
    fingerprint: str | None = None,
) -> IngestSummary:
    """Read, check, split and write the ratings, and describe movies and users.

    Args:
        source: the opened files.
        data: how to read them.
        split: how to split the ratings.
        folders: where to write.
        pipeline: runs the conversion; not yet running.
        window: the spans that `source` is made of, if the data have spans.
        fingerprint: of the files when they were chosen; None: they are not compared.

    Raises:
        BadInput: the data cannot be used; the message says why and what to do.
    """
    movies = source.read_movies()
    attributes = source.read_users() if data.use_users else None
    if data.use_users and attributes is None:
        attributes = schema.USERS.empty_table()
    rules, plan = Rules.of(source, movies), plan_split(split, source)
    job = Job(source, data, rules, plan, attributes, folders)
    with pipeline:
        build_graph(pipeline, job, plan_chunks(source.ratings_files, data.chunk_bytes))
    tally = gather_tallies(job)
    if tally.problem:
        raise BadInput(*tally.problem)
    if fingerprint is not None and files.fingerprint(source.paths) != fingerprint:
        raise BadInput(
            f"Files of {source.folder} or of a span before it changed while they were read.",
            "Run again when they have arrived; see data.span_marker to be sure of that.",
        )
    movies = catalogue.movies_from_ids(tally.movie_ids) if movies is None else movies
    missing = catalogue.missing_features(data, movies, attributes)
    choice = SplitChoice(kind=split.kind, asked=split.kind)
    lowest, highest = tally.ratings or (0.0, 0.0)
    scale = RatingScale(
        feedback=Feedback.STARS, asked=data.feedback, lowest=lowest, highest=highest
    )
    summary = summarize(source, tally, movies, choice, scale, window, missing)
    # TFX removes the outputs of a failed execution: the evidence of one goes beside them.
    quarantine = folders.quarantine if summary.rows.kept else f"{folders.quarantine}-refused"
    refused = f"{quarantine}/{QUARANTINE_FILE}"
    tf.io.gfile.makedirs(quarantine)
    with tf.io.gfile.GFile(refused, "wb") as file:
        write_quarantine(find_rows(tally.rejected, source.ratings_files), file)
    summary.write(quarantine)
    check_rows(summary, split, refused)
    shards.write_shard(
        catalogue.movies_split(movies, attributes is not None, bool(data.movie_features)),
        shards.shard_path(folders.catalogue, columns.MOVIES, "movies", 0, 1),
        folders.scratch,
    )
    tf.io.gfile.rmtree(folders.scratch)
    return summary


def build_graph(pipeline: beam.Pipeline, job: Job, chunks: Sequence[Chunk]) -> None:
    """Add the conversion of a source, cut into chunks, to a Beam pipeline."""
    spilled = (
        pipeline
        | "Chunks" >> beam.Create(list(chunks))
        | "ParseChunk" >> beam.FlatMap(parse_chunk, job=job).with_output_types(tuple[int, str])
    )
    # Every partition is finished, also one that got no rows: its shards are there, and empty.
    empty = [(index, "") for index in range(job.data.partitions)]
    no_rows = pipeline | "Partitions" >> beam.Create(empty, reshuffle=False)
    grouped = (spilled, no_rows) | beam.Flatten() | "ByPartition" >> beam.GroupByKey()
    if job.plan.config.kind is SplitKind.TEMPORAL:
        times = (
            grouped | "CountTimes" >> beam.Map(count_partition) | beam.CombineGlobally(merge_counts)
        )
        finish = beam.Map(finish_partition, job=job, times=beam.pvalue.AsSingleton(times))
    else:
        finish = beam.Map(finish_partition, job=job)
    _ = grouped | "FinishPartition" >> finish


def parse_chunk(chunk: Chunk, job: Job) -> list[tuple[int, str]]:
    """Parse a chunk into one spill file for each partition and block.

    Returns:
        Partition and path of each spill file. Names sort in the order of files and offsets.
    """
    file, folder = job.source.ratings_files[chunk.file], job.folders.scratch
    spilled, tallies = [], []
    try:
        for number, (offset, block) in enumerate(read_chunk(file, chunk, job.data.chunk_bytes)):
            parsed = parse_block(
                block, offset=offset, file=chunk.file, layout=file.layout, rules=job.rules
            )
            tallies.append(Tally(rejected=parsed.rejected, read=parsed.read))
            for partition, table in partition_by_user(parsed.ratings, job.data.partitions).items():
                path = f"{folder}/spill-{partition:05d}-{chunk.index:08d}-{number:08d}.arrow"
                shards.write_atomically(path, schema.to_ipc(table), folder)
                spilled.append((partition, path))
    except BadInput as error:
        # From here it would reach the user as an error of Beam; `ingest` raises it again.
        rejected = schema.REJECTED.empty_table()
        tallies.append(Tally(rejected=rejected, problem=(error.message, error.remedy)))
    path = f"{folder}/tally-chunk-{chunk.index:08d}.arrow"
    shards.write_atomically(path, merge_tallies(tallies).to_bytes(), folder)
    return spilled


def count_partition(group: tuple[int, Iterable[str]]) -> TimeCounts:
    """Count the rows of a partition by time, without duplicates."""
    ratings, _ = arrange(_read_spilled(group[1]))
    times = np.zeros(0, np.int64) if ratings.timestamp is None else ratings.timestamp
    return count_times(times)


def finish_partition(
    group: tuple[int, Iterable[str]], job: Job, times: TimeCounts | None = None
) -> None:
    """Write a partition's shards of `examples` and of the catalogue's users, and its tally.

    Args:
        group: the partition, from 0, and its spill files; an empty path stands for none.
        job: the conversion.
        times: counts of all partitions, for the temporal split.
    """
    partition, paths = group
    ratings, duplicates = arrange(_read_spilled(paths))
    plan, folders, partitions = job.plan, job.folders, job.data.partitions
    if times is not None:
        plan = replace(plan, cuts=tuple(find_cuts(times, temporal_shares(plan.config))))
    splits = assign_splits(ratings, plan)
    for code, name in enumerate(columns.RATING_SPLITS):
        table = shards.ratings_table(ratings, np.flatnonzero(splits == code))
        path = shards.shard_path(folders.examples, name, "ratings", partition, partitions)
        shards.write_shard(table, path, folders.scratch)
    users = catalogue.users_split(ratings, splits, job.attributes, bool(job.data.movie_features))
    path = shards.shard_path(folders.catalogue, columns.USERS, "users", partition, partitions)
    shards.write_shard(users, path, folders.scratch)
    tally = tally_partition(ratings, splits, duplicates, movies=job.rules.movie_ids is None)
    path = f"{folders.scratch}/tally-partition-{partition:05d}.arrow"
    shards.write_atomically(path, tally.to_bytes(), folders.scratch)


def gather_tallies(job: Job) -> Tally:
    """Return the tally of all chunks and partitions."""
    paths = sorted(tf.io.gfile.glob(f"{job.folders.scratch}/tally-*.arrow"))
    return merge_tallies(tally_from_bytes(_read(path)) for path in paths)


def _read_spilled(paths: Iterable[str]) -> Iterator[pa.Table]:
    return (schema.from_ipc(_read(path)) for path in sorted(paths) if path)


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        data: bytes = file.read()
    return data

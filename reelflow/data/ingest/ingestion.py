"""The whole ingestion: a source to the `examples`, the `catalogue` and the `quarantine`.

Beam converts chunks to spill files, and the spill files of a partition to shards. Workers pass each
other file names only. Rows go through files in a working folder that all of them reach, so that
memory is bounded by the size of a chunk and of a partition. A file's name and bytes follow from its
chunk or partition alone: a step that an engine repeats changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.pvalue import AsSingleton

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig, SplitKind
from reelflow.data import files, schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest import catalogue, shards
from reelflow.data.ingest.partition import Arranged, arrange, partition_by_user
from reelflow.data.ingest.results import QUARANTINE_FILE, IngestSummary
from reelflow.data.ingest.split import (
    KnownCounts,
    SplitPlan,
    TimeCounts,
    assign_splits,
    choose_split,
    count_known,
    count_times,
    find_cuts,
    merge_counts,
    merge_known,
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
from reelflow.data.parse import Rules, parse_chunk
from reelflow.data.quarantine import find_rows, write_quarantine
from reelflow.data.reading import Chunk, plan_chunks
from reelflow.data.scale import ValueCounts, count_values, decide_scale, merge_values
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
    read = (source.movies_reading(), source.users_reading() if data.use_users else None)
    movies, attributes = (None if reading is None else reading.table for reading in read)
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
    readings = [reading for reading in read if reading is not None]
    accounts = [account for reading in readings for account in reading.summaries]
    summary = summarize(source, tally, movies, data, window, missing, accounts)
    # TFX removes the outputs of a failed execution: the evidence of one goes beside them.
    quarantine = folders.quarantine if summary.rows.kept else f"{folders.quarantine}-refused"
    refused = f"{quarantine}/{QUARANTINE_FILE}"
    tf.io.gfile.makedirs(quarantine)
    with tf.io.gfile.GFile(refused, "wb") as file:
        of_tables = (row for reading in readings for row in reading.refused)
        of_ratings = find_rows(tally.rejected, source.ratings_files)
        write_quarantine(chain(of_tables, of_ratings), file)
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
    parsed = (
        pipeline
        | "Chunks" >> beam.Create(list(chunks))
        | "ParseChunk" >> beam.Map(spill_chunk, job=job)
    )
    values = parsed | "Values" >> beam.Map(lambda chunk: chunk.values)
    of_all = {"values": AsSingleton(values | "MergeValues" >> beam.CombineGlobally(merge_values))}
    spilled = parsed | "Spilled" >> beam.FlatMap(lambda chunk: chunk.spilled).with_output_types(
        tuple[int, str]
    )
    # Every partition is finished, also one that got no rows: its shards are there, and empty.
    empty = [(index, "") for index in range(job.data.partitions)]
    no_rows = pipeline | "Partitions" >> beam.Create(empty, reshuffle=False)
    grouped = (spilled, no_rows) | beam.Flatten() | "ByPartition" >> beam.GroupByKey()
    if job.plan.kind in (SplitKind.TEMPORAL, SplitKind.AUTO):
        counted = grouped | "CountTimes" >> beam.Map(count_times_of, job=job, **of_all)
        times = counted | "MergeTimes" >> beam.CombineGlobally(merge_counts)
        of_all["times"] = AsSingleton(times)
    if job.plan.kind is SplitKind.AUTO:
        counted = grouped | "CountKnown" >> beam.Map(count_known_of, job=job, times=of_all["times"])
        known = counted | "MergeKnown" >> beam.CombineGlobally(merge_known)
        of_all["known"] = AsSingleton(known)
    _ = grouped | "FinishPartition" >> beam.Map(finish_partition, job=job, **of_all)


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
            rating = parsed.ratings.column(columns.RATING)
            values = count_values(rating, job.source.documented)
            tallies.append(
                Tally(parsed.rejected, parsed.read, unrated=parsed.unrated, values=values)
            )
            for partition, table in partition_by_user(parsed.ratings, job.data.partitions).items():
                path = f"{folder}/spill-{partition:05d}-{chunk.index:08d}-{number:08d}.arrow"
                shards.write_atomically(path, schema.to_ipc(table), folder)
                spilled.append((partition, path))
    except BadInput as error:
        # From here it would reach the user as an error of Beam; `ingest` raises it again.
        rejected = schema.REJECTED.empty_table()
        tallies.append(Tally(rejected=rejected, problem=(error.message, error.remedy)))
    tally = merge_tallies(tallies)
    path = f"{folder}/tally-chunk-{chunk.index:08d}.arrow"
    shards.write_atomically(path, tally.to_bytes(), folder)
    return ParsedChunk(tuple(spilled), tally.values)


def _arranged(paths: Iterable[str], job: Job, values: ValueCounts) -> Arranged:
    """Read and arrange the spill files of a partition; `values` are those of all chunks."""
    scale = decide_scale(values, job.source, job.data)
    tables = (schema.from_ipc(_read(path)) for path in sorted(paths) if path)
    return arrange(tables, scale.feedback, scale.accepted)


def count_times_of(group: tuple[int, Iterable[str]], job: Job, values: ValueCounts) -> TimeCounts:
    """Count the kept rows of a partition by time, and keep users and times for `count_known_of`."""
    ratings = _arranged(group[1], job, values).ratings
    times = np.zeros(0, np.int64) if ratings.timestamp is None else ratings.timestamp
    if job.plan.kind is SplitKind.AUTO:
        kept = pa.table({columns.USER_ID: ratings.user, columns.TIMESTAMP: times})
        path = _times_path(job, group[0])
        shards.write_atomically(path, schema.to_ipc(kept), job.folders.scratch)
    return count_times(times)


def count_known_of(group: tuple[int, Iterable[str]], job: Job, times: TimeCounts) -> KnownCounts:
    """Count what the cuts by the `times` of all partitions would come to in one of them."""
    kept = schema.from_ipc(_read(_times_path(job, group[0])))
    user, timestamp = (kept.column(name).to_numpy() for name in kept.column_names)
    return count_known(user, timestamp, find_cuts(times, temporal_shares(job.plan.config)))


def _times_path(job: Job, partition: int) -> str:
    return f"{job.folders.scratch}/times-{partition:05d}.arrow"


def finish_partition(
    group: tuple[int, Iterable[str]],
    job: Job,
    values: ValueCounts,
    times: TimeCounts | None = None,
    known: KnownCounts | None = None,
) -> None:
    """Write a partition's shards of `examples` and of the catalogue's users, and its tally.

    Args:
        group: the partition, from 0, and its spill files; an empty path stands for none.
        job: the conversion.
        values: ratings of all chunks, by value.
        times: counts of all partitions, for a split by the times of all.
        known: likewise, where `auto` has to choose.
    """
    partition, paths = group
    arranged = _arranged(paths, job, values)
    ratings = arranged.ratings
    plan, folders, partitions = job.plan, job.folders, job.data.partitions
    if times is not None:
        plan = choose_split(plan, times, known)
    splits = assign_splits(ratings, plan)
    for code, name in enumerate(columns.RATING_SPLITS):
        table = shards.ratings_table(ratings, np.flatnonzero(splits == code))
        path = shards.shard_path(folders.examples, name, "ratings", partition, partitions)
        shards.write_shard(table, path, folders.scratch)
    users = catalogue.users_split(ratings, splits, job.attributes, bool(job.data.movie_features))
    path = shards.shard_path(folders.catalogue, columns.USERS, "users", partition, partitions)
    shards.write_shard(users, path, folders.scratch)
    tally = tally_partition(arranged, splits, plan.choice, movies=job.rules.movie_ids is None)
    path = f"{folders.scratch}/tally-partition-{partition:05d}.arrow"
    shards.write_atomically(path, tally.to_bytes(), folders.scratch)


def gather_tallies(job: Job) -> Tally:
    """Return the tally of all chunks and partitions."""
    paths = sorted(tf.io.gfile.glob(f"{job.folders.scratch}/tally-*.arrow"))
    return merge_tallies(tally_from_bytes(_read(path)) for path in paths)


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        data: bytes = file.read()
    return data

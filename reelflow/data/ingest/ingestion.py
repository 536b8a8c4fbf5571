"""The whole ingestion: a source to the `examples`, the `catalogue` and the `quarantine`.

Beam converts chunks to spill files, and the spill files of a partition to shards, by the functions
of `steps`. Where all files are one chunk and the runner is this machine's, there is nothing to
distribute: the same steps are taken without Beam, whose graph costs more than they do. Data that no
run can use are refused here, before anything else is done with them.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import chain
from typing import Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.pvalue import AsSingleton

from reelflow.base import columns
from reelflow.config import DataConfig, SplitConfig, SplitKind
from reelflow.data import files
from reelflow.data.formats.source import Source
from reelflow.data.ingest import catalogue, core, scratch, shards
from reelflow.data.ingest.checks import find_problems, refuse
from reelflow.data.ingest.outcome import conclude, plan_job, take_steps
from reelflow.data.ingest.partition import Hashes
from reelflow.data.ingest.results import QUARANTINE_FILE, IngestSummary
from reelflow.data.ingest.split import KnownCounts, TimeCounts, merge_counts, merge_known
from reelflow.data.ingest.steps import (
    Folders,
    Job,
    arrange_partition,
    count_known_of,
    count_times_of,
    find_core_of,
    gather_tallies,
    spill_chunk,
    split_partition,
)
from reelflow.data.quarantine import find_rows, write_quarantine
from reelflow.data.reading import Chunk, plan_chunks
from reelflow.data.scale import merge_values
from reelflow.data.spans import Window

_LOCAL_RUNNERS: Final = ("DirectRunner", "FnApiRunner")
"""Ends of the names of Beam's runners that work in one process or on one machine."""
_LEAST_BYTES: Final = 2**20
"""Of a chunk, for which a thread of its own is worth while."""


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
    job, described = plan_job(source, data, split, folders, window)
    chunks = plan_chunks(source.ratings_files, data.chunk_bytes)
    if len(chunks) <= 1 and is_local(pipeline):
        frozen = gc.get_freeze_count()
        gc.freeze()  # Arrow's reader of CSV looks through all objects, those of TFX's modules too
        try:
            threads = pa.cpu_count()
            chunks = _for_threads(chunks, source, threads)
            take_steps(job, chunks, finish_partition, threads=threads)
        finally:
            if not frozen:
                gc.unfreeze()
    else:
        with pipeline:
            build_graph(pipeline, job, chunks)
    tally = gather_tallies(job)
    if fingerprint is not None and not tally.problem:
        files.check_unchanged(source.folder, source.paths, fingerprint)
    outcome = conclude(job, described, tally, window)
    summary, movies = outcome.summary, outcome.movies
    drift = None
    if window is not None and data.max_drift is not None:
        from reelflow.data.ingest.drift import rehearse_drift

        drift = rehearse_drift(window, data, split, summary)
    # TFX removes the outputs of a failed execution: the evidence of one goes beside them.
    aside = f"{folders.quarantine}-refused"
    problems = find_problems(summary, data, split, movies, drift, f"{aside}/{QUARANTINE_FILE}")
    bad = any(not problem.warning for problem in problems)
    quarantine = aside if bad else folders.quarantine
    scratch.make_folder(quarantine)
    refused = chain(described.refused, find_rows(tally.rejected, source.ratings_files))
    path = f"{quarantine}/{QUARANTINE_FILE}"
    files.write_stream(path, lambda sink: write_quarantine(refused, sink))
    summary.write(quarantine)
    refuse(problems)
    shards.write_shard(
        catalogue.movies_split(movies, job.attributes is not None, bool(data.movie_features)),
        shards.shard_path(folders.catalogue, columns.MOVIES, "movies", 0, 1),
        folders.scratch,
    )
    scratch.remove_folder(folders.scratch)
    return summary


def _for_threads(chunks: list[Chunk], source: Source, threads: int) -> list[Chunk]:
    """Cut a chunk, if it is a file or a part of one, into one for each thread."""
    if not chunks or chunks[0].end is None:
        return chunks
    size = -(-(chunks[0].end - chunks[0].start) // threads)
    return plan_chunks(source.ratings_files, max(size, _LEAST_BYTES))


def is_local(pipeline: beam.Pipeline) -> bool:
    """Return True if Beam would run the pipeline on this machine."""
    runner = pipeline.options.view_as(StandardOptions).runner
    return runner is None or str(runner).endswith(_LOCAL_RUNNERS)


def build_graph(pipeline: beam.Pipeline, job: Job, chunks: Sequence[Chunk]) -> None:
    """Add the conversion of a source, cut into chunks, to a Beam pipeline."""
    parsed = (
        pipeline
        | "Chunks" >> beam.Create(list(chunks))
        | "SpillChunk" >> beam.Map(spill_chunk, job=job)
    )
    values = parsed | "Values" >> beam.Map(lambda chunk: chunk.values)
    merged = AsSingleton(values | "MergeValues" >> beam.CombineGlobally(merge_values))
    spilled = parsed | "Spilled" >> beam.FlatMap(lambda chunk: chunk.spilled).with_output_types(
        tuple[int, str]
    )
    # Every partition is finished, also one that got no rows: its shards are there, and empty.
    empty = [(index, "") for index in range(job.data.partitions)]
    no_rows = pipeline | "Partitions" >> beam.Create(empty, reshuffle=False)
    grouped = (spilled, no_rows) | beam.Flatten() | "ByPartition" >> beam.GroupByKey()
    arranged = grouped | "ArrangePartition" >> beam.Map(
        arrange_partition, job=job, values=merged
    ).with_output_types(int)
    of_all: dict[str, AsSingleton] = {}
    if core.wanted(job.data):
        partitions = arranged | "AllPairs" >> beam.combiners.ToList()
        of_all["gone"] = AsSingleton(partitions | "FindCore" >> beam.Map(find_core_of, job=job))
    filters = dict(of_all)
    if job.by_times:
        counted = arranged | "CountTimes" >> beam.Map(count_times_of, job=job, **filters)
        times = counted | "MergeTimes" >> beam.CombineGlobally(merge_counts)
        of_all["times"] = AsSingleton(times)
    if job.plan.kind is SplitKind.AUTO:
        counted = arranged | "CountKnown" >> beam.Map(
            count_known_of, job=job, times=of_all["times"], **filters
        )
        known = counted | "MergeKnown" >> beam.CombineGlobally(merge_known)
        of_all["known"] = AsSingleton(known)
    _ = arranged | "FinishPartition" >> beam.Map(finish_partition, job=job, **of_all)


def finish_partition(
    partition: int,
    job: Job,
    times: TimeCounts | None = None,
    known: KnownCounts | None = None,
    gone: Hashes = core.NO_MOVIES,
) -> None:
    """Write a partition's shards of `examples` and of the catalogue's users, and its tally.

    The arguments are as for `split_partition`.
    """
    ratings, splits = split_partition(partition, job, times, known, gone)
    folders, partitions = job.folders, job.data.partitions
    for code, name in enumerate(columns.RATING_SPLITS):
        table = shards.ratings_table(ratings, np.flatnonzero(splits == code))
        path = shards.shard_path(folders.examples, name, "ratings", partition, partitions)
        shards.write_shard(table, path, folders.scratch)
    users = catalogue.users_split(ratings, splits, job.attributes, bool(job.data.movie_features))
    path = shards.shard_path(folders.catalogue, columns.USERS, "users", partition, partitions)
    shards.write_shard(users, path, folders.scratch)

"""The Beam graph: chunks to spill files, spill files by partition, partitions to shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apache_beam as beam

from components.example_gen.cut import TimeCounts, merge_counts
from components.example_gen.work import Job, count_partition, finish_partition, parse_chunk
from pipeline.config import SplitKind
from ratings.chunks import Chunk


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
        pipeline: what to add to.
        job: what to do.
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

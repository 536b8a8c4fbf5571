"""The whole ingestion: a source to the `examples`, the `catalogue` and the `quarantine`."""

from __future__ import annotations

from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data import files, schema
from reelflow.data.formats.source import Source
from reelflow.data.ingest import shards
from reelflow.data.ingest.catalogue import missing_features, movies_from_ids, movies_split
from reelflow.data.ingest.conversion import Job, build_graph, gather_tallies
from reelflow.data.ingest.results import QUARANTINE_FILE, IngestSummary
from reelflow.data.ingest.split import plan_split
from reelflow.data.ingest.tally import check_rows, summarize, write_summary
from reelflow.data.parse import Rules
from reelflow.data.reading import plan_chunks
from reelflow.data.spans import Window


@dataclass(frozen=True)
class Folders:
    """The folders that ingestion writes, on one file system that every worker reaches."""

    examples: str
    catalogue: str
    quarantine: str
    scratch: str
    """Removed at the end."""


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
    job = Job(
        source=source,
        rules=Rules.of(source, movies),
        plan=plan_split(split, source),
        attributes=_user_attributes(source, data),
        with_features=bool(data.movie_features),
        partitions=data.partitions,
        chunk_bytes=data.chunk_bytes,
        folder=folders.scratch,
        examples_uri=folders.examples,
        catalogue_uri=folders.catalogue,
    )
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
    movies = movies_from_ids(tally.movie_ids) if movies is None else movies
    missing = missing_features(data, movies, job.attributes)
    summary = summarize(source, tally, movies, window, missing)
    # TFX removes the outputs of a failed execution: the evidence of one goes beside them.
    quarantine = folders.quarantine if summary.rows.kept else f"{folders.quarantine}-refused"
    write_summary(quarantine, summary, source, tally)
    check_rows(summary, split, f"{quarantine}/{QUARANTINE_FILE}")
    shards.write_shard(
        movies_split(movies, job.attributes is not None, job.with_features),
        shards.shard_path(folders.catalogue, columns.MOVIES, "movies", 0, 1),
        folders.scratch,
    )
    tf.io.gfile.rmtree(folders.scratch)
    return summary


def _user_attributes(source: Source, data: DataConfig) -> pa.Table | None:
    """Read user attributes, empty without a users' file; None unless the configuration opts in."""
    if not data.use_users:
        return None
    users = source.read_users()
    return schema.USERS.empty_table() if users is None else users

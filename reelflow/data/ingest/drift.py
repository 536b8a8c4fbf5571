"""The distance of the newest span to the one before it and to the train split, by TFDV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from reelflow.base import columns as f
from reelflow.config import DataConfig, SplitConfig
from reelflow.data import schema
from reelflow.data.formats.source import open_window
from reelflow.data.ingest.results import Change, DriftReport, IngestSummary, RatingScale
from reelflow.data.parse import Rules, parse_files
from reelflow.data.schema import one_chunk, single_values
from reelflow.data.spans import Span, Window

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList

_MEASURES: Final = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "L-infinity",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon",
}
"""L-infinity: the largest change of one value's share. Jensen-Shannon: the divergence of the whole
distribution. 0 is no change, 1 the largest there can be."""


def compare_spans(
    window: Window,
    data: DataConfig,
    split: SplitConfig,
    trained: Statistics | None,
    schemas: Sequence[schema_pb2.Schema],
) -> DriftReport:
    """Read evenly spread rows of the two newest spans and compare them.

    Args:
        window: the spans that the run reads.
        data: as for `read_subset`, like `split`.
        split: names the files if it is `predefined`.
        trained: as for `changes`, like `schemas`.
        schemas: with the comparators.

    Raises:
        BadInput: a span cannot be read any more.
    """
    newest, before = window.newest, [*window.earlier, *window.spans][:-1]
    if not before:
        return DriftReport(newest=newest.name, previous=None)
    previous = before[-1]
    rows = {span.name: read_subset(span, window, data, split) for span in (previous, newest)}
    return DriftReport(
        newest=newest.name,
        previous=previous.name,
        rows={name: batch.num_rows for name, batch in rows.items()},
        changes=tuple(changes(rows[newest.name], rows[previous.name], trained, schemas)),
    )


def as_decided(data: DataConfig, found: RatingScale) -> DataConfig:
    """Return how to read spans alone: their ratings mean what those of all spans were found to."""
    decided = {
        "feedback": found.feedback,
        "rating_min": found.accepted_min,
        "rating_max": found.accepted_max,
    }
    return data.model_copy(update=decided)


def rehearse_drift(
    window: Window, data: DataConfig, split: SplitConfig, summary: IngestSummary
) -> DriftReport:
    """Compare the two newest spans as SpanDrift will, before there are statistics of all.

    Raises:
        BadInput: a span cannot be read any more.
    """
    schemas = [
        text_format.Parse(schema.curated_schema(name).read_text(), schema_pb2.Schema())
        for name in ("ratings", "movies")
    ]
    return compare_spans(window, as_decided(data, summary.ratings), split, None, schemas)


def statistics(rows: pa.RecordBatch) -> Statistics:
    """Return TFDV's statistics of rows in memory."""
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

    return generate_statistics_in_memory(rows, tfdv.StatsOptions())


def changes(
    newest: pa.RecordBatch,
    previous: pa.RecordBatch,
    trained: Statistics | None,
    schemas: Sequence[schema_pb2.Schema],
) -> list[Change]:
    """Compare two spans by the schemas' comparators.

    Args:
        newest: rows of the newest span, as `read_subset` gives them.
        previous: rows of the span before.
        trained: statistics of the train split; None: no skew.
        schemas: with the comparators; columns that the rows lack are left out.

    Returns:
        Every comparison, the widest change first.
    """
    import tensorflow_data_validation as tfdv

    now, before = statistics(newest), statistics(previous)
    first: dict[tuple[str, str, str], Change] = {}
    for comparators in schemas:
        drift = tfdv.validate_statistics(now, comparators, previous_statistics=before)
        measured = _read(drift, "drift", set(newest.schema.names))
        if trained is not None:
            skew = tfdv.validate_statistics(trained, comparators, serving_statistics=now)
            of_trained = {feature.path.step[0] for feature in trained.datasets[0].features}
            measured += _read(skew, "skew", of_trained & set(newest.schema.names))
        for change in measured:
            first.setdefault((change.column, change.kind, change.measure), change)
    return sorted(first.values(), key=lambda c: (c.threshold - c.value, c.column))


def _read(
    anomalies: anomalies_pb2.Anomalies, kind: Literal["drift", "skew"], columns: set[str]
) -> list[Change]:
    """Return the measurements of some columns."""
    return [
        Change(column, kind, _MEASURES[m.type], round(m.value, 6), m.threshold)
        for info in anomalies.drift_skew_info
        if (column := ".".join(info.path.step)) in columns
        for m in (info.drift_measurements if kind == "drift" else info.skew_measurements)
        if m.type in _MEASURES
    ]


def read_subset(span: Span, window: Window, data: DataConfig, split: SplitConfig) -> pa.RecordBatch:
    """Read evenly spread valid ratings of a span, with genres and years of the movies.

    Args:
        span: one of the window's, or of those before it.
        window: for the movies' files, which may lie in other spans.
        data: how to read the files; at most `data.statistics_rows` rows are kept.
        split: names the files if it is `predefined`.

    Returns:
        `user_id`, `movie_id`, `rating`, `genres` and `year`, a list each [rows].

    Raises:
        BadInput: the span cannot be read.
    """
    others = tuple(s for s in (*window.earlier, *window.spans) if s.number < span.number)
    source = open_window(data, Window((span,), others, window.above), split)
    movies = source.read_movies()
    parts = parse_files(source.ratings_files, Rules.of(source, movies), data.chunk_bytes)
    rows = _even((parsed.ratings for _, parsed in parts), data.statistics_rows)
    users, ids = (one_chunk(rows.column(at).cast(pa.string())) for at in (f.USER_ID, f.MOVIE_ID))
    columns = {
        f.USER_ID: single_values(users),
        f.MOVIE_ID: single_values(ids),
        f.RATING: single_values(one_chunk(rows.column(f.RATING))),
    }
    if movies is not None:
        described = movies.take(pc.index_in(ids, value_set=one_chunk(movies.column(f.MOVIE_ID))))
        columns[f.GENRES] = one_chunk(described.column(f.GENRES))
        columns[f.YEAR] = single_values(one_chunk(described.column(f.YEAR)))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _even(parts: Iterator[pa.Table], most: int) -> pa.Table:
    """Take every n-th row of all parts, n the smallest power of two that gives at most `most`."""
    names = [f.USER_ID, f.MOVIE_ID, f.RATING]
    kept, stride, position = schema.PARSED.empty_table().select(names), 1, 0
    for part in parts:
        rows = np.arange(-position % stride, part.num_rows, stride)
        position += part.num_rows
        kept = pa.concat_tables([kept, part.select(names).take(pa.array(rows))])
        while kept.num_rows > most:
            stride *= 2
            kept = kept.take(pa.array(np.arange(0, kept.num_rows, 2)))
    return kept

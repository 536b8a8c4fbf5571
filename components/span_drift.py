"""SpanDrift: compares the newest span with the one before it and with what is trained on."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

import os
from typing import Final

import tensorflow_data_validation as tfdv
from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleStatistics, Schema
from tfx.utils import io_utils
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component

from components.artifacts import Drift, Quarantine
from reelflow.base import columns as f
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.ingest.drift import as_decided, compare_spans
from reelflow.data.ingest.results import IngestSummary

USED: Final = {
    "format",
    "ratings",
    "movies",
    "columns",
    "delimiter",
    "unrated",
    "chunk_bytes",
    "statistics_rows",
}
"""Options of `[data]` that the comparison depends on; a change of any other keeps the cache."""


@component
def SpanDrift(
    quarantine: InputArtifact[Quarantine],
    statistics: InputArtifact[ExampleStatistics],
    ratings_schema: InputArtifact[Schema],
    movies_schema: InputArtifact[Schema],
    drift: OutputArtifact[Drift],
    data: Parameter[str],
    split: Parameter[str],
) -> None:
    """Compare spans by the schemas' drift and skew comparators.

    *Drift* is the newest span against the one before it: ratings, and the genres and years of the
    movies that were rated. *Skew* is the train split against the newest span, which stands for what
    the model will be asked: requests are not recorded.

    Args:
        quarantine: ExampleGen's, which names the spans that it has read.
        statistics: of the ratings.
        ratings_schema: with comparators.
        movies_schema: with comparators.
        drift: gets `drift.json`.
        data: the section `data` as JSON, `USED` of it: how to read the spans. Which ratings are
            valid, and what they say, is as ExampleGen has decided for all spans.
        split: the section `split` as JSON: names the files if it is `predefined`.

    Raises:
        BadInput: a span cannot be read any more.
    """
    summary = IngestSummary.read(quarantine.uri)
    window = summary.window
    assert window is not None, "without spans the graph has no SpanDrift"
    trained = artifact_utils.get_split_uri([statistics], f.TRAIN)
    comparison = compare_spans(
        window,
        as_decided(DataConfig.model_validate_json(data), summary.ratings),
        SplitConfig.model_validate_json(split),
        tfdv.load_stats_binary(os.path.join(trained, DEFAULT_FILE_NAME)),
        [
            io_utils.parse_pbtxt_file(os.path.join(s.uri, "schema.pbtxt"), schema_pb2.Schema())
            for s in (ratings_schema, movies_schema)
        ],
    )
    for change in comparison.warnings:
        logging.warning("Span %s: %s", comparison.newest, change)
    fileio.makedirs(drift.uri)
    comparison.write(drift.uri)

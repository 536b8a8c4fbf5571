"""RatingsEncoder: the Transform graph applied once, to integer columns.

A few ratings are encoded in memory. More are encoded by parts (`reelflow.encoding.partitions`), in
a loop where Beam would run on this machine, and by Beam's workers otherwise.
"""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

from pathlib import Path
from typing import Final

import apache_beam as beam
import pyarrow as pa
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, TransformGraph
from tfx.v1.dsl.components import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    component,
)

from components.artifacts import parquet_files, record_batches
from reelflow.base import columns as f
from reelflow.data.ingest.ingestion import is_local
from reelflow.data.ingest.shards import count_rows
from reelflow.encoding.encode import encode
from reelflow.encoding.graph import load_graph
from reelflow.encoding.partitions import Encoder, Part

IN_MEMORY: Final = 1 << 21
"""Ratings that are encoded in memory, at most."""


@component(use_beam=True)
def RatingsEncoder(
    examples: InputArtifact[Examples],
    catalogue: InputArtifact[Examples],
    transform_graph: InputArtifact[TransformGraph],
    encoded: OutputArtifact[Examples],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Encode every split of the ratings, and the movies.

    Args:
        examples: ExampleGen's ratings.
        catalogue: ExampleGen's movies and users.
        transform_graph: Transform's output.
        encoded: gets columns that the Trainer and the Evaluator read memory-mapped.
        beam_pipeline: encodes more than `IN_MEMORY` ratings where it has workers.
    """
    graph = load_graph(transform_graph.uri)
    movies = pa.Table.from_batches(record_batches(catalogue, f.MOVIES))
    users = None
    if graph.user_features is not None:
        users = pa.Table.from_batches(record_batches(catalogue, f.USERS))
    encoder = Encoder(transform_graph.uri, _parts(examples), Path(encoded.uri))
    if count_rows([part.path for part in encoder.parts]) <= IN_MEMORY:
        batches = {split: record_batches(examples, split) for split in f.RATING_SPLITS}
        data = encode(graph, batches, movies, users)
        data.save(encoder.folder)
        rows = sum(map(len, (data.train, data.validation, data.test)))
    else:
        if beam_pipeline is None or is_local(beam_pipeline):
            encoder.run()
        else:
            with beam_pipeline:
                _build_graph(beam_pipeline, encoder)
        rows = sum(encoder.finish(movies, users).values())
    encoded.split_names = artifact_utils.encode_split_names([*f.RATING_SPLITS, f.MOVIES])
    encoded.set_int_custom_property("rows", rows)


def _parts(examples: Examples) -> list[Part]:
    return [
        Part(split, number, str(path))
        for split in f.RATING_SPLITS
        for number, path in enumerate(parquet_files(examples, split))
    ]


def _build_graph(pipeline: beam.Pipeline, encoder: Encoder) -> None:
    """Add the steps of `Encoder.run` to a Beam pipeline."""
    encoded = (
        pipeline
        | "Parts" >> beam.Create(list(encoder.parts))
        | "Encode" >> beam.Map(encoder.encode)
    )
    planned = encoded | "All" >> beam.combiners.ToList() | beam.FlatMap(lambda _: encoder.plan())
    _ = planned | beam.Reshuffle() | "Write" >> beam.Map(encoder.write)

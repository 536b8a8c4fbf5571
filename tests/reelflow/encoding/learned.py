"""A real Transform graph, learned by tft_beam from a few lines."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

from reelflow.encoding.preprocessing import preprocessing_fn
from tests.encoded_data import Movie, movies_table

DAY = 86_400
FIRST = 1_000_000_000

MOVIES = [
    Movie("m1", ("Drama", "War"), 1990),
    Movie("фильм 2", ("Drama",), 2000),
    Movie("m3", ("Comedy", "Drama"), 2010),
    Movie("m 4"),
]
USERS = {"u1": (FIRST + DAY, FIRST + 9 * DAY), "ü2": (FIRST, FIRST), "u 3": (FIRST + 5, FIRST + 6)}
"""User to its first and last train timestamp."""

_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def learn(
    folder: Path, movies: Sequence[Movie], users: Mapping[str, tuple[int, int] | None]
) -> str:
    """Run AnalyzeDataset over movies and users, as TFX's Transform does.

    Args:
        folder: where the graph goes.
        movies: the catalogue's `movies`.
        users: the catalogue's `users` with their timestamps, or None without.

    Returns:
        What a TransformGraph artifact has as URI.
    """
    table = movies_table(movies)
    known = {
        "user_id": [[user.encode()] for user in users],
        "timestamp": [None if times is None else list(times) for times in users.values()],
    }
    nothing = [None] * len(users)
    columns = [pa.array(known.get(c.name, nothing), c.type) for c in table.schema]
    return learn_tables(folder, table, pa.table(columns, schema=table.schema))


def learn_tables(
    folder: Path, movies: pa.Table, people: pa.Table, options: dict[str, bool] | None = None
) -> str:
    """The same from tables of the catalogue, with the optional columns that `options` names."""
    function = functools.partial(preprocessing_fn, custom_config=options)
    config = TensorAdapterConfig(
        movies.schema, {name: _ragged(name) for name in people.schema.names}
    )
    with beam.Pipeline(runner=_RUNNER) as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        batches = pipeline | beam.Create([*movies.to_batches(), *people.to_batches()])
        graph = (batches, config) | tft_beam.AnalyzeDataset(function)
        graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return str(folder / "graph")


def _ragged(name: str) -> schema_pb2.TensorRepresentation:
    text = f'varlen_sparse_tensor {{ column_name: "{name}" }}'
    return text_format.Parse(text, schema_pb2.TensorRepresentation())

"""The Transform graph as plain functions on Arrow batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer import features as f
from components.transform.encode import Columns, Graph

_RATINGS_INPUTS = {f.USER_ID: tf.string, f.MOVIE_ID: tf.string, f.TIMESTAMP: tf.int64}
_MOVIES_INPUTS = {f.MOVIE_ID: tf.string, f.GENRES: tf.string, f.YEAR: tf.int64}


def load_graph(transform_graph: str) -> Graph:
    """Loads Transform's output.

    Args:
        transform_graph: URI of the TransformGraph artifact.
    """
    output = tft.TFTransformOutput(transform_graph)
    layer = output.transform_features_layer()

    @tf.function(reduce_retracing=True)
    def apply(inputs: dict[str, tf.SparseTensor]) -> dict[str, tf.SparseTensor]:
        return layer(inputs)

    def ratings(batch: pa.RecordBatch) -> Columns:
        out = apply(_sparse(pa.Table.from_batches([batch]), _RATINGS_INPUTS))
        days = np.zeros(batch.num_rows, np.float32)
        days[out[f.DAY].indices[:, 0].numpy()] = out[f.DAY].values.numpy()
        return {
            f.USER_INDEX: out[f.USER_INDEX].values.numpy(),
            f.MOVIE_INDEX: out[f.MOVIE_INDEX].values.numpy(),
            f.DAY: days,
        }

    def movies(table: pa.Table) -> Columns:
        out = apply(_sparse(table, _MOVIES_INPUTS))
        years = np.zeros(table.num_rows, np.float32)
        years[out[f.YEAR_SCALED].indices[:, 0].numpy()] = out[f.YEAR_SCALED].values.numpy()
        return {
            f.MOVIE_INDEX: out[f.MOVIE_INDEX].values.numpy(),
            f.GENRE_INDICES: out[f.GENRE_INDICES].values.numpy(),
            f.YEAR_SCALED: years,
        }

    return Graph(
        ratings=ratings,
        movies=movies,
        users=output.vocabulary_size_by_name(f.USER_VOCABULARY),
        movies_count=output.vocabulary_size_by_name(f.MOVIE_VOCABULARY),
        genres=output.vocabulary_size_by_name(f.GENRE_VOCABULARY),
    )


def _sparse(table: pa.Table, inputs: dict[str, tf.DType]) -> dict[str, tf.SparseTensor]:
    return {name: _sparse_column(table[name].combine_chunks(), t) for name, t in inputs.items()}


def _sparse_column(column: pa.ChunkedArray | pa.ListArray, dtype: tf.DType) -> tf.SparseTensor:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    column = pa.concat_arrays(chunks)
    counts = np.asarray(pc.list_value_length(column).fill_null(0))
    rows = np.repeat(np.arange(len(column)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = column.flatten().to_numpy(zero_copy_only=False)
    return tf.SparseTensor(
        np.stack([rows, within], axis=1).astype(np.int64),
        tf.constant(values, dtype),
        (len(column), max(int(counts.max(initial=0)), 1)),
    )

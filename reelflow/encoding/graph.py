"""Transform's output as plain functions on Arrow batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import tensorflow_transform as tft

from reelflow.base import columns as f
from reelflow.encoding.encode import Columns, Graph
from reelflow.encoding.encoded import Tokens

_MOVIES_INPUTS = {f.MOVIE_ID: tf.string, f.GENRES: tf.string, f.YEAR: tf.int64}
_USERS_INPUTS = {
    f.USER_ID: tf.string,
    f.GENDER: tf.string,
    f.AGE: tf.int64,
    f.OCCUPATION: tf.string,
    f.ZIP_CODE: tf.string,
}


def load_graph(transform_graph: str) -> Graph:
    """Load Transform's output.

    Args:
        transform_graph: URI of the TransformGraph artifact.
    """
    output = tft.TFTransformOutput(transform_graph)
    layer = output.transform_features_layer()

    # Without AutoGraph, which would spend seconds on translating code that needs none.
    @tf.function(reduce_retracing=True, autograph=False)
    def apply(inputs: dict[str, tf.SparseTensor]) -> dict[str, tf.SparseTensor]:
        return layer(inputs)

    def ratings(batch: pa.RecordBatch) -> Columns:
        # Each id goes through the graph once, however many ratings of the batch have it.
        users, movies = (_dictionary(batch.column(name)) for name in (f.USER_ID, f.MOVIE_ID))
        inputs = {
            f.USER_ID: _single_values(users.dictionary, batch.num_rows),
            f.MOVIE_ID: _single_values(movies.dictionary, batch.num_rows),
            f.TIMESTAMP: _sparse_column(batch.column(f.TIMESTAMP), tf.int64),
        }
        out = apply(inputs)
        days = np.zeros(batch.num_rows, np.float32)
        days[out[f.DAY].indices[:, 0].numpy()] = out[f.DAY].values.numpy()
        return {
            f.USER_INDEX: out[f.USER_INDEX].values.numpy()[users.indices.to_numpy()],
            f.MOVIE_INDEX: out[f.MOVIE_INDEX].values.numpy()[movies.indices.to_numpy()],
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

    known = output.transformed_feature_spec()

    def words(vocabulary: str) -> list[str]:
        # Transform puts a placeholder into an empty vocabulary; real words are `name=value`.
        decoded = (word.decode() for word in output.vocabulary_by_name(vocabulary))
        return [word for word in decoded if "=" in word]

    def movie_features(table: pa.Table) -> Tokens:
        out = apply(_sparse(table, {f.MOVIE_ID: tf.string, f.FEATURES: tf.string}))
        return _tokens(out[f.MOVIE_INDEX], out[f.FEATURE_INDICES], words(f.FEATURE_VOCABULARY))

    def user_features(table: pa.Table) -> Tokens:
        out = apply(_sparse(table, _USERS_INPUTS))
        vocabulary = words(f.USER_FEATURE_VOCABULARY)
        return _tokens(out[f.USER_INDEX], out[f.USER_FEATURE_INDICES], vocabulary)

    return Graph(
        ratings=ratings,
        movies=movies,
        users=output.vocabulary_size_by_name(f.USER_VOCABULARY),
        movies_count=output.vocabulary_size_by_name(f.MOVIE_VOCABULARY),
        genres=output.vocabulary_size_by_name(f.GENRE_VOCABULARY),
        movie_features=movie_features if f.FEATURE_INDICES in known else None,
        user_features=user_features if f.USER_FEATURE_INDICES in known else None,
    )


def _tokens(index: tf.SparseTensor, features: tf.SparseTensor, words: list[str]) -> Tokens:
    """Collect the words of each row, rows in the order of their index."""
    order = np.argsort(index.values.numpy())
    rows, indices = features.indices[:, 0].numpy(), features.values.numpy()
    return Tokens.from_pairs(words, rows, indices, len(order)).take(order)


def _dictionary(column: pa.ListArray) -> pa.DictionaryArray:
    """Encode a list column with one value a row as distinct values and indices into them."""
    return column.flatten().dictionary_encode()


def _single_values(values: pa.Array, rows: int) -> tf.SparseTensor:
    """Make a column [rows, 1] of which only the first rows have a value."""
    at = np.arange(len(values), dtype=np.int64)
    indices = np.stack([at, np.zeros_like(at)], axis=1)
    texts = tf.constant(values.to_numpy(zero_copy_only=False), tf.string)
    return tf.SparseTensor(indices, texts, (rows, 1))


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

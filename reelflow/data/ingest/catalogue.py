"""The `catalogue` artifact: every movie once, and every user of the train split once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.config import DataConfig
from reelflow.data import schema
from reelflow.data.ingest.partition import Ratings
from reelflow.data.ingest.split import TRAIN, Codes
from reelflow.data.schema import one_chunk, single_values

_TEXTS = pa.large_list(pa.large_binary())
_INTEGERS = pa.large_list(pa.int64())


def catalogue_schema(with_attributes: bool, with_features: bool = False) -> pa.Schema:
    """Return the columns of both splits, each a list.

    Transform insists on TFX's own Arrow types and on the order of schemas/movies.pbtxt.

    Args:
        with_attributes: have the users' attributes.
        with_features: have the movie columns that are declared as features.
    """
    fields = [
        (columns.MOVIE_ID, _TEXTS),
        (columns.TITLE, _TEXTS),
        (columns.GENRES, _TEXTS),
        (columns.YEAR, _INTEGERS),
        (columns.USER_ID, _TEXTS),
        (columns.TIMESTAMP, _INTEGERS),
    ]
    if with_attributes:
        for name in columns.USER_ATTRIBUTES:
            text = pa.types.is_string(schema.USERS.field(name).type)
            fields.append((name, _TEXTS if text else _INTEGERS))
    if with_features:
        fields.append((columns.FEATURES, _TEXTS))
    return pa.schema(fields)


def movies_from_ids(movie_ids: Sequence[str]) -> pa.Table:
    """Make the catalogue of a source without a movies' file (`schema.MOVIES`): ids are titles."""
    ids = pa.array(movie_ids, pa.string())
    genres = pa.array([[]] * len(ids), pa.list_(pa.string()))
    return pa.table([ids, ids, genres, pa.nulls(len(ids), pa.int64())], schema=schema.MOVIES)


def movies_split(movies: pa.Table, with_attributes: bool, with_features: bool = False) -> pa.Table:
    """Turn movies (`schema.MOVIES`) into rows of the catalogue."""
    lists = {name: one_chunk(movies.column(name)) for name in movies.column_names}
    for name in (columns.MOVIE_ID, columns.TITLE, columns.YEAR):
        lists[name] = single_values(lists[name])
    return _table(lists, movies.num_rows, catalogue_schema(with_attributes, with_features))


def users_split(
    ratings: Ratings, splits: Codes, attributes: pa.Table | None, with_features: bool = False
) -> pa.Table:
    """Turn users with train ratings into rows of the catalogue, with first and last timestamp.

    Args:
        ratings: sorted by user and time.
        splits: uint8 [rows].
        attributes: table of `schema.USERS`, or None without the opt-in.
        with_features: the movies of the catalogue have declared features.
    """
    train = np.flatnonzero(splits == TRAIN)
    user = ratings.user[train]
    first = np.flatnonzero(np.diff(user, prepend=-1))
    last = np.append(first[1:], len(user)) - 1 if len(first) else first
    ids = ratings.users.take(pa.array(user[first]))
    lists = {columns.USER_ID: single_values(ids)}
    if ratings.timestamp is not None:
        times = ratings.timestamp[train]
        bounds = np.stack([times[first], times[last]], axis=1).ravel()
        offsets = pa.array(np.arange(len(ids) + 1, dtype=np.int32) * 2)
        lists[columns.TIMESTAMP] = pa.ListArray.from_arrays(offsets, pa.array(bounds))
    if attributes is not None:
        at = pc.index_in(ids, value_set=one_chunk(attributes.column(columns.USER_ID)))
        known = attributes.take(at)
        lists |= {
            name: single_values(one_chunk(known.column(name))) for name in columns.USER_ATTRIBUTES
        }
    fields = catalogue_schema(attributes is not None, with_features)
    return _table(lists, len(ids), fields)


def _table(lists: dict[str, pa.Array], rows: int, fields: pa.Schema) -> pa.Table:
    """Make a table of lists with 64-bit offsets; null lists are kept, missing columns are null."""
    arrays = []
    for field in fields:
        column = lists.get(field.name)
        if column is None:
            arrays.append(pa.nulls(rows, field.type))
            continue
        starts = np.asarray(column.offsets.cast(pa.int64()))
        nulls = np.append(np.asarray(column.is_null()), False)
        values = column.values.cast(field.type.value_type)
        offsets = pa.array(starts, pa.int64(), mask=nulls)
        arrays.append(pa.LargeListArray.from_arrays(offsets, values))
    return pa.table(arrays, schema=fields)


def movies_hash(movies: pa.Table) -> str:
    """Return the SHA-256 of the movies' content, whatever their order."""
    rows = movies.sort_by(columns.MOVIE_ID).to_pylist()
    text = json.dumps(rows, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def missing_features(data: DataConfig, movies: pa.Table, users: pa.Table | None) -> list[str]:
    """Name the features that the configuration asks for and the data do not have.

    Args:
        data: declares movie columns and opts in to users' attributes.
        movies: the movies, with the column of declared features if their file has been read.
        users: table of `schema.USERS`, without rows if there is no users' file; None without the
            opt-in.

    Returns:
        Words for each, in the order of the configuration.
    """
    missing = []
    if users is not None and not users.num_rows:
        missing = ["users' attributes"]
    elif users is not None:
        missing = [
            f"users' {name}"
            for name in columns.USER_ATTRIBUTES
            if users.column(name).null_count == users.num_rows
        ]
    present: set[str] = set()
    if columns.FEATURES in movies.column_names:
        words = pc.unique(pc.list_flatten(movies.column(columns.FEATURES))).to_pylist()
        present = {word.partition("=")[0] for word in words}
    return missing + [f"movies' {name}" for name in data.movie_features if name not in present]

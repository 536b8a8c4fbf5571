"""The `catalogue` artifact: every movie once, and every user of the train split once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.base import columns as features
from reelflow.config import DataConfig
from reelflow.data import schema
from reelflow.data.arrow import one_chunk, single_values
from reelflow.data.ingest.partition import Ratings
from reelflow.data.ingest.split import TRAIN, Codes

_ATTRIBUTES = schema.USERS.names[1:]
_LISTS = (features.GENRES, features.FEATURES)
_TEXTS = pa.large_list(pa.large_binary())
_INTEGERS = pa.large_list(pa.int64())


def catalogue_schema(with_attributes: bool, with_features: bool = False) -> pa.Schema:
    """Columns of both splits, each a list.

    Transform insists on TFX's own Arrow types and on the order of schemas/movies.pbtxt.

    Args:
        with_attributes: have the users' attributes; only if the configuration opts in.
        with_features: have the movie columns that the configuration declares as features.
    """
    fields = [
        (features.MOVIE_ID, _TEXTS),
        (features.TITLE, _TEXTS),
        (features.GENRES, _TEXTS),
        (features.YEAR, _INTEGERS),
        (features.USER_ID, _TEXTS),
        (features.TIMESTAMP, _INTEGERS),
    ]
    if with_attributes:
        for name in _ATTRIBUTES:
            text = pa.types.is_string(schema.USERS.field(name).type)
            fields.append((name, _TEXTS if text else _INTEGERS))
    if with_features:
        fields.append((features.FEATURES, _TEXTS))
    return pa.schema(fields)


def movies_from_ids(movie_ids: Sequence[str]) -> pa.Table:
    """The catalogue of a source without a movies' file (`schema.MOVIES`): ids are the titles."""
    ids = pa.array(movie_ids, pa.string())
    genres = pa.array([[]] * len(ids), pa.list_(pa.string()))
    return pa.table([ids, ids, genres, pa.nulls(len(ids), pa.int64())], schema=schema.MOVIES)


def movies_split(movies: pa.Table, with_attributes: bool, with_features: bool = False) -> pa.Table:
    """Movies (`ratings.schema.MOVIES`) as rows of the catalogue."""
    columns = {name: one_chunk(movies.column(name)) for name in movies.column_names}
    lists = {
        name: values if name in _LISTS else single_values(values)
        for name, values in columns.items()
    }
    return _with_nulls(lists, movies.num_rows, catalogue_schema(with_attributes, with_features))


def users_split(
    ratings: Ratings, splits: Codes, attributes: pa.Table | None, with_features: bool = False
) -> pa.Table:
    """Users with train ratings as rows of the catalogue, with their first and last train timestamp.

    Args:
        ratings: sorted by user and time.
        splits: uint8 [rows].
        attributes: table of `ratings.schema.USERS`, or None if attributes are not wanted.
        with_features: whether the movies of the catalogue have declared features.
    """
    train = np.flatnonzero(splits == TRAIN)
    user = ratings.user[train]
    first = np.flatnonzero(np.diff(user, prepend=-1))
    last = np.append(first[1:], len(user)) - 1 if len(first) else first
    ids = ratings.users.take(pa.array(user[first]))
    lists = {features.USER_ID: single_values(ids)}
    if ratings.timestamp is not None:
        times = ratings.timestamp[train]
        bounds = np.stack([times[first], times[last]], axis=1).ravel()
        offsets = pa.array(np.arange(len(ids) + 1, dtype=np.int32) * 2)
        lists[features.TIMESTAMP] = pa.ListArray.from_arrays(offsets, pa.array(bounds))
    if attributes is not None:
        at = pc.index_in(ids, value_set=one_chunk(attributes.column(features.USER_ID)))
        found = attributes.take(at)
        lists |= {name: single_values(one_chunk(found.column(name))) for name in _ATTRIBUTES}
    columns = catalogue_schema(attributes is not None, with_features)
    return _with_nulls(lists, len(ids), columns)


def _with_nulls(lists: dict[str, pa.Array], rows: int, columns: pa.Schema) -> pa.Table:
    arrays = [
        _large(lists[field.name], field.type) if field.name in lists else pa.nulls(rows, field.type)
        for field in columns
    ]
    return pa.table(arrays, schema=columns)


def _large(lists: pa.ListArray, wanted: pa.DataType) -> pa.LargeListArray:
    """List with 64-bit offsets and the wanted type of values, null lists kept."""
    starts = np.asarray(lists.offsets.cast(pa.int64()))
    nulls = np.append(np.asarray(lists.is_null()), False)
    values = lists.values.cast(wanted.value_type)
    return pa.LargeListArray.from_arrays(pa.array(starts, pa.int64(), mask=nulls), values)


def movies_hash(movies: pa.Table) -> str:
    """SHA-256 of the movies' content, whatever their order."""
    rows = movies.sort_by(features.MOVIE_ID).to_pylist()
    text = json.dumps(rows, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# Features that the configuration asks for and the data do not have.


def absent_features(data: DataConfig, movies: pa.Table, users: pa.Table | None) -> list[str]:
    """Words for each of them, in the order of the configuration; none is refused for it.

    Args:
        data: which movie columns are declared, and whether users' attributes are wanted.
        movies: the movies, with the column of declared features if their file has been read.
        users: table of `ratings.schema.USERS`, with no rows if there is no users' file.
    """
    absent = []
    if users is not None and not users.num_rows:
        absent.append("users' attributes")
    elif users is not None:
        names = schema.USERS.names[1:]
        absent += [f"users' {n}" for n in names if users.column(n).null_count == users.num_rows]
    found: set[str] = set()
    if columns.FEATURES in movies.column_names:
        words = pc.unique(pc.list_flatten(movies.column(columns.FEATURES))).to_pylist()
        found = {word.partition("=")[0] for word in words}
    return absent + [f"movies' {name}" for name in data.movie_features if name not in found]

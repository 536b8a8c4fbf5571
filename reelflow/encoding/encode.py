"""From raw columns to encoded ratings: apply the graph in big batches, sort, find histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedCatalogue, EncodedData, EncodedRatings, Sizes
from reelflow.encoding.tokens import Tokens

Columns = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Graph:
    """The Transform graph as plain functions on Arrow batches with list columns."""

    ratings: Callable[[pa.RecordBatch], Columns]
    """Ratings batch of n rows to `user_index`, `movie_index` (int [n]) and `day` (float32 [n])."""
    movies: Callable[[pa.Table], Columns]
    """Movies to `movie_index` (int [n]), `year_scaled` (float32 [n]), `genre_indices` (int [sum of
    genre counts])."""
    users: int
    movies_count: int
    genres: int
    movie_features: Callable[[pa.Table], Tokens] | None = None
    """Movies to their declared features, in vocabulary order; None if none are declared."""
    user_features: Callable[[pa.Table], Tokens] | None = None
    """Users to their attributes, in vocabulary order; None unless opted in."""


def encode(
    graph: Graph,
    batches: Mapping[str, Iterable[pa.RecordBatch]],
    movies: pa.Table,
    users: pa.Table | None = None,
) -> EncodedData:
    """Encode all splits.

    Args:
        graph: the Transform graph.
        batches: split to its record batches, list columns as ExampleGen writes them.
        movies: the `movies` split of the catalogue.
        users: the `users` split; needed if the graph has `user_features`.
    """
    unsorted = {split: _encode_split(graph, batches[split]) for split in f.RATING_SPLITS}
    has_timestamps = any((rows.timestamp != rows.timestamp[:1]).any() for rows in unsorted.values())
    train = timelines(unsorted[f.TRAIN].only_known(graph.users, graph.movies_count))
    held_out = {split: with_histories(unsorted[split], train) for split in (f.VALIDATION, f.TEST)}
    return EncodedData(
        train=train,
        **held_out,
        catalogue=encode_catalogue(graph, movies),
        movie_features=None if graph.movie_features is None else graph.movie_features(movies),
        user_features=None if graph.user_features is None else graph.user_features(users),
        sizes=Sizes(
            users=graph.users,
            movies=graph.movies_count,
            genres=graph.genres,
            has_timestamps=has_timestamps,
            unknown_users={
                s: int((rows.user_index >= graph.users).sum()) for s, rows in unsorted.items()
            },
            unknown_movies={
                s: int((rows.movie_index >= graph.movies_count).sum())
                for s, rows in unsorted.items()
            },
        ),
    )


def timelines(rows: EncodedRatings) -> EncodedRatings:
    """The rows as a train split: every user's timeline, each row with its history.

    Sorted by user, then time, movie and stars: the same whatever the order of the input.
    """
    train = rows.take(np.lexsort((rows.rating, rows.movie_index, rows.timestamp, rows.user_index)))
    moves_on = np.ones(len(train), bool)
    moves_on[1:] = (train.user_index[1:] != train.user_index[:-1]) | (
        train.timestamp[1:] != train.timestamp[:-1]
    )
    ends = np.maximum.accumulate(np.where(moves_on, np.arange(len(train)), 0))
    return replace(train, history_end=ends)


def with_histories(rows: EncodedRatings, train: EncodedRatings) -> EncodedRatings:
    """Rows of another split, each with its user's strictly earlier train ratings as history."""
    times = np.unique(train.timestamp)
    stride = len(times) + 1
    timeline = train.user_index.astype(np.int64) * stride + np.searchsorted(times, train.timestamp)
    wanted = rows.user_index.astype(np.int64) * stride + np.searchsorted(times, rows.timestamp)
    return replace(rows, history_end=np.searchsorted(timeline, wanted).astype(np.int64))


def encode_catalogue(graph: Graph, movies: pa.Table) -> EncodedCatalogue:
    """The movies in vocabulary order."""
    columns = graph.movies(movies)
    counts = np.asarray(pc.list_value_length(movies[f.GENRES]).fill_null(0))
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = np.argsort(columns[f.MOVIE_INDEX])
    genre_rows = np.repeat(order, counts[order])
    within = np.arange(len(genre_rows)) - np.repeat(
        np.concatenate([[0], np.cumsum(counts[order])[:-1]]), counts[order]
    )
    ordered = movies.take(pa.array(order))
    return EncodedCatalogue(
        movie_id=[movie_id for (movie_id,) in _texts(ordered[f.MOVIE_ID])],
        title=["".join(title) for title in _texts(ordered[f.TITLE])],
        genres=_texts(ordered[f.GENRES]),
        year=[year[0] if year else None for year in ordered[f.YEAR].to_pylist()],
        genre_indices=columns[f.GENRE_INDICES][starts[genre_rows] + within].astype(np.int32),
        genre_counts=counts[order].astype(np.int32),
        year_scaled=columns[f.YEAR_SCALED][order].astype(np.float32),
    )


def _encode_split(graph: Graph, batches: Iterable[pa.RecordBatch]) -> EncodedRatings:
    parts = [_encode_batch(graph, batch) for batch in batches]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else _NO_ROWS
    return EncodedRatings(*(*columns, np.zeros(len(columns[0]), np.int64)))


_NO_ROWS = [np.zeros(0, t) for t in (np.int32, np.int32, np.float32, np.int64, np.float32)]


def _encode_batch(graph: Graph, batch: pa.RecordBatch) -> list[npt.NDArray[np.generic]]:
    columns = graph.ratings(batch)
    return [
        columns[f.USER_INDEX].astype(np.int32),
        columns[f.MOVIE_INDEX].astype(np.int32),
        scalars(batch.column(batch.schema.get_field_index(f.RATING)), np.float32),
        scalars(batch.column(batch.schema.get_field_index(f.TIMESTAMP)), np.int64),
        columns[f.DAY].astype(np.float32),
    ]


def scalars(column: pa.ListArray, dtype: type[np.generic]) -> npt.NDArray[np.generic]:
    """A list column with at most one value a row as a plain array, 0 where there is none."""
    out = np.zeros(len(column), dtype)
    out[np.asarray(pc.list_value_length(column).fill_null(0)) > 0] = column.flatten().to_numpy(
        zero_copy_only=False
    )
    return out


def texts(column: pa.ListArray) -> npt.NDArray[np.object_]:
    """A list column with one text a row as a plain array of objects."""
    values: npt.NDArray[np.object_] = column.flatten().to_numpy(zero_copy_only=False)
    return values


def _texts(column: pa.ChunkedArray) -> list[list[str]]:
    return [[text.decode() for text in row or ()] for row in column.to_pylist()]


# Train and validation as one train split: what the last training learns from.


def with_validation(data: EncodedData) -> EncodedData:
    """The same ratings with those of validation among those of train; validation is empty then.

    Vocabularies stay those of train: a validation rating of an unknown user or movie is left out.
    Train is in memory afterwards, 32 bytes a rating.
    """
    held_out = data.validation
    known = held_out.only_known(data.sizes.users, len(data.catalogue))
    train = timelines(_joined(data.train, known))
    return replace(
        data,
        train=train,
        validation=held_out.take(np.arange(0)),
        test=with_histories(data.test, train),
    )


def learned_from(data: EncodedData, train: Mapping[str, Any]) -> EncodedData:
    """The ratings that a model was exported with.

    Args:
        data: the encoded ratings.
        train: the section `train` of the model's configuration; an older one knows no refit.
    """
    return with_validation(data) if train.get("refit") and len(data.validation) else data


def _joined(one: EncodedRatings, other: EncodedRatings) -> EncodedRatings:
    return EncodedRatings(
        *(
            np.concatenate([getattr(one, column.name), getattr(other, column.name)])
            for column in fields(EncodedRatings)
        )
    )

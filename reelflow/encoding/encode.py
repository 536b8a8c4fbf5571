"""Encode raw columns: apply the Transform graph in big batches, sort, find histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns as f
from reelflow.encoding.encoded import (
    EncodedCatalogue,
    EncodedData,
    EncodedRatings,
    NewUsers,
    Sizes,
    Tokens,
)

Columns = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Graph:
    """The Transform graph as plain functions on Arrow batches with list columns."""

    ratings: Callable[[pa.RecordBatch], Columns]
    """Encodes n ratings: `user_index` and `movie_index`, int [n], and `day`, float32 [n]."""
    movies: Callable[[pa.Table], Columns]
    """Encodes n movies: `movie_index`, int [n], `year_scaled`, float32 [n], and `genre_indices`,
    int [sum of genre counts]."""
    users: int
    movies_count: int
    genres: int
    movie_features: Callable[[pa.Table], Tokens] | None = None
    """Encodes the movies' declared features, in vocabulary order; None if none are declared."""
    user_features: Callable[[pa.Table], Tokens] | None = None
    """Encodes the users' attributes, in vocabulary order; None unless opted in."""


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
    unsorted: dict[str, EncodedRatings] = {}
    strangers: list[Strangers] = []
    for split in f.RATING_SPLITS:
        unsorted[split], unknown = encode_split(graph, batches[split])
        if split != f.TRAIN:
            strangers.append(Strangers.of(graph, unsorted[split], unknown, split == f.TEST))
    sizes = sizes_of(graph, {split: [Counted.of(graph, unsorted[split])] for split in unsorted})
    train = timelines(unsorted[f.TRAIN].only_known(sizes))
    held_out = {split: with_histories(unsorted[split], train) for split in (f.VALIDATION, f.TEST)}
    return EncodedData(
        train=train,
        **held_out,
        catalogue=encode_catalogue(graph, movies),
        movie_features=None if graph.movie_features is None else graph.movie_features(movies),
        user_features=None if graph.user_features is None else graph.user_features(users),
        sizes=sizes,
        new_users=new_users(strangers),
    )


class Counted(NamedTuple):
    """Counts of some rows of a split, as encoded."""

    rows: int
    unknown_users: int
    unknown_movies: int
    first: int
    """The earliest time; 0 without rows."""
    last: int
    """The latest time; 0 without rows."""

    @classmethod
    def of(cls, graph: Graph, rows: EncodedRatings) -> Counted:
        """Count."""
        return cls(
            len(rows),
            int((rows.user_index >= graph.users).sum()),
            int((rows.movie_index >= graph.movies_count).sum()),
            int(rows.timestamp.min()) if len(rows) else 0,
            int(rows.timestamp.max()) if len(rows) else 0,
        )


def sizes_of(graph: Graph, splits: Mapping[str, Sequence[Counted]]) -> Sizes:
    """Return the sizes of the vocabularies, and what the parts of each split add up to."""
    some = {split: [part for part in parts if part.rows] for split, parts in splits.items()}
    return Sizes(
        users=graph.users,
        movies=graph.movies_count,
        genres=graph.genres,
        has_timestamps=any(
            min(part.first for part in parts) < max(part.last for part in parts)
            for parts in some.values()
            if parts
        ),
        unknown_users={s: sum(part.unknown_users for part in some[s]) for s in splits},
        unknown_movies={s: sum(part.unknown_movies for part in some[s]) for s in splits},
    )


class Strangers(NamedTuple):
    """Ratings of users that train does not have, of movies in the catalogue."""

    user_ids: list[str]
    """Of each rating."""
    rows: EncodedRatings
    test: bool

    @classmethod
    def of(
        cls, graph: Graph, rows: EncodedRatings, user_ids: Sequence[str], test: bool
    ) -> Strangers:
        """Select.

        Args:
            graph: the Transform graph.
            rows: of a split.
            user_ids: of the rows with an unknown user, in order.
            test: True for the test split.
        """
        unknown = rows.take(np.flatnonzero(rows.user_index >= graph.users))
        kept = np.flatnonzero(unknown.movie_index < graph.movies_count)
        return cls([user_ids[row] for row in kept], unknown.take(kept), test)


def new_users(parts: Sequence[Strangers]) -> NewUsers:
    """Put the strangers of all splits together, in order."""
    if not parts:
        return NewUsers.none()
    ids = [user for part in parts for user in part.user_ids]
    names, owners = np.unique(np.array(ids, object).astype(str), return_inverse=True)
    rows = EncodedRatings.joined([part.rows for part in parts])
    test = np.repeat([part.test for part in parts], [len(part.rows) for part in parts])
    return NewUsers(
        names.tolist(),
        owners.astype(np.int32),
        rows.movie_index,
        rows.rating,
        rows.timestamp,
        test,
    )


def timelines(rows: EncodedRatings) -> EncodedRatings:
    """Make a train split of rows: every user's timeline, each row with the end of its history.

    Sorted by user, then time, movie and stars, so the order of the input does not matter.
    """
    train = rows.take(np.lexsort((rows.rating, rows.movie_index, rows.timestamp, rows.user_index)))
    moves_on = np.ones(len(train), bool)
    moves_on[1:] = (train.user_index[1:] != train.user_index[:-1]) | (
        train.timestamp[1:] != train.timestamp[:-1]
    )
    ends = np.maximum.accumulate(np.where(moves_on, np.arange(len(train)), 0))
    return replace(train, history_end=ends)


def with_histories(rows: EncodedRatings, train: EncodedRatings) -> EncodedRatings:
    """Give rows of another split all train ratings of their users as histories.

    As served: a server knows what has been rated, and not the time of what will be.
    """
    ends = np.searchsorted(train.user_index, rows.user_index, side="right")
    return replace(rows, history_end=ends.astype(np.int64))


def encode_catalogue(graph: Graph, movies: pa.Table) -> EncodedCatalogue:
    """Encode the movies and put them in vocabulary order."""
    columns = graph.movies(movies)
    counts = np.asarray(pc.list_value_length(movies[f.GENRES]).fill_null(0))
    starts = np.cumsum(counts) - counts
    order = np.argsort(columns[f.MOVIE_INDEX])
    ordered, ordered_counts = movies.take(pa.array(order)), counts[order]
    ordered_starts = np.cumsum(ordered_counts) - ordered_counts
    within = np.arange(counts.sum()) - np.repeat(ordered_starts, ordered_counts)
    genre_places = np.repeat(starts[order], ordered_counts) + within
    return EncodedCatalogue(
        movie_id=[movie_id for (movie_id,) in _texts(ordered[f.MOVIE_ID])],
        title=["".join(title) for title in _texts(ordered[f.TITLE])],
        genres=_texts(ordered[f.GENRES]),
        year=[year[0] if year else None for year in ordered[f.YEAR].to_pylist()],
        genre_indices=columns[f.GENRE_INDICES][genre_places].astype(np.int32),
        genre_counts=ordered_counts.astype(np.int32),
        year_scaled=columns[f.YEAR_SCALED][order].astype(np.float32),
    )


def encode_split(
    graph: Graph, batches: Iterable[pa.RecordBatch]
) -> tuple[EncodedRatings, list[str]]:
    """Encode one split; also return the user ids of its rows with an unknown user, in order."""
    parts: list[list[npt.NDArray[Any]]] = []
    unknown: list[str | bytes] = []
    for batch in batches:
        parts.append(_encode_batch(graph, batch))
        users = batch.column(f.USER_ID).flatten()
        rows = np.flatnonzero(parts[-1][0] >= graph.users)
        unknown += users.take(pa.array(rows)).to_pylist()
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else _NO_ROWS
    ratings = EncodedRatings(*(*columns, np.zeros(len(columns[0]), np.int64)))
    return ratings, [user if isinstance(user, str) else user.decode() for user in unknown]


_NO_ROWS = [np.zeros(0, t) for t in (np.int32, np.int32, np.float32, np.int64, np.float32)]


def _encode_batch(graph: Graph, batch: pa.RecordBatch) -> list[npt.NDArray[np.generic]]:
    columns = graph.ratings(batch)
    return [
        columns[f.USER_INDEX].astype(np.int32),
        columns[f.MOVIE_INDEX].astype(np.int32),
        _scalars(batch.column(f.RATING), np.float32),
        _scalars(batch.column(f.TIMESTAMP), np.int64),
        columns[f.DAY].astype(np.float32),
    ]


def _scalars(column: pa.ListArray, dtype: type[np.generic]) -> npt.NDArray[np.generic]:
    """Flatten a list column with at most one value a row, [rows]; 0 where there is none."""
    out = np.zeros(len(column), dtype)
    out[np.asarray(pc.list_value_length(column).fill_null(0)) > 0] = column.flatten().to_numpy(
        zero_copy_only=False
    )
    return out


def _texts(column: pa.ChunkedArray) -> list[list[str]]:
    """Decode a list column of bytes; null rows are empty."""
    return [[text.decode() for text in row or ()] for row in column.to_pylist()]


BETWEEN = 0.1
"""Share of validation ratings with later train ratings from which on a split is not by time."""


def is_split_by_time(data: EncodedData) -> bool:
    """Return True if what is predicted comes after what is known, user by user.

    By the validation ratings of known users: a tenth of them may be earlier than a train rating.
    Without any the answer is True.
    """
    rows = data.validation.only_known(data.sizes)
    if not len(rows):
        return True
    ends = data.offsets[rows.user_index + 1]
    last = data.train.timestamp[np.maximum(ends - 1, 0)]
    return bool(np.mean(last > rows.timestamp) <= BETWEEN)


TIED = 0.05
"""Share of validation ratings with a train rating of the same time from which on ties are known."""


def knows_ties(data: EncodedData) -> bool:
    """Return True if what is predicted often has the time of what is known, user by user.

    By the validation ratings of known users, as `is_split_by_time`: where the last ratings of each
    user are held out, others of the same second may stay in train; a cut in time has none.
    """
    rows = data.validation.only_known(data.sizes)
    if not len(rows) or not data.sizes.has_timestamps:
        return False
    last = data.train.timestamp[np.maximum(data.offsets[rows.user_index + 1] - 1, 0)]
    return bool(np.mean(last == rows.timestamp) >= TIED)


def as_served(data: EncodedData) -> Callable[[EncodedData], EncodedData]:
    """Return the change of train's histories by which a model is trained as this split serves it.

    Whole histories for splits not by time; for those that `knows_ties`, all that stands earlier in
    the timeline, equal times included; or else none, and histories are strictly earlier.
    """
    if not is_split_by_time(data):
        return with_whole_histories
    return with_ties if knows_ties(data) else lambda data: data


def with_ties(data: EncodedData) -> EncodedData:
    """Give train ratings all as histories that stands before them in their users' timelines."""
    return replace(data, train=replace(data.train, history_end=np.arange(len(data.train))))


def with_whole_histories(data: EncodedData) -> EncodedData:
    """Give train ratings all of their users' timelines as histories, for splits not by time.

    The model is then trained as it is served, from what the user has rated earlier and later; it
    leaves the rating itself out.
    """
    ends = data.offsets[data.train.user_index + 1]
    return replace(data, train=replace(data.train, history_end=ends))


def with_validation(data: EncodedData) -> EncodedData:
    """Move the validation ratings into train, as the second training (`train.refit`) does.

    Vocabularies stay those of train: a validation rating of an unknown user or movie is left out.
    Train is in memory afterwards, 32 bytes a rating.
    """
    added = data.validation.only_known(data.sizes)
    train = timelines(EncodedRatings.joined([data.train, added]))
    return replace(
        data,
        train=train,
        validation=data.validation.take(np.arange(0)),
        test=with_histories(data.test, train),
    )


def training_data(data: EncodedData, train: Mapping[str, Any]) -> EncodedData:
    """Return the data that an exported model was trained on: with `refit`, validation included.

    Args:
        data: the encoded ratings.
        train: the section `train` of the model's configuration; that of an old model may lack
            `refit`, and it was then trained on train alone.
    """
    return with_validation(data) if train.get("refit") and len(data.validation) else data

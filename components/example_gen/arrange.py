"""One partition's ratings in their final order, without exact duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.trainer import features
from ratings import schema
from ratings.arrow import one_chunk
from ratings.reasons import CODES, DUPLICATE


@dataclass(frozen=True)
class Ratings:
    """Ratings of whole users: rows of a user together, sorted by user id, time and place.

    Attributes:
        users: string [users], distinct and sorted.
        movies: string [movies], distinct, in no order that means anything.
        user: int32 [rows], index into `users`; ascending.
        movie: int32 [rows], index into `movies`.
        rating: float32 [rows].
        timestamp: int64 [rows], or None if the source has none.
        file: int32 [rows], index of the file in the source.
    """

    users: pa.Array
    movies: pa.Array
    user: npt.NDArray[np.int32]
    movie: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float32]
    timestamp: npt.NDArray[np.int64] | None
    file: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.user)


def arrange(parts: Iterable[pa.Table]) -> tuple[Ratings, pa.Table]:
    """Join, sort and deduplicate the parts of one partition.

    Args:
        parts: tables of `ratings.schema.PARSED`, in the order of files and offsets; none is fine.

    Returns:
        The ratings, and a table of `ratings.schema.REJECTED` with their exact duplicates: of rows
        that agree in user, film, rating and timestamp the first by file and offset is kept.
    """
    tables = [schema.PARSED.empty_table(), *parts]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    user, users = _decoded(table, features.USER_ID)
    movie, movies = _decoded(table, features.MOVIE_ID)
    by_name = pc.sort_indices(users).to_numpy()
    rank = np.empty(len(users), np.int32)
    rank[by_name] = np.arange(len(users), dtype=np.int32)
    user, users = rank[user], users.take(pa.array(by_name))

    rating = _numpy(table, features.RATING)
    has_time = table.column(features.TIMESTAMP).null_count == 0
    timestamp = _numpy(table, features.TIMESTAMP) if has_time else None
    file, offset = _numpy(table, schema.FILE), _numpy(table, schema.OFFSET)

    key, order = _order(user, timestamp)
    repeated = order[_repeated(key[order], movie[order], rating[order])]
    if len(repeated):
        kept = np.ones(len(order), np.bool_)
        kept[repeated] = False
        order = order[kept[order]]
    ratings = Ratings(
        users=users,
        movies=movies,
        user=user[order],
        movie=movie[order],
        rating=rating[order],
        timestamp=None if timestamp is None else timestamp[order],
        file=file[order],
    )
    reason = np.full(len(repeated), CODES[DUPLICATE], np.uint8)
    arrays = [pa.array(file[repeated]), pa.array(offset[repeated]), pa.array(reason)]
    return ratings, pa.table(arrays, schema=schema.REJECTED)


def _decoded(table: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], pa.Array]:
    column = one_chunk(table.column(name))
    return column.indices.to_numpy(), column.dictionary


def _numpy(table: pa.Table, name: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = table.column(name).to_numpy()
    return values


def _order(
    user: npt.NDArray[np.int32], timestamp: npt.NDArray[np.int64] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A number that tells users and times apart, and the stable order by user and time; [rows]."""
    if timestamp is None or not len(user):
        return user.astype(np.int64), np.argsort(user, kind="stable")
    first, last = int(timestamp.min()), int(timestamp.max())
    span = last - first + 1
    if span * (int(user.max()) + 1) >= 2**63:
        # Times as wide apart as only damaged ones are: number them instead.
        timestamp = np.unique(timestamp, return_inverse=True)[1].astype(np.int64)
        first, span = 0, len(timestamp)
    key = user.astype(np.int64) * span + (timestamp - first)
    return key, np.argsort(key, kind="stable")


def _repeated(
    key: npt.NDArray[np.int64], movie: npt.NDArray[np.int32], rating: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Positions of the rows that agree with an earlier row in everything, int64, in no order.

    Only rows of the same user and time come into question; `key`, which tells these, is sorted.
    """
    tied = np.diff(key) == 0
    candidates = np.flatnonzero(np.append(tied, False) | np.append(False, tied)[: len(key)])
    if not len(candidates):
        return candidates
    group = np.cumsum(np.append(True, ~tied))[candidates]
    film = group * (int(movie.max()) + 1) + movie[candidates]
    if np.diff(np.sort(film)).all():
        return candidates[:0]
    order = np.lexsort((rating[candidates], film))
    same = (np.diff(film[order]) == 0) & (np.diff(rating[candidates][order]) == 0)
    return candidates[order[1:][same]]

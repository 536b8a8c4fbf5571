"""Ratings by partitions of users, and the stable hashes that distribute them.

The 64-bit hashes are the same on every machine and in every version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.config import Feedback
from reelflow.data import schema
from reelflow.data.quarantine import DUPLICATE, RATING_RANGE, Reason
from reelflow.data.scale import ANY, Bounds
from reelflow.data.schema import one_chunk

Hashes = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def mix(value: Hashes) -> Hashes:
    """Return the step of splitmix64 (Steele, Lea and Flood, 2014), elementwise; uint64 [n]."""
    mixed = value + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def combine(first: Hashes, second: Hashes) -> Hashes:
    """Hash pairs of hashes, whose order matters; uint64 [n]."""
    return mix(mix(first) ^ second)


def seeded(seed: int) -> Hashes:
    """Hash a seed, uint64 [1]."""
    return mix(np.array([seed % 2**64], np.uint64))


def hash_strings(strings: pa.Array) -> Hashes:
    """Hash the UTF-8 bytes of strings, eight bytes of all of them at a time.

    Args:
        strings: string array without nulls [n]; give distinct values only, and spread the hashes.

    Returns:
        uint64 [n].
    """
    count = len(strings)
    if not count:
        return np.zeros(0, np.uint64)
    _, offset_buffer, data_buffer = strings.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[strings.offset : strings.offset + count + 1]
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets)
    content = np.frombuffer(b"" if data_buffer is None else data_buffer, np.uint8)
    padded = np.concatenate([content, np.zeros(8, np.uint8)])
    hashes = mix(lengths.astype(np.uint64))
    for at in range(0, int(lengths.max()), 8):
        rows = np.flatnonzero(lengths > at)
        window = padded[(starts[rows] + at)[:, None] + np.arange(8)]
        window[np.arange(8) >= (lengths[rows] - at)[:, None]] = 0
        word = window.astype("<u8") << (np.arange(8, dtype=np.uint64) * np.uint64(8))
        hashes[rows] = combine(hashes[rows], np.bitwise_or.reduce(word, axis=1))
    return hashes


def unit_interval(hashes: Hashes) -> npt.NDArray[np.float64]:
    """Return hashes as numbers from 0 to below 1, float64 [n]."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def partition_by_user(ratings: pa.Table, partitions: int) -> dict[int, pa.Table]:
    """Distribute ratings by a stable hash of the user.

    Args:
        ratings: table of `schema.PARSED` [rows].
        partitions: number of partitions.

    Returns:
        Partition to its rows in their order, for the partitions that have any. A partition's user
        dictionary holds its own users only.
    """
    encoded = one_chunk(ratings.column(columns.USER_ID))
    users = encoded.dictionary
    partition_of_user = (hash_strings(users) % np.uint64(partitions)).astype(np.uint16)
    # With the users in order of their partition, a partition's dictionary is a slice.
    order = np.argsort(partition_of_user, kind="stable")
    new_code = np.empty(len(users), np.int32)
    new_code[order] = np.arange(len(users), dtype=np.int32)
    sorted_users = users.take(pa.array(order))
    user_bounds = _bounds(partition_of_user, partitions)

    old_code = encoded.indices.to_numpy()
    partition_of_row = partition_of_user[old_code]
    rows = np.argsort(partition_of_row, kind="stable")
    row_bounds = _bounds(partition_of_row, partitions)
    codes = new_code[old_code][rows]
    moved = ratings.take(pa.array(rows))

    parts = {}
    for partition in range(partitions):
        first, last = row_bounds[partition : partition + 2]
        if first == last:
            continue
        first_user, last_user = user_bounds[partition : partition + 2]
        ids = pa.DictionaryArray.from_arrays(
            pa.array(codes[first:last] - np.int32(first_user)),
            sorted_users.slice(first_user, last_user - first_user),
        )
        part = moved.slice(first, last - first)
        parts[partition] = part.set_column(
            part.schema.get_field_index(columns.USER_ID), columns.USER_ID, ids
        )
    return parts


def _bounds(partition_of: npt.NDArray[np.uint16], partitions: int) -> npt.NDArray[np.int64]:
    """Return the first row of each partition once sorted, int64 [partitions + 1]."""
    counts = np.bincount(partition_of, minlength=partitions)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@dataclass(frozen=True)
class Ratings:
    """Ratings of whole users: rows of a user together, sorted by user id, time and place.

    Attributes:
        users: string [users], distinct and sorted.
        movies: string [movies], distinct, in no particular order.
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


class Arranged(NamedTuple):
    """One partition in its final order, and the rows that are left out of it."""

    ratings: Ratings
    rejected: pa.Table
    """Of `schema.REJECTED`: ratings that no scale can hold, and exact duplicates."""
    repeated: int
    """Events and counts that were added to an earlier row of the same user and movie."""


def arrange(
    parts: Iterable[pa.Table], feedback: Feedback = Feedback.STARS, accepted: Bounds = ANY
) -> Arranged:
    """Join and sort the parts of one partition, so that no row is there twice.

    Of `STARS` that agree in user, movie, rating and timestamp the first by file and offset is kept.
    Of `EVENTS` and `COUNTS` one row is kept of each user and movie, the first in time; it is the
    only one that the user could have been recommended. Of `COUNTS` it gets the sum of all.

    Args:
        parts: tables of `schema.PARSED`, in the order of files and offsets; none is fine.
        feedback: what the ratings say.
        accepted: bounds of the ratings.
    """
    tables = [schema.PARSED.empty_table(), *parts]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    fits = accepted.hold(table.column(columns.RATING).to_numpy())
    beyond = schema.REJECTED.empty_table()
    if not fits.all():
        beyond = rejected(table.filter(pa.array(~fits)), RATING_RANGE)
        table = table.filter(pa.array(fits))
    user, users = _decoded(table, columns.USER_ID)
    movie, movies = _decoded(table, columns.MOVIE_ID)
    by_name = pc.sort_indices(users).to_numpy()
    rank = np.empty(len(users), np.int32)
    rank[by_name] = np.arange(len(users), dtype=np.int32)
    user, users = rank[user], users.take(pa.array(by_name))

    rating = table.column(columns.RATING).to_numpy()
    has_time = table.column(columns.TIMESTAMP).null_count == 0
    timestamp = table.column(columns.TIMESTAMP).to_numpy() if has_time else None
    file = table.column(columns.FILE).to_numpy()

    key, order = _order(user, timestamp)
    if feedback is Feedback.STARS:
        dropped = order[_repeated(key[order], movie[order], rating[order])]
        places = table.select([columns.FILE, columns.OFFSET])
        duplicates = rejected(places.take(pa.array(dropped)), DUPLICATE)
    else:
        first, totals = _added_up(user[order], movie[order], rating[order], feedback)
        dropped, duplicates = np.delete(order, first), schema.REJECTED.empty_table()
        rating = np.empty_like(totals)
        rating[order] = totals
    if len(dropped):
        kept = np.ones(len(order), np.bool_)
        kept[dropped] = False
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
    repeated = 0 if feedback is Feedback.STARS else len(dropped)
    return Arranged(ratings, pa.concat_tables([beyond, duplicates]), repeated)


def rejected(table: pa.Table, reason: Reason) -> pa.Table:
    """Return rows with file and offset as rows of `schema.REJECTED`."""
    code = pa.array(np.full(table.num_rows, reason.code, np.uint8))
    places = [table.column(columns.FILE), table.column(columns.OFFSET)]
    return pa.table([*places, code], schema=schema.REJECTED)


def _decoded(table: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], pa.Array]:
    column = one_chunk(table.column(name))
    return column.indices.to_numpy(), column.dictionary


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


def _added_up(
    user: npt.NDArray[np.int32],
    movie: npt.NDArray[np.int32],
    rating: npt.NDArray[np.float32],
    feedback: Feedback,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Positions of the first row of every pair, int64 [pairs], and what all rows now say [rows]."""
    pair = user.astype(np.int64) * (int(movie.max(initial=0)) + 1) + movie
    _, first, pair = np.unique(pair, return_index=True, return_inverse=True)
    if feedback is Feedback.EVENTS:
        return first, np.ones_like(rating)
    return first, np.bincount(pair, rating).astype(np.float32)[pair]


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
    pair = group * (int(movie.max()) + 1) + movie[candidates]
    if np.diff(np.sort(pair)).all():
        return candidates[:0]
    order = np.lexsort((rating[candidates], pair))
    same = (np.diff(pair[order]) == 0) & (np.diff(rating[candidates][order]) == 0)
    return candidates[order[1:][same]]

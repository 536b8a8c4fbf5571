"""Ratings by partitions of users, and the stable hashes that distribute them.

The 64-bit hashes are the same on every machine and in every version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.base import columns
from reelflow.data import schema
from reelflow.data.parquet import from_ipc
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

    def take(self, rows: npt.NDArray[np.int64]) -> Ratings:
        """Return the rows at ascending positions, int64 [n]; the ids stay numbered as they are."""
        return replace(
            self,
            user=self.user[rows],
            movie=self.movie[rows],
            rating=self.rating[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            file=self.file[rows],
        )

    def pairs(self) -> npt.NDArray[np.int64]:
        """Return a number for each row's user and movie, int64 [rows]."""
        return self.user.astype(np.int64) * max(len(self.movies), 1) + self.movie

    def to_bytes(self) -> bytes:
        """Serialize."""
        times = pa.nulls(len(self), pa.int64())
        if self.timestamp is not None:
            times = pa.array(self.timestamp)
        user = pa.DictionaryArray.from_arrays(pa.array(self.user), self.users)
        movie = pa.DictionaryArray.from_arrays(pa.array(self.movie), self.movies)
        cells = [user, movie, pa.array(self.rating), times, pa.array(self.file)]
        return schema.to_ipc(pa.table(cells, schema=_STORED))

    @classmethod
    def from_bytes(cls, data: bytes) -> Ratings:
        """Read what `to_bytes` made."""
        table = from_ipc(data)
        user, movie = (one_chunk(table.column(at)) for at in (columns.USER_ID, columns.MOVIE_ID))
        times = table.column(columns.TIMESTAMP)
        return cls(
            users=user.dictionary,
            movies=movie.dictionary,
            user=user.indices.to_numpy(),
            movie=movie.indices.to_numpy(),
            rating=table.column(columns.RATING).to_numpy(),
            timestamp=None if times.null_count else times.to_numpy(),
            file=table.column(columns.FILE).to_numpy(),
        )


_STORED: Final = pa.schema([field for field in schema.PARSED if field.name != columns.OFFSET])

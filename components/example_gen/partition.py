"""Parsed ratings to user partitions: all ratings of a user are in the same one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.example_gen.hashing import hash_strings
from components.trainer import features
from ratings.arrow import one_chunk


def partition_by_user(ratings: pa.Table, partitions: int) -> dict[int, pa.Table]:
    """Distribute ratings by a stable hash of the user.

    Args:
        ratings: table of `ratings.schema.PARSED` [rows].
        partitions: number of partitions.

    Returns:
        Partition to its rows in their order, for the partitions that have any. A partition's user
        dictionary holds its own users only.
    """
    encoded = one_chunk(ratings.column(features.USER_ID))
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
            part.schema.get_field_index(features.USER_ID), features.USER_ID, ids
        )
    return parts


def _bounds(partition_of: npt.NDArray[np.uint16], partitions: int) -> npt.NDArray[np.int64]:
    """Where each partition begins once sorted, int64 [partitions + 1]."""
    counts = np.bincount(partition_of, minlength=partitions)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

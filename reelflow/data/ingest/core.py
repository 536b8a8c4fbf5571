"""The k-core: users and movies with enough ratings of each other (Seidman, 1983).

Users and movies that leave take ratings from others, so the counting goes on until none has too
few. There is one largest core, so that the result depends on nothing but the pairs. The graph of a
run has no circles, as Beam's have none on any engine: one worker reads the small files of pairs
that the others left, again and again, one partition in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.config import DataConfig
from reelflow.data.ingest.partition import Hashes, Ratings, hash_strings
from reelflow.data.parquet import from_ipc
from reelflow.data.schema import to_ipc

USERS: Final = "min_user_ratings"
MOVIES: Final = "min_movie_ratings"
NO_MOVIES: Final[Hashes] = np.zeros(0, np.uint64)

_USER, _MOVIE, _HASH = "user", "movie", "hash"


def wanted(data: DataConfig) -> bool:
    """Return True if the configuration asks for a core."""
    return data.min_user_ratings is not None or data.min_movie_ratings is not None


def pairs_to_bytes(ratings: Ratings) -> bytes:
    """Serialize the different pairs of a partition; the hashes of its movies are metadata."""
    _, rows = np.unique(ratings.pairs(), return_index=True)
    rated, movie = np.unique(ratings.movie[rows], return_inverse=True)
    hashes = hash_strings(ratings.movies.take(pa.array(rated)))
    table = pa.table({_USER: ratings.user[rows], _MOVIE: movie.astype(np.int32)})
    return to_ipc(table.replace_schema_metadata({_HASH: hashes.tobytes()}))


def find_core(paths: Iterable[str], read: Callable[[str], bytes], data: DataConfig) -> Hashes:
    """Find the movies that leave; which users do follows from these.

    Args:
        paths: files of `pairs_to_bytes`, in any order.
        read: returns the content of one.
        data: how many ratings users and movies have to have.

    Returns:
        Hashes of the movies' ids, uint64, ascending.
    """
    paths = list(paths)
    least_user, least_movie = data.min_user_ratings or 1, data.min_movie_ratings or 1
    of_part = [_hashes(from_ipc(read(path))) for path in paths]
    movies = np.unique(np.concatenate([NO_MOVIES, *of_part]))
    number = [np.searchsorted(movies, hashes) for hashes in of_part]
    alive = np.ones(len(movies), np.bool_)
    while True:
        counts = np.zeros(len(movies), np.int64)
        for path, numbers in zip(paths, number, strict=True):
            table = from_ipc(read(path))
            if not table.num_rows:
                continue
            user, movie = (table.column(name).to_numpy() for name in (_USER, _MOVIE))
            rows = alive[numbers][movie]
            rows &= np.bincount(user, rows)[user] >= least_user
            counts[numbers] += np.bincount(movie[rows], minlength=len(numbers))
        left = alive & (counts >= least_movie)
        if left.sum() == alive.sum():
            return movies[~alive]
        alive = left


def _hashes(table: pa.Table) -> Hashes:
    return np.frombuffer(table.schema.metadata[_HASH.encode()], np.uint64)


def in_core(
    ratings: Ratings, gone: Hashes, data: DataConfig
) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Find the ratings of whole users that are in the core.

    Args:
        ratings: of one partition.
        gone: what `find_core` found.
        data: as there.

    Returns:
        bool [rows], and the others by the option that leaves them out.
    """
    leaves = np.isin(hash_strings(ratings.movies), gone)[ratings.movie]
    _, rows = np.unique(ratings.pairs(), return_index=True)
    per_user = np.bincount(ratings.user[rows], ~leaves[rows], minlength=len(ratings.users))
    few = ~leaves & (per_user[ratings.user] < (data.min_user_ratings or 1))
    counts = {MOVIES: int(leaves.sum()), USERS: int(few.sum())}
    return ~leaves & ~few, {name: rows for name, rows in counts.items() if rows}

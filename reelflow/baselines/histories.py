"""Histories in order of time, for models of what comes next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from reelflow.encoding.encoded import EncodedData, Float32, Int32


def most_rated(data: EncodedData, count: int) -> Int32:
    """Return `movie_index` of at most `count` movies, those with the most train ratings.

    Ascending, int32 [kept]; movies without ratings are none of them.
    """
    counts = data.rating_counts
    most = np.argsort(-counts, kind="stable")[:count]
    return np.sort(most[counts[most] > 0]).astype(np.int32)


def first_times(data: EncodedData) -> npt.NDArray[np.bool_]:
    """Return True for train ratings whose user has not rated the movie earlier, bool [ratings]."""
    train = data.train
    pairs = train.user_index.astype(np.int64) * len(data.catalogue) + train.movie_index
    first = np.zeros(len(train), np.bool_)
    first[np.unique(pairs, return_index=True)[1]] = True
    return first


def weighted_histories(
    data: EncodedData, weight: Callable[[Float32], Float32]
) -> sparse.csr_matrix:
    """Weigh the train ratings of users by age, float32 [users + 1, movies].

    Args:
        data: for the train ratings in order of time; of a pair that is there twice the first one
            counts.
        weight: of ages, numbers of ratings of the same user since, float32 [n].
    """
    train = data.train
    ages = data.offsets[train.user_index + 1] - 1 - np.arange(len(train))
    rows = np.flatnonzero(first_times(data))
    values = weight(ages[rows].astype(np.float32)).astype(np.float32)
    shape = (data.sizes.users + 1, len(data.catalogue))
    places = train.user_index[rows], train.movie_index[rows]
    return sparse.csr_matrix((values, places), shape=shape)


def sequences(data: EncodedData, movies: Int32, latest: int) -> list[Int32]:
    """Return users' movies, the newest first, each once, as places in `movies`.

    Args:
        data: for the train ratings in order of time.
        movies: `movie_index` of the movies that take part, ascending; others are skipped.
        latest: movies of a user, at most.
    """
    train, offsets = data.train, data.offsets
    places = np.full(len(data.catalogue), -1, np.int32)
    places[movies] = np.arange(len(movies), dtype=np.int32)
    place = np.where(first_times(data), places[train.movie_index], np.int32(-1))
    newest_first = (
        place[start:end][::-1]
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    )
    return [own[own >= 0][:latest] for own in newest_first]

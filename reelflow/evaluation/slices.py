"""Slices of the test rows: by the user's activity, the movie's popularity and genre, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelflow.base import columns as f

USER_ACTIVITY: Final = "user_activity"
MOVIE_POPULARITY: Final = "movie_popularity"
GENRE: Final = "genre"
GENDER: Final = "gender"
AGE: Final = "age"
KNOWLEDGE: Final = "knowledge"
KNOWN_USERS: Final = "known users"
NEW_USERS: Final = "new users"
NEW_MOVIES: Final = "new movies"
"""Values of `knowledge`: what has ratings in training, and what has none."""
CHAMPIONS_USERS: Final = "the champion's users"
"""Value of `knowledge`: users that the champion was trained on, if not all are. New ones may be
many and alike; the others must not lose by them."""
NO_GENRE: Final = "(none)"
UNKNOWN: Final = "(unknown)"

_EDGES: Final = {
    USER_ACTIVITY: (0, 1, 20, 50, 200),
    MOVIE_POPULARITY: (0, 1, 5, 20, 100),
    AGE: (0, 18, 25, 35, 45, 56),
}
"""Least value of each bucket, by slice key."""

Labels = npt.NDArray[np.str_]
Mask = npt.NDArray[np.bool_]


def user_activity(train_counts: npt.NDArray[np.int32]) -> Labels:
    """Bucket of the user's train ratings, int [rows] to text [rows]; `0` is a cold user."""
    return _buckets(train_counts, USER_ACTIVITY)


def movie_popularity(train_counts: npt.NDArray[np.int32]) -> Labels:
    """Bucket of the movie's train ratings, int [rows] to text [rows]; `0` is a cold movie."""
    return _buckets(train_counts, MOVIE_POPULARITY)


def by_knowledge(
    user_counts: npt.NDArray[np.int32], movie_counts: npt.NDArray[np.int32]
) -> dict[str, Mask]:
    """Knowledge that training has of rows, to the rows inside, bool [rows]; without empty ones.

    A row of a new user and a new movie is in both slices of them.

    Args:
        user_counts: train ratings of each row's user, int [rows].
        movie_counts: train ratings of each row's movie, int [rows].
    """
    masks = {
        KNOWN_USERS: user_counts > 0,
        NEW_USERS: user_counts == 0,
        NEW_MOVIES: movie_counts == 0,
    }
    return {name: rows for name, rows in masks.items() if rows.any()}


def age_group(ages: Sequence[int | None]) -> Labels:
    """Bucket of ages in years, [rows] to text [rows]; None is a group of its own."""
    known = np.array([age is not None for age in ages], np.bool_)
    years = np.array([age or 0 for age in ages], np.int32)
    buckets = _buckets(years, AGE)
    return np.where(known, buckets, UNKNOWN)


def by_label(labels: Labels) -> dict[str, Mask]:
    """Each label to the rows that have it, bool [rows]."""
    return {str(value): labels == value for value in np.unique(labels)}


def by_genre(genres: Sequence[Sequence[str]], movies: npt.NDArray[np.int32]) -> dict[str, Mask]:
    """Each genre to the rows whose movie has it, bool [rows]; a movie counts in all its genres.

    Args:
        genres: of each movie, [movies].
        movies: `movie_index` of the rows; a movie outside the catalogue is in no genre.
    """
    names = sorted({genre for of_movie in genres for genre in of_movie})
    columns = {name: i for i, name in enumerate([*names, NO_GENRE])}
    table = np.zeros((len(genres) + 1, len(columns)), np.bool_)
    for movie, of_movie in enumerate(genres):
        for genre in of_movie or (NO_GENRE,):
            table[movie, columns[genre]] = True
    masks = {name: table[movies, column] for name, column in columns.items()}
    return {name: rows for name, rows in masks.items() if rows.any()}


def all_slices(
    labels: Mapping[str, Labels], genres: Sequence[Sequence[str]], movies: npt.NDArray[np.int32]
) -> dict[tuple[str, str], Mask]:
    """(slice key, value) to the rows inside, bool [rows], by the labels' keys and by genre.

    Args:
        labels: slice key to the row's value, text [rows].
        genres: as for `by_genre`.
        movies: as for `by_genre`.
    """
    groups = {key: by_label(values) for key, values in labels.items()}
    groups[GENRE] = by_genre(genres, movies)
    return {(key, value): mask for key, masks in groups.items() for value, mask in masks.items()}


def bucket_labels(key: str) -> tuple[str, ...]:
    """Return the labels of a slice key's buckets in order; none for keys without buckets."""
    edges = _EDGES.get(key)
    if edges is None:
        return ()
    ranges = [f"{a}-{b - 1}" if b - a > 1 else f"{a}" for a, b in pairwise(edges)]
    return (*ranges, f"{edges[-1]}+")


def _buckets(counts: npt.NDArray[np.int32], key: str) -> Labels:
    labels: Labels = np.array(bucket_labels(key))[np.digitize(counts, _EDGES[key][1:])]
    return labels


def user_groups(
    users: Iterable[pa.RecordBatch], user_ids: npt.NDArray[np.object_]
) -> dict[str, Labels]:
    """Groups of users by gender and age, in runs that opted in to user attributes.

    Args:
        users: the catalogue's `users` split; without attributes there are no groups.
        user_ids: user id of each row, [rows]. Users that train does not have are `(unknown)`.

    Returns:
        Slice key to the group of each row's user, text [rows].
    """
    gender: dict[str, str] = {}
    age: dict[str, int] = {}
    opted_in = False
    for batch in users:
        if f.GENDER not in batch.schema.names:
            continue
        opted_in = True
        columns = (f.USER_ID, f.GENDER, f.AGE)
        lists = (batch.column(batch.schema.get_field_index(c)).to_pylist() for c in columns)
        for ids, genders, ages in zip(*lists, strict=True):
            user = ids[0].decode()
            gender |= {user: genders[0].decode()} if genders else {}
            age |= {user: ages[0]} if ages else {}
    if not opted_in:
        return {}
    return {
        GENDER: np.array([gender.get(user) or UNKNOWN for user in user_ids]),
        AGE: age_group([age.get(user) for user in user_ids]),
    }

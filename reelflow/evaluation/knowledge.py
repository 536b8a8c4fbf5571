"""Knowledge of users as of the cut between validation and test, and after it.

*Nightly*: each user's ratings in train and validation, known to the model and to the baselines.
*Live*: beside them, for each test row, what its user rated in the test split strictly before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.encoding.encode import timelines, with_histories, with_validation
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Int64
from reelflow.evaluation.predictions import LiveHistories, TestRows

LIVE_LENGTH: Final = 50
"""Movies of a live history, at most: the newest."""


def as_of_the_cut(data: EncodedData) -> EncodedData:
    """Return train and validation as one train split, new users of validation among the users.

    Users that train does not have follow the others in the order of `data.new_users`; those without
    a validation rating have no ratings.
    """
    known, new = with_validation(data), data.new_users
    if not len(new.user_id):
        return known
    rows = np.flatnonzero(~new.test)
    added = EncodedRatings(
        user_index=(data.sizes.users + new.owner[rows]).astype(np.int32),
        movie_index=new.movie_index[rows],
        rating=new.rating[rows],
        timestamp=new.timestamp[rows],
        day=np.zeros(len(rows), np.float32),
        history_end=np.zeros(len(rows), np.int64),
    )
    train = timelines(EncodedRatings.joined([known.train, added]))
    sizes = replace(data.sizes, users=data.sizes.users + len(new.user_id))
    return replace(known, train=train, sizes=sizes, test=with_histories(known.test, train))


def numbered(rows: TestRows, data: EncodedData) -> TestRows:
    """Return rows whose new users are numbered as in `as_of_the_cut(data)`.

    Args:
        rows: rows of a held-out split, as encoded.
        data: the encoded ratings.
    """
    new = {user: data.sizes.users + i for i, user in enumerate(data.new_users.user_id)}
    last = data.sizes.users + len(new)
    users = rows.encoded.user_index.copy()
    for row in np.flatnonzero(users >= data.sizes.users):
        users[row] = new.get(str(rows.user_id[row]), last)
    return replace(rows, encoded=replace(rows.encoded, user_index=users))


def is_by_time(rows: EncodedRatings, known: EncodedData) -> bool:
    """True if no test row is earlier than what is known of its user.

    Args:
        rows: the whole test split, `numbered`.
        known: what is known as of the cut.
    """
    if not known.sizes.has_timestamps:
        return False
    newest = np.full(known.sizes.users + 1, np.iinfo(np.int64).min)
    np.maximum.at(newest, known.train.user_index, known.train.timestamp)
    return bool((rows.timestamp >= newest[rows.user_index]).all())


def live_histories(rows: TestRows, drawn: Int64, length: int = LIVE_LENGTH) -> LiveHistories | None:
    """Return what the users of some test rows rated in the test split strictly before them.

    Args:
        rows: the whole test split.
        drawn: positions of the rows that are asked for.
        length: movies a row, at most.

    Returns:
        None if there is none of it: each user has test rows of one moment only.
    """
    users, times = rows.users, rows.encoded.timestamp
    order = np.lexsort((times, users))
    starts = _first_of(users[order])
    ends = _first_of(users[order], times[order])
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    end = ends[place[drawn]]
    begin = np.maximum(starts[place[drawn]], end - length)
    counts = end - begin
    width = int(counts.max(initial=0))
    if width == 0:
        return None
    positions = begin[:, None] + np.arange(width)[None, :]
    inside = positions < end[:, None]
    at = order[np.where(inside, positions, 0)]
    history = np.where(inside, rows.movie_id[at], "").astype(object)
    stars = np.where(inside, rows.encoded.rating[at], np.nan).astype(np.float32)
    return LiveHistories(history, stars)


def _first_of(*keys: npt.NDArray[np.generic]) -> Int64:
    """The first position of each row's group, of sorted keys, int64 [rows]."""
    count = len(keys[0])
    new = np.ones(count, np.bool_)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first: Int64 = np.maximum.accumulate(np.where(new, np.arange(count), 0))
    return first

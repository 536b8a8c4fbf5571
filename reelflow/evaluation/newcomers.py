"""A curve of accuracy over the first movies that a new user names.

Test users whom training knows are asked for as if they were new: by an unknown id and
the first movies of their timelines, through the exported signature, as an application would ask at
a user's first visit. What else they have rated before the test does not compete, as everywhere
under the unseen protocol; what the weights have learned from them remains in the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.bootstrap import intervals
from reelflow.evaluation.metrics import means_over_rows
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.results import FirstMovies, Newcomers
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND

NAMED: Final = (0, 1, 3, 5)
"""Movies that are named; with none the answer is what is popular of late."""
USERS: Final = 500
"""Users that are asked for, at most, drawn by seed."""
TOP: Final = 10
BLOCK: Final = 128
"""Users in a request."""
UNHEARD: Final = "\x00unheard"
"""No reader accepts control characters, so that no user has this id."""


@dataclass(frozen=True)
class _User:
    user_id: str
    first: list[str]
    """The first movies, the oldest first."""
    stars: list[float]
    before: list[str]
    """All movies rated before the test."""
    rows: list[str]
    """Movies of the test rows that were not rated before."""


def newcomers(
    signatures: Signatures, rows: TestRows, data: EncodedData, seed: int
) -> Newcomers | None:
    """Measure the model for users of whom the first movies alone are known.

    Args:
        signatures: of the exported model.
        rows: the test rows.
        data: the encoded ratings.
        seed: of the draw of users and of the bootstrap.

    Returns:
        None if no test user has rated enough movies in train.
    """
    users = _drawn(rows, data, seed)
    if not users:
        return None
    owners = np.repeat(np.arange(len(users), dtype=np.int32), [len(user.rows) for user in users])
    curve = [
        _point(count, _lists(signatures, users, count), users, owners, seed) for count in NAMED
    ]
    known = _point(None, _lists(signatures, users, None), users, owners, seed)
    return Newcomers(len(users), len(owners), [*curve, known])


def _drawn(rows: TestRows, data: EncodedData, seed: int) -> list[_User]:
    """Draw users with at least as many train ratings as are named, and a test row to find."""
    offsets, movies = data.offsets, np.array([*data.catalogue.movie_id, ""], object)
    known = np.unique(rows.encoded.user_index)
    known = known[known < data.sizes.users]
    known = known[offsets[known + 1] - offsets[known] >= max(NAMED)]
    drawn = np.random.default_rng(seed).permutation(known)[:USERS]
    asked = rows.take(np.flatnonzero(np.isin(rows.encoded.user_index, drawn)))
    validation = data.validation
    validation = validation.take(np.flatnonzero(np.isin(validation.user_index, drawn)))
    users: list[_User] = []
    for user in drawn.tolist():
        own = slice(int(offsets[user]), int(offsets[user + 1]))
        rated = movies[data.train.movie_index[own]].tolist()
        validated = movies[validation.movie_index[validation.user_index == user]].tolist()
        before = [*dict.fromkeys([*rated, *validated])]
        at = np.flatnonzero(asked.encoded.user_index == user)
        found = [movie for movie in asked.movie_id[at].tolist() if movie not in set(before)]
        if found:
            stars = data.train.rating[own][: max(NAMED)].tolist()
            name = str(asked.user_id[at[0]])
            users.append(_User(name, rated[: max(NAMED)], stars, before, found))
    return users


def _lists(signatures: Signatures, users: Sequence[_User], named: int | None) -> list[list[str]]:
    """Ask for each user's first movies, by so many named movies, or by id if there is no number."""
    lists: list[list[str]] = []
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        inputs: dict[str, Any] = {f.K: TOP}
        if named is None:
            inputs |= {f.USER_ID: [user.user_id for user in block], f.AS_JUDGED: True}
        else:
            before = [[movie for movie in user.before if movie] for user in block]
            inputs |= {f.USER_ID: [UNHEARD] * len(block), f.EXCLUSIONS: _padded(before)}
        if named:
            inputs[f.HISTORY] = _padded([user.first[:named] for user in block])
            inputs[f.STARS] = np.array([user.stars[:named] for user in block], np.float32)
        lists += [
            [m.decode() for m in row] for row in signatures.call(RECOMMEND, inputs)[f.MOVIE_ID]
        ]
    return lists


def _padded(lists: Sequence[Sequence[str]]) -> npt.NDArray[np.object_]:
    width = max(1, *map(len, lists))
    return np.array([[*row, *[""] * (width - len(row))] for row in lists], object)


def _point(
    named: int | None,
    lists: Sequence[Sequence[str]],
    users: Sequence[_User],
    owners: Int32,
    seed: int,
) -> FirstMovies:
    """Measure lists by the place of each test row's movie in them."""
    places = [
        found.index(movie) + 1 if movie in found else np.inf
        for found, user in zip(lists, users, strict=True)
        for movie in user.rows
    ]
    ranks = np.array(places)
    columns = {
        "unseen/top_10": (ranks <= TOP).astype(np.float64),
        "unseen/ndcg_10": np.where(ranks <= TOP, 1.0 / np.log2(1.0 + ranks), 0.0),
    }
    return FirstMovies(named, means_over_rows(columns), intervals(columns, owners, seed))

"""Users with their histories beside the model's recommendations and the reasons for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reelflow.encoding.encoded import EncodedData, Int64
from reelflow.report.blocks import Block, Example, Examples, Pick, Section, Text
from reelflow.report.inputs import Recommend
from reelflow.report.words import counted

USERS = 4
MOVIES = 10
"""Recommendations and last movies of each user."""


def examples_section(data: EncodedData, users: Sequence[str], recommend: Recommend) -> Section:
    """Show a few users, from the most active to the least.

    Args:
        data: the ratings.
        users: the user vocabulary, in order.
        recommend: from a user's id and k to the k best movies.
    """
    lead = (
        "Four users from very active to hardly active, the last movies they rated in training "
        "beside what the model recommends. A movie marked as rated is one that the user turned to "
        "in the test split, which the model has not seen."
    )
    positions = {movie: i for i, movie in enumerate(data.catalogue.movie_id)}
    examples = [_example(data, users, positions, user, recommend) for user in choose_users(data)]
    block: Block = (
        Examples(examples) if examples else Text("No user has ratings in both train and test.")
    )
    return Section("examples", "Examples", lead, [block])


def choose_users(data: EncodedData, number: int = USERS) -> list[int]:
    """Return users with train and test ratings, evenly from the most to the least active."""
    known = data.test.user_index[data.test.user_index < data.sizes.users]
    tested = np.unique(known)
    activity = np.diff(data.offsets)
    tested = tested[activity[tested] > 0]
    if not len(tested):
        return []
    ordered = tested[np.argsort(-activity[tested], kind="stable")]
    # The very ends are outliers: bots on the one side, nothing to show on the other.
    shares = np.linspace(0.05, 0.95, number)
    return [
        int(ordered[i]) for i in sorted({round(share * (len(ordered) - 1)) for share in shares})
    ]


def _example(
    data: EncodedData,
    users: Sequence[str],
    positions: dict[str, int],
    user: int,
    recommend: Recommend,
) -> Example:
    rows = np.arange(*data.offsets[user : user + 2])
    test = np.flatnonzero(data.test.user_index == user)
    rated = dict(
        zip(data.test.movie_index[test].tolist(), data.test.rating[test].tolist(), strict=True)
    )
    picks = []
    for one in recommend(users[user], MOVIES):
        movie = positions.get(one.movie_id, -1)
        because = f"because of {' and '.join(one.reasons)}; " if one.reasons else ""
        note = f"{because}predicted {one.stars:.1f} stars"
        mark = f"rated {rated[movie]:g}" if movie in rated else ""
        picks.append(Pick(_title(data, movie, one.movie_id), note, mark))
    hits = sum(bool(pick.mark) for pick in picks)
    return Example(
        f"User {users[user]}",
        f"{counted(len(rows), 'rating')} in training, {len(test):,} in test, of which "
        f"{counted(hits, 'movie')} recommended here",
        _history(data, rows[-MOVIES:][::-1]),
        picks,
    )


def _history(data: EncodedData, rows: Int64) -> list[Pick]:
    movies, ratings = data.train.movie_index[rows].tolist(), data.train.rating[rows].tolist()
    return [
        Pick(_title(data, movie, "unknown movie"), f"{stars:g} stars")
        for movie, stars in zip(movies, ratings, strict=True)
    ]


def _title(data: EncodedData, movie: int, unknown: str) -> str:
    """Return a movie's title by its index, else its id, else `unknown`."""
    if not 0 <= movie < len(data.catalogue):
        return unknown
    return data.catalogue.title[movie] or data.catalogue.movie_id[movie]

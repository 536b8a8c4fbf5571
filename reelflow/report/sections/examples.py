"""A few users: what they rated beside what the model recommends, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reelflow.encoding.encoded import EncodedData, Int64
from reelflow.report.blocks import Block, Example, Examples, Pick, Section, Text
from reelflow.report.inputs import Answer
from reelflow.report.words import counted

USERS = 4
MOVIES = 10
"""Recommendations and last movies of each user."""

Recommend = Callable[[str, int], list[Answer]]


def section(data: EncodedData, users: Sequence[str], recommend: Recommend) -> Section:
    """Users from the most active to the least.

    Args:
        data: the ratings.
        users: the user vocabulary, in order.
        recommend: user id and k to the movies.
    """
    lead = (
        "Four users from very active to hardly active, the last movies they rated in training "
        "beside what the model recommends. A movie marked as rated is one that the user turned to "
        "in the test split, which the model has not seen."
    )
    chosen = choose(data)
    places = {movie: i for i, movie in enumerate(data.catalogue.movie_id)}
    blocks: list[Block] = (
        [Examples([_example(data, users, places, user, recommend) for user in chosen])]
        if len(chosen)
        else [Text("No user has ratings in both train and test.")]
    )
    return Section("examples", "Examples", lead, blocks)


def choose(data: EncodedData, wanted: int = USERS) -> list[int]:
    """Users with train and test ratings, evenly from the most to the least active."""
    known = data.test.user_index[data.test.user_index < data.sizes.users]
    tested = np.unique(known)
    active = np.diff(data.offsets)
    tested = tested[active[tested] > 0]
    ordered = tested[np.argsort(-active[tested], kind="stable")]
    # The very ends are outliers: bots on the one, nothing to say on the other.
    shares = np.linspace(0.05, 0.95, wanted)
    places = sorted({round(share * (len(ordered) - 1)) for share in shares}) if len(ordered) else []
    return [int(ordered[place]) for place in places]


def _example(
    data: EncodedData,
    users: Sequence[str],
    places: dict[str, int],
    user: int,
    recommend: Recommend,
) -> Example:
    rows = np.arange(*data.offsets[user : user + 2])
    test = np.flatnonzero(data.test.user_index == user)
    given = dict(
        zip(data.test.movie_index[test].tolist(), data.test.rating[test].tolist(), strict=True)
    )
    picks = []
    for answer in recommend(users[user], MOVIES):
        movie = places.get(answer.movie_id, -1)
        because = f"because of {' and '.join(answer.reasons)}; " if answer.reasons else ""
        note = f"{because}predicted {answer.stars:.1f} stars"
        mark = f"rated {given[movie]:g}" if movie in given else ""
        picks.append(Pick(_title(data, movie, answer.movie_id), note, mark))
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


def _title(data: EncodedData, movie: int, otherwise: str) -> str:
    inside = 0 <= movie < len(data.catalogue)
    return (data.catalogue.title[movie] or data.catalogue.movie_id[movie]) if inside else otherwise

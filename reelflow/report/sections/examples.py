"""Users with their histories beside the model's recommendations and the reasons for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reelflow.base.metrics import Scope
from reelflow.base.nouns import MOVIE, Noun
from reelflow.encoding.encoded import EncodedData, Int64
from reelflow.report.blocks import Block, Example, Examples, Pick, Section, Text
from reelflow.report.inputs import Reason, Recommend, Recommendation
from reelflow.report.words import ALL, counted, format_stars

USERS = 4
MOVIES = 10
"""Recommendations and last movies of each user."""
REASONS = 2
"""Movies that an explanation names."""


def examples_section(
    data: EncodedData,
    users: Sequence[str],
    recommend: Recommend,
    scale: tuple[float, float],
    scope: Scope = ALL,
    noun: Noun = MOVIE,
) -> Section:
    """Show a few users, from the most active to the least.

    Args:
        data: the ratings.
        users: the user vocabulary, in order.
        recommend: from a user's id and k to the k best movies.
        scale: lowest and highest rating of the data.
        scope: says if there are stars to show.
        noun: the word for an item.
    """
    lead = (
        f"Four users from very active to hardly active, the last {noun.many} they rated in "
        f"training beside what the model recommends. {noun.a_label} marked as rated is one "
        "that the user turned to in the test split; test ratings are hidden here, as in all "
        f"figures. Reasons are {noun.many} that the user rated at or above the user's own mean."
    )
    positions = {movie: i for i, movie in enumerate(data.catalogue.movie_id)}
    shown = _Shown(data, users, positions, recommend, scale, scope, noun)
    examples = [shown.example(user) for user in choose_users(data)]
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


@dataclass(frozen=True)
class _Shown:
    """Sources of all examples; the fields are the arguments of `examples_section`."""

    data: EncodedData
    users: Sequence[str]
    positions: Mapping[str, int]
    """Movie id to its index."""
    recommend: Recommend
    scale: tuple[float, float]
    scope: Scope
    noun: Noun

    def example(self, user: int) -> Example:
        """Return one user's history and recommendations."""
        data = self.data
        rows = np.arange(*data.offsets[user : user + 2])
        test = np.flatnonzero(data.test.user_index == user)
        movies, ratings = data.test.movie_index[test], data.test.rating[test]
        rated = dict(zip(movies.tolist(), ratings.tolist(), strict=True))
        found = self.recommend(self.users[user], MOVIES)
        picks = [self._pick(one, rated) for one in found]
        hits = sum(bool(pick.mark) for pick in picks)
        return Example(
            f"User {self.users[user]}",
            f"{counted(len(rows), 'rating')} in training, {len(test):,} in test, of which "
            f"{self.noun.counted(hits)} recommended here",
            self._history(rows[-MOVIES:][::-1]),
            picks,
        )

    def _pick(self, one: Recommendation, rated: Mapping[int, float]) -> Pick:
        movie = self.positions.get(one.movie_id, -1)
        notes = []
        # The model that is pushed may name test ratings as reasons; here they are hidden.
        known = [r for r in one.reasons if self.positions.get(r.movie_id, -1) not in rated]
        if reasons := [self._reason(reason) for reason in known[:REASONS]]:
            notes.append(f"because of {' and '.join(reasons)}")
        if self.scope.stars:
            notes.append(f"predicted {format_stars(one.stars, self.scale)} stars")
        mark = ""
        if movie in rated:
            mark = f"rated {rated[movie]:.4g}" if self.scope.likes else "in test"
        return Pick(self._title(movie, one.movie_id), "; ".join(notes), mark)

    def _reason(self, reason: Reason) -> str:
        title = self._title(self.positions.get(reason.movie_id, -1), reason.movie_id)
        if not self.scope.likes or not math.isfinite(reason.rating):
            return title
        return f"{title}, rated {reason.rating:.4g}"

    def _history(self, rows: Int64) -> list[Pick]:
        train = self.data.train
        movies, ratings = train.movie_index[rows].tolist(), train.rating[rows].tolist()
        return [
            Pick(
                self._title(movie, f"unknown {self.noun.one}"),
                f"{stars:.4g} star{'' if stars == 1 else 's'}" if self.scope.likes else "",
            )
            for movie, stars in zip(movies, ratings, strict=True)
        ]

    def _title(self, movie: int, unknown: str) -> str:
        """Return a movie's title by its index, else its id, else `unknown`."""
        catalogue = self.data.catalogue
        if not 0 <= movie < len(catalogue):
            return unknown
        return catalogue.title[movie] or catalogue.movie_id[movie]

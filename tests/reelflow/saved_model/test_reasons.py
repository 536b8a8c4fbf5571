"""The choice of reasons: pure functions."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from reelflow.saved_model.reasons import Reason, candidates, choose, favourite_genre, well_rated


def _reasons(**weights: float) -> list[Reason]:
    return [Reason(movie, weight, 5.0) for movie, weight in weights.items()]


def _names(chosen: list[list[Reason]]) -> list[str]:
    return ["".join(one.movie_id for one in reasons) for reasons in chosen]


def test_candidates_add_something_and_half_as_much_as_the_strongest() -> None:
    answer = {
        "movie_id": np.array([[b"b", b"a", b"c", b""], [b"a", b"", b"", b""]], object),
        "weight": np.array([[3.0, 1.5, 1.25, 0.0], [-1.0, 0.0, 0.0, 0.0]]),
        "rating": np.array([[5.0, 4.0, 1.0, nan], [4.0, nan, nan, nan]]),
    }
    assert candidates(answer) == [[Reason("b", 3.0, 5), Reason("a", 1.5, 4)], []]
    assert candidates({name: column[:, :0] for name, column in answer.items()}) == [[], []]


def test_reasons_differ_where_they_are_as_strong() -> None:
    same = [_reasons(a=10, b=9, c=8, d=7)] * 4
    assert _names(choose(same, most=1)) == ["a", "b", "c", "d"]
    assert _names(choose(same, most=2)) == ["ab", "cd", "ab", "cd"]


def test_no_weak_reason_is_named_for_variety() -> None:
    same = [_reasons(a=10, b=4.9)] * 3
    assert _names(choose(same)) == ["a", "a", "a"]


def test_named_by_strength_within_one_recommendation() -> None:
    lists = [_reasons(a=10, b=9), _reasons(a=10, c=6), _reasons(b=8, a=7, c=5, d=4)]
    assert _names(choose(lists, most=1)) == ["a", "c", "b"]
    assert _names(choose(lists, most=2)) == ["ab", "ac", "bd"]


def test_recommendations_without_reasons_get_none() -> None:
    assert choose([[], _reasons(a=1), []]) == [[], _reasons(a=1), []]
    assert choose([]) == []


@pytest.mark.parametrize(
    ("ratings", "good"),
    [
        ([1, 3, 5], [False, True, True]),
        ([0.1, 0.1, 0.1], [True, True, True]),
        ([nan, nan], [True, True]),
        ([nan, 2, 4], [False, False, True]),
        ([-10, 0], [False, True]),
        ([], []),
    ],
)
def test_well_rated_is_at_or_above_the_users_own_mean(
    ratings: list[float], good: list[bool]
) -> None:
    assert well_rated(ratings).tolist() == good


def test_favourite_genre() -> None:
    liked = [["Comedy"], ["Drama", "War"], ["War"]]
    assert favourite_genre(liked, ["Drama", "War", "Comedy"]) == "War"
    assert favourite_genre(liked, ["Comedy", "Drama"]) == "Comedy"
    assert favourite_genre(liked, ["Western"]) is None
    assert favourite_genre(liked, []) is None
    assert favourite_genre([], ["War"]) is None

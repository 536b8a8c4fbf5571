"""Lists under rules, from scores, genres and vectors made for the purpose."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.serving.rules.arrange import arrange, boosted, candidates

SCORES = np.array([5, 4, 3, 2, 1], np.float32)
GENRES = [["a"], ["a"], ["a", "b"], ["b"], []]


def test_without_rules_the_scores_order() -> None:
    assert arrange(SCORES[::-1], [], 3, GENRES) == [4, 3, 2]
    assert arrange(SCORES, [], 9, GENRES) == [0, 1, 2, 3, 4]
    assert arrange(SCORES[:0], [], 3, []) == []
    assert arrange(np.ones(3, np.float32), [], 3, GENRES[:3]) == [0, 1, 2]


def test_movies_at_the_top_keep_their_order_and_come_once() -> None:
    assert arrange(SCORES, [3, 1, 3], 4, GENRES) == [3, 1, 0, 2]
    assert arrange(SCORES, [3, 1], 1, GENRES) == [3]


@pytest.mark.parametrize(
    ("per_genre", "first", "expected"),
    [(1, [], [0, 3, 4]), (2, [], [0, 1, 3, 4]), (1, [2], [2, 4]), (1, [1, 0], [1, 3, 4])],
)
def test_few_of_a_genre(per_genre: int, first: list[int], expected: list[int]) -> None:
    assert arrange(SCORES, first, 5, GENRES, per_genre) == expected


def test_diversity_prefers_what_is_unlike_the_movies_above() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [-1, 0]], np.float32)
    assert arrange(SCORES, [], 3, GENRES, None, 0.0, vectors) == [0, 1, 2]
    assert arrange(SCORES, [], 3, GENRES, None, 0.5, vectors) == [0, 2, 4]
    assert arrange(SCORES, [], 3, GENRES, None, 0.5) == [0, 3, 2]  # by genres


def test_boosts_are_standard_deviations() -> None:
    deviation = float(SCORES.std())
    boosts = np.array([0, 0, 0, 0, 2], np.float32)
    assert boosted(SCORES, boosts).tolist() == pytest.approx([5, 4, 3, 2, 1 + 2 * deviation])
    assert boosted(np.ones(2, np.float32), np.array([0, 1], np.float32)).tolist() == [1, 2]


def test_candidates_are_no_more_than_there_are() -> None:
    assert [candidates(10, 60_000), candidates(100, 60_000), candidates(10, 12)] == [200, 500, 12]

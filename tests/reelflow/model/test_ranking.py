"""Exact top-K and exact ranks against sorting by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model.ranking import LOWEST, block_size, exact_ranks, mask, standardised, top_k

NAN = float("nan")
INF = float("inf")


def _ranks(
    scores: list[list[float]], targets: list[int], seen: list[tuple[int, int]] | None = None
) -> tuple[list[int], list[int]]:
    cells = np.array(seen or np.zeros([0, 2]), np.int32).reshape(-1, 2)
    found = exact_ranks(tf.constant(scores, tf.float32), tf.constant(targets), tf.constant(cells))
    raw, unseen = (each.numpy() for each in found)
    assert raw.dtype == unseen.dtype == np.int32
    return raw.tolist(), unseen.tolist()


def _rank_by_hand(scores: np.ndarray, target: int, out: set[int]) -> int:
    rivals = [s for movie, s in enumerate(scores) if movie != target and movie not in out]
    return 1 + sum(not s < scores[target] for s in rivals)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_by_hand(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, movies = 12, 9
    scores = random.integers(5, size=(rows, movies)).astype(np.float32)  # many ties
    targets = random.integers(movies, size=rows).astype(np.int32)
    seen = np.unique(random.integers([rows, movies], size=(40, 2)), axis=0).astype(np.int32)
    raw, unseen = exact_ranks(tf.constant(scores), tf.constant(targets), tf.constant(seen))
    for row in range(rows):
        out = set(seen[seen[:, 0] == row, 1].tolist())
        assert raw[row] == _rank_by_hand(scores[row], targets[row], set())
        assert unseen[row] == _rank_by_hand(scores[row], targets[row], out)


def test_ties_count_against_the_model() -> None:
    assert _ranks([[1, 2, 2, 0]], [1]) == ([2], [2])


def test_a_constant_model_ranks_last() -> None:
    assert _ranks([[3, 3, 3, 3]], [0], [(0, 2)]) == ([4], [3])


def test_nan_is_never_an_advantage() -> None:
    assert _ranks([[NAN, 9, 9], [1, NAN, 0]], [0, 0]) == ([3, 2], [3, 2])


def test_infinite_scores_tie_with_each_other() -> None:
    assert _ranks([[INF, INF, 1], [-INF, -INF, 1]], [0, 0]) == ([2, 3], [2, 3])


def test_the_target_competes_though_it_was_seen() -> None:
    assert _ranks([[5, 4, 3]], [2], [(0, 2), (0, 0)]) == ([3], [2])


def test_a_movie_seen_and_worse_makes_no_room() -> None:
    assert _ranks([[5, 4, 3]], [1], [(0, 2)]) == ([2], [2])


def test_mask_sets_its_cells_only() -> None:
    found = mask(tf.ones([2, 3]), tf.constant([[0, 1], [1, 2], [0, 1]])).numpy()
    assert found.tolist() == [[1, LOWEST, 1], [1, 1, LOWEST]]


def test_the_best_come_first() -> None:
    best, movies = top_k(tf.constant([[1.0, 5.0, 3.0]]), tf.constant(2))
    assert (best.numpy().tolist(), movies.numpy().tolist()) == ([[5, 3]], [[1, 2]])


@pytest.mark.parametrize(("k", "columns"), [(0, 1), (3, 3), (99, 3)])
def test_k_is_bounded_by_the_catalogue(k: int, columns: int) -> None:
    best, movies = top_k(tf.constant([[1.0, 5.0, 3.0]]), tf.constant(k))
    assert best.shape == movies.shape == (1, columns)


def test_masked_movies_are_not_given_out() -> None:
    scores = mask(tf.constant([[1.0, 5.0, 3.0]]), tf.constant([[0, 1], [0, 0]]))
    best, movies = top_k(scores, tf.constant(3))
    assert movies.numpy().tolist() == [[2, -1, -1]]
    assert best.numpy().tolist() == [[3, LOWEST, LOWEST]]


@pytest.mark.parametrize("k", [1, 2, 7, 12, 30, 99])
@pytest.mark.parametrize("block", [2, 4, 8])
@pytest.mark.parametrize("kinds", [3, 1000], ids=["ties", "distinct"])
def test_blocks_change_nothing(k: int, block: int, kinds: int) -> None:
    random = np.random.default_rng(k)
    scores = random.integers(kinds, size=(20, 48)).astype(np.float32)
    scores[random.random(scores.shape) < 0.3] = LOWEST
    scores[0] = LOWEST
    plain, blocked = (top_k(tf.constant(scores), tf.constant(k), b) for b in (1, block))
    for expected, found in zip(plain, blocked, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("movies", "size"), [(12, 1), (2_048, 1), (4_000, 32), (60_000, 128), (1_000_000, 512)]
)
def test_block_sizes(movies: int, size: int) -> None:
    assert block_size(movies) == size


@pytest.mark.parametrize("seed", range(3))
def test_standard_scores_are_by_row(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = (5 + random.normal(size=(6, 30)) * 10.0 ** np.arange(-2, 4)[:, None]).astype(
        np.float32
    )
    found, per_unit = (x.numpy() for x in standardised(tf.constant(scores)))
    expected = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(per_unit[:, 0], 1 / scores.std(axis=1), rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, -7.3, 1e6, 1e-20])
def test_a_row_without_differences_has_no_standard_scores(value: float) -> None:
    """Nor one whose differences are those of rounding."""
    row = np.full((1, 50), value, np.float32)
    noise = row * (1 + 1e-7 * np.random.default_rng(0).normal(size=row.shape))
    for scores in (row, noise.astype(np.float32)):
        found, per_unit = standardised(tf.constant(scores))
        assert not found.numpy().any()
        assert not per_unit.numpy().any()

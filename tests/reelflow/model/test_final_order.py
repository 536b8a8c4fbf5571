"""The final order against a list made movie by movie, and ranks against places in that list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model.final_order import FinalOrder, Weights, retrieval_ranks
from reelflow.model.rankers import Best
from reelflow.model.ranking import LOWEST, top_k
from reelflow.model.terms import Asked
from reelflow.model.timelines import Past
from reelflow.saved_model.contract import BLEND, BY_STARS, ORDERS, RETRIEVAL

MOVIES, USERS = 40, 6
MEAN, DEVIATION, WEIGHT = 3.2, 1.1, 0.6


class Table(tf.Module):
    """Predicts stars by a table; the last row and column are of what is not known."""

    def __init__(self, stars: np.ndarray) -> None:
        super().__init__()
        self.table = tf.constant(stars, tf.float32)

    def stars(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        return tf.gather_nd(self.table, tf.stack([users, movies], axis=1))

    def stars_of_lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.gather(self.table, users), movies, axis=1, batch_dims=1)


@dataclass(frozen=True)
class World:
    """Scores, stars and seen movies of some users."""

    scores: np.ndarray
    stars: np.ndarray
    seen: np.ndarray

    @classmethod
    def drawn(cls, seed: int, kinds: int | None = None) -> World:
        """Draw a world; `kinds` different scores and stars make ties."""
        random = np.random.default_rng(seed)
        scores = random.normal(size=(USERS, MOVIES)).astype(np.float32)
        stars = random.uniform(1, 5, size=(USERS + 1, MOVIES + 1)).astype(np.float32)
        if kinds is not None:
            scores = random.integers(kinds, size=scores.shape).astype(np.float32)
            stars = 1 + random.integers(kinds, size=stars.shape).astype(np.float32)
        seen = random.random(scores.shape) < 0.3
        seen[0], seen[1] = False, True  # nothing seen; everything seen
        return cls(scores, stars, seen)

    def order(self, candidates: int, block: int = 1, deviation: float = DEVIATION) -> FinalOrder:
        ratings: Any = Table(self.stars)
        return FinalOrder(ratings, (MEAN, deviation), WEIGHT, candidates, MOVIES, block)


def _asked(popular: bool = False) -> Asked:
    """Requests of the users in order."""
    none = tf.zeros([0], tf.int32)
    return Asked(
        users=tf.range(USERS),
        recent=Past.nothing(USERS),
        rated_rows=none,
        rated_movies=none,
        rated_opinions=tf.zeros([0]),
        rated_ages=tf.zeros([0], tf.int32),
        is_known=tf.fill([USERS], not popular),
        has_rated=tf.fill([USERS], False),
    )


def _weights(order: str) -> tuple[float, float]:
    return {BLEND: (1.0, WEIGHT), RETRIEVAL: (1.0, 0.0), BY_STARS: (0.0, 1.0)}[order]


def _listed(
    world: World,
    user: int,
    allowed: np.ndarray,
    order: str,
    candidates: int,
    least: float = -np.inf,
) -> list[int]:
    """The final list, by the letter: retrieve, order the candidates, append the others, drop."""
    scores, stars = world.scores[user], world.stars[user]
    found = [m for m in np.argsort(-scores, kind="stable").tolist() if allowed[m]]
    retrieval, like = _weights(order)

    def final(movie: int) -> np.float32:
        liked = (stars[movie] - np.float32(MEAN)) / np.float32(DEVIATION)
        return np.float32(retrieval) * scores[movie] + np.float32(like) * liked

    head = sorted(found[:candidates], key=lambda movie: -final(movie))
    return [movie for movie in [*head, *found[candidates:]] if stars[movie] >= least]


def _lists(
    world: World, masked: np.ndarray, order: str, candidates: int, k: int, least: float, block: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = np.where(masked, np.float32(LOWEST), world.scores)
    scores = np.pad(scores, [(0, 0), (0, -MOVIES % block)], constant_values=LOWEST)
    final, asked = world.order(candidates, block), _asked()
    weights = final.weights(tf.fill([USERS], order), asked)
    minimum = tf.fill([USERS], tf.constant(least, tf.float32))
    best = Best(*top_k(tf.constant(scores), final.searched(tf.constant(k), minimum), block))
    found = final.lists(asked, best, weights, tf.constant(k), minimum)
    return tuple(x.numpy() for x in found)  # type: ignore[return-value]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("candidates", [10, 25, 40, 500])
@pytest.mark.parametrize(("k", "least"), [(1, -np.inf), (15, -np.inf), (40, -np.inf), (7, 3.1)])
def test_lists_are_retrieved_then_ranked(order: str, candidates: int, k: int, least: float) -> None:
    world = World.drawn(candidates + k)
    for block in (1, 8):
        scores, movies, stars = _lists(world, world.seen, order, candidates, k, least, block)
        assert scores.shape == movies.shape == stars.shape == (USERS, k)
        for user in range(USERS):
            expected = _listed(world, user, ~world.seen[user], order, candidates, least)[:k]
            padding = [-1] * (k - len(expected))
            assert movies[user].tolist() == [*expected, *padding]
            valid = len(expected)
            np.testing.assert_array_equal(stars[user, :valid], world.stars[user, expected])
            assert (scores[user, valid:] == LOWEST).all()
            assert (scores[user, :valid] > LOWEST).all()
            assert (np.diff(scores[user, :valid]) < 0).all()  # an order without a tie


def test_scores_of_the_head_are_the_blend() -> None:
    world = World.drawn(0)
    scores, movies, stars = _lists(world, world.seen, BLEND, 40, 40, -np.inf, 1)
    for user in range(USERS):
        valid = movies[user] >= 0
        expected = world.scores[user, movies[user, valid]]
        expected = expected + WEIGHT * (stars[user, valid] - MEAN) / DEVIATION
        np.testing.assert_allclose(scores[user, valid], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_the_least_stars_reach_behind_the_candidates(order: str) -> None:
    """A list is filled up by what retrieval found later."""
    world = World.drawn(4)
    world.stars[:, :] = 2.0
    rare = np.argsort(-world.scores, axis=1)[:, -3:]
    np.put_along_axis(world.stars[:-1], rare, 5.0, axis=1)
    nothing = np.zeros_like(world.seen)
    _, movies, stars = _lists(world, nothing, order, 10, 5, 4.5, 1)
    np.testing.assert_array_equal(movies, np.pad(rare, [(0, 0), (0, 2)], constant_values=-1))
    assert (stars[:, :3] == 5.0).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("candidates", [10, 25, 39, 40, 41, 500])
@pytest.mark.parametrize("block", [1, 8])
def test_a_rank_is_the_place_in_the_list(order: str, candidates: int, block: int) -> None:
    """Of every movie, also those that the user has seen, among all and among the unseen."""
    world = World.drawn(candidates)
    rows, targets = (x.ravel().astype(np.int32) for x in np.mgrid[:USERS, :MOVIES])
    scores = np.pad(world.scores, [(0, 0), (0, -MOVIES % block)], constant_values=LOWEST)
    final, asked = world.order(candidates, block), _asked()
    weights = final.weights(tf.fill([USERS], order), asked)
    seen = tf.constant(np.argwhere(world.seen), tf.int32)
    raw, unseen = final.ranks(
        asked, tf.constant(scores), weights, seen, tf.constant(rows), tf.constant(targets)
    )
    for at, (user, target) in enumerate(zip(rows, targets, strict=True)):
        everything = _listed(world, user, np.ones(MOVIES, bool), order, candidates)
        assert raw[at] == 1 + everything.index(target), (user, target)
        competing = ~world.seen[user]
        competing[target] = True
        left = _listed(world, user, competing, order, candidates)
        assert unseen[at] == 1 + left.index(target), (user, target)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("candidates", [10, 25, 500])
def test_ties_count_against_the_model(order: str, candidates: int) -> None:
    """A rank is never better than any place that the movie may have in a list, nor than its own."""
    world = World.drawn(candidates, kinds=3)
    rows, targets = (x.ravel().astype(np.int32) for x in np.mgrid[:USERS, :MOVIES])
    final, asked = world.order(candidates), _asked()
    weights = final.weights(tf.fill([USERS], order), asked)
    seen = tf.constant(np.argwhere(world.seen), tf.int32)
    found = final.ranks(
        asked, tf.constant(world.scores), weights, seen, tf.constant(rows), tf.constant(targets)
    )
    for at, (user, target) in enumerate(zip(rows, targets, strict=True)):
        for rank, masked in zip(found, (False, True), strict=True):
            competing = ~world.seen[user] if masked else np.ones(MOVIES, bool)
            competing[target] = True
            place = 1 + _listed(world, user, competing, order, candidates).index(target)
            assert place <= rank[at] <= competing.sum()


def test_a_constant_model_ranks_everything_last() -> None:
    world = World(np.zeros((USERS, MOVIES), np.float32), np.full((7, 41), 3.0), np.zeros((6, 40)))
    targets = tf.range(USERS)
    for candidates in (10, 500):
        final, asked = world.order(candidates), _asked()
        weights = final.weights(tf.fill([USERS], BLEND), asked)
        none = tf.zeros([0, 2], tf.int32)
        found = final.ranks(asked, tf.constant(world.scores), weights, none, targets, targets)
        assert [rank.numpy().tolist() for rank in found] == [[MOVIES] * USERS] * 2


def test_retrieval_ranks_are_those_without_blending() -> None:
    world = World.drawn(1)
    rows, targets = (x.ravel().astype(np.int32) for x in np.mgrid[:USERS, :MOVIES])
    seen = tf.constant(np.argwhere(world.seen), tf.int32)
    inputs = seen, tf.constant(rows), tf.constant(targets)
    plain = retrieval_ranks(tf.constant(world.scores), *inputs)
    final, asked = world.order(10), _asked()
    weights = final.weights(tf.fill([USERS], RETRIEVAL), asked)
    for one, other in zip(
        plain, final.ranks(asked, tf.constant(world.scores), weights, *inputs), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_weights_of_the_orders() -> None:
    final = World.drawn(0).order(10)
    orders = tf.constant([*ORDERS, "no such order", "", BLEND])
    found = final.weights(orders, _asked())
    np.testing.assert_allclose(found.retrieval, [1, 1, 0, 1, 1, 1])
    np.testing.assert_allclose(found.like, [WEIGHT, 0, 1, WEIGHT, WEIGHT, WEIGHT])
    # Of a request whose user is not known there is no taste to predict, unless it asks for stars.
    popular = final.weights(orders, _asked(popular=True))
    np.testing.assert_allclose(popular.retrieval, [1, 1, 0, 1, 1, 1])
    np.testing.assert_allclose(popular.like, [0, 0, 1, 0, 0, 0])
    some = found.take(tf.constant([2, 0, 2]))
    np.testing.assert_allclose(some.retrieval, [0, 1, 0])
    np.testing.assert_allclose(some.like, [1, WEIGHT, 1])
    assert isinstance(some, Weights)


def test_stars_that_do_not_vary_tell_nothing() -> None:
    final = World.drawn(0).order(10, deviation=0.0)
    np.testing.assert_allclose(final.likes(tf.constant([MEAN, MEAN])), [0.0, 0.0], atol=1e-6)

"""The linear item model against EASE in plain numpy, and scores against sums of weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.items import ItemLearner, ItemWeights, LinearItems
from reelflow.model.terms import Asked
from reelflow.model.timelines import Past
from tests.encoded_data import Row, encoded, random_rows

MOVIES = 18
DATA = encoded(
    random_rows(160, 1, users=20, movies=14, distinct=False),
    movies=[f"m{i:02d}" for i in range(18)],
)
"""Movies 14 to 17 have no ratings; some pairs come twice."""


def ease(data: EncodedData, kept: np.ndarray, ridge: float) -> np.ndarray:
    """Steck 2019, section 3: -P / diag(P), with a diagonal of zeros."""
    rated = np.zeros([data.sizes.users, len(data.catalogue)])
    rated[data.train.user_index, data.train.movie_index] = 1
    rated = rated[:, kept]
    inverse = np.linalg.inv(rated.T @ rated + ridge * np.eye(len(kept)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def _learner(data: EncodedData, movies_max: int) -> ItemLearner:
    return ItemLearner(data, ModelConfig(item_movies=movies_max))


def asked_of(
    batch: int, rated: Sequence[tuple[int, int, float]], ages: Sequence[int] | None = None
) -> Asked:
    """Requests by row, movie and opinion of what their users have rated, and by its age."""
    rows, movies, opinions = zip(*rated, strict=True) if rated else ([], [], [])
    return Asked(
        users=tf.range(batch),
        recent=Past.nothing(batch),
        rated_rows=tf.constant(rows, tf.int32),
        rated_movies=tf.constant(movies, tf.int32),
        rated_opinions=tf.constant(opinions, tf.float32),
        rated_ages=tf.constant([0] * len(rows) if ages is None else ages, tf.int32),
        is_known=tf.ones([batch], tf.bool),
        has_rated=tf.ones([batch], tf.bool),
    )


@pytest.mark.parametrize("ridge", [0.5, 100.0])
@pytest.mark.parametrize("movies_max", [5, 14, 4096])
def test_weights_are_those_of_ease(movies_max: int, ridge: float) -> None:
    learned = _learner(DATA, movies_max).solve(ridge)
    counts = DATA.rating_counts
    kept = learned.movies
    assert len(kept) == min(movies_max, 14)
    assert (np.diff(kept) > 0).all()
    left_out = np.setdiff1d(np.arange(MOVIES), kept)
    assert counts[kept].min() >= counts[left_out].max()
    np.testing.assert_allclose(learned.weights, ease(DATA, kept, ridge), rtol=1e-4, atol=1e-6)
    assert learned.weights.dtype == np.float32


def test_the_gram_matrix_serves_several_ridges() -> None:
    gram = _learner(DATA, 4096)
    first = gram.solve(1.0)
    gram.solve(50.0)
    np.testing.assert_array_equal(gram.solve(1.0).weights, first.weights)


def test_blocks_only_save_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _learner(DATA, 4096).solve(1.0).weights
    monkeypatch.setattr("reelflow.baselines.base.BLOCK_CELLS", 40)
    np.testing.assert_array_equal(_learner(DATA, 4096).solve(1.0).weights, whole)


def test_a_movie_that_goes_with_another_has_its_weight() -> None:
    """Who rates a rates b, and nothing else."""
    rows = [(f"u{i}", movie, 3.0, 1) for i in range(10) for movie in ("ab" if i < 5 else "cd")]
    learned = _learner(encoded(rows), 4096).solve(1.0)
    assert learned.movies.tolist() == [0, 1, 2, 3]
    expected = np.zeros([4, 4])
    for one, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        expected[one, other] = 5 / 6  # ridge regression on one movie: 5 / (5 + 1)
    np.testing.assert_allclose(learned.weights, expected, atol=1e-6)


KEPT = np.array([1, 4, 7], np.int32)
WEIGHTS = np.array([[0, 0.5, -0.2], [0.3, 0, 0.7], [0.1, 0.9, 0]], np.float32)


@pytest.mark.parametrize("opinion", [0.0, 0.25])
def test_scores_are_sums_of_weights(opinion: float) -> None:
    """Movies without weights and padding count for nothing, opinions weigh the others."""
    items = LinearItems(ItemWeights(KEPT, WEIGHTS), MOVIES, opinion)
    rated = [(0, 4, 2.0), (0, 1, -1.0), (0, 9, 1.0), (2, 7, 0.5), (0, MOVIES, 0.0), (2, 7, 0.5)]
    found = items.scores(asked_of(4, rated))
    expected = np.zeros([4, MOVIES])
    for row, movie, felt in rated:
        for place, target in enumerate(KEPT):
            if movie in KEPT:
                weight = WEIGHTS[KEPT.tolist().index(movie), place]
                expected[row, target] += (1 + opinion * felt) * weight
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_older_movies_weigh_less() -> None:
    """By half for each half-life, and never nothing."""
    items = LinearItems(ItemWeights(KEPT, WEIGHTS), MOVIES, 0.0, half_life=4.0)
    asked = asked_of(3, [(0, 1, 1.0), (1, 1, 1.0), (2, 1, 1.0)], [0, 8, 4000])
    found = items.scores(asked).numpy()[:, 4]
    np.testing.assert_allclose(found, 0.5 * np.array([1.05, 0.3, 0.05]), rtol=1e-4)


def test_ages_matter_only_where_the_next_movie_is_asked_for() -> None:
    config = ModelConfig(item_half_life=(7.0, 0.0))
    rows = [("u0", "a", 3.0, 1), ("u0", "b", 3.0, 5), ("u1", "a", 3.0, 1), ("u1", "b", 3.0, 2)]
    for validation, by_time in [(("u0", "a", 4.0, 9), True), (("u0", "a", 4.0, 2), False)]:
        data = encoded(rows, [validation])
        expected = (7.0, 0.0) if by_time else (0.0,)
        assert ItemLearner(data, config).options["half_life"] == expected


def test_shares_are_the_terms_of_the_scores() -> None:
    """Movies that are there twice, and those that take no part, included."""
    learned = _learner(DATA, 9).solve(2.0)
    items = LinearItems(learned, MOVIES, 0.25)
    random = np.random.default_rng(0)
    rated = np.stack([random.permutation(MOVIES)[:6] for _ in range(5)]).astype(np.int32)
    rated[1, 2:] = rated[3] = MOVIES
    felt = random.normal(size=rated.shape)
    history = [(row, int(rated[row, at]), felt[row, at]) for row in range(5) for at in range(6)]
    history.append((0, int(rated[0, 2]), 0.5))
    asked = asked_of(5, history)
    scores = items.scores(asked).numpy()
    movies = tf.tile(tf.range(MOVIES)[None], [5, 1])
    shares = items.shares(asked, tf.constant(rated), movies).numpy()
    assert shares.shape == (5, MOVIES, 6)
    np.testing.assert_allclose(shares.sum(axis=2), scores, rtol=1e-4, atol=1e-6)
    itself = np.arange(MOVIES)[:, None] == rated[:, None]
    assert (shares[itself | (rated == MOVIES)[:, None]] == 0).all()


def test_of_no_ratings_there_is_no_score() -> None:
    items = LinearItems(ItemWeights(KEPT, WEIGHTS), MOVIES, 0.25)
    assert not items.scores(asked_of(3, [])).numpy().any()


def test_of_fewer_users_than_movies_weights_are_the_same() -> None:
    rows: list[Row] = [
        (f"u{u}", f"m{m:02d}", 3.0, m) for u in range(5) for m in range(9) if u + m % 3
    ]
    few = ItemLearner(encoded(rows), ModelConfig()).solve(2.0)
    x = np.zeros((5, 9))
    for user, movie, *_ in rows:
        x[int(user[1:]), int(movie[1:])] = 1.0
    inverse = np.linalg.inv(x.T @ x + 2.0 * np.eye(9))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(few.weights, expected, atol=1e-5)

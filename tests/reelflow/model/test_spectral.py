"""The spectral model against all eigenvectors in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig
from reelflow.model.items import FLOOR
from reelflow.model.spectral import BY_MOVIE, BY_USER, FEWER, Spectral, SpectralLearner
from tests.reelflow.model.test_items import DATA, MOVIES, asked_of

HISTORY = [(0, 3, 1.0), (0, 5, -0.5), (0, 1, 0.0), (1, MOVIES, 0.0), (2, 17, 0.0), (2, 6, 0.0)]
AGES = [4, 0, 11, 0, 1, 0]


def _matrix(kept: np.ndarray, size: int) -> np.ndarray:
    """Return the weight of each movie for each other, [movies, movies]."""
    rated = np.zeros([DATA.sizes.users, MOVIES])
    rated[DATA.train.user_index, DATA.train.movie_index] = 1
    by_user = np.maximum(rated.sum(axis=1), 1) ** -BY_USER
    by_movie = rated.sum(axis=0)[kept] ** BY_MOVIE
    normal = by_user[:, None] * rated[:, kept] / by_movie
    _, vectors = np.linalg.eigh(normal.T @ normal)
    leading = vectors[:, ::-1][:, :size]
    weights = np.zeros([MOVIES, MOVIES])
    weights[np.ix_(kept, kept)] = leading @ leading.T / by_movie[:, None] * by_movie
    return weights


@pytest.mark.parametrize(("movies_max", "size"), [(6, 1), (8, 2), (4096, 2), (4096, 3)])
@pytest.mark.parametrize("half_life", [0.0, 3.0])
@pytest.mark.parametrize("dense", [1, 1024])
def test_scores_are_projections(
    movies_max: int, size: int, half_life: float, dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelflow.model.spectral.DENSE", dense)
    config = ModelConfig(item_movies=movies_max, spectral_size=(size,))
    learner = SpectralLearner(DATA, config)
    assert learner.options["size"] == (size,)
    learned = learner.learn({"size": size, "half_life": half_life, "opinion": 0.25})
    counts = DATA.rating_counts
    kept = np.sort(np.argsort(-counts, kind="stable")[:movies_max])
    weights = _matrix(kept[counts[kept] > 0], size)
    expected = np.zeros([3, MOVIES])
    for (row, movie, opinion), age in zip(HISTORY, AGES, strict=True):
        value = 1 + 0.25 * opinion
        if half_life:
            value *= 2 ** (-age / half_life) + FLOOR
        if movie < MOVIES:
            expected[row] += value * weights[movie]
    asked = asked_of(3, HISTORY, AGES)
    np.testing.assert_allclose(learned.scores(asked), expected, rtol=1e-3, atol=1e-5)
    rated = np.array([[3, 5, 1], [MOVIES] * 3, [17, 6, MOVIES]], np.int32)
    scored = tf.tile(tf.range(MOVIES)[None], [3, 1])
    if isinstance(learned, Spectral):
        scored = tf.gather(learned.factors, scored)
    shares = learned.shares(asked, tf.constant(rated), scored).numpy()
    np.testing.assert_allclose(shares.sum(axis=2), expected, rtol=1e-3, atol=1e-5)


def test_the_same_ratings_give_the_same_directions() -> None:
    settings = {"size": 3, "half_life": 0.0, "opinion": 0.0}
    one, other = (
        SpectralLearner(DATA, ModelConfig(spectral_size=(3,))).learn(settings) for _ in range(2)
    )
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_there_are_far_fewer_directions_than_movies() -> None:
    learner = SpectralLearner(DATA, ModelConfig(spectral_size=(2, 40, 99)))
    assert learner.options["size"] == (2, 14 // FEWER)

"""The Bayesian factorisation on worlds whose right answers are provable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.fit import fit, fit_and_refit
from reelflow.model.rating import FrozenRatings, bayesian_ratings, draws
from reelflow.model.rating.bayes import LEAST_DRAWS, USUAL_DRAWS, Posterior, draw_size
from tests.encoded_data import Movie, Row, encoded, random_rows

CONFIG = ModelConfig(retrieval_weight=0, rating_draw_size=2)


def low_rank(users: int = 40, movies: int = 30, seed: int = 0) -> tuple[EncodedData, list[Row]]:
    """Stars that biases and one product make, without noise; a fifth of them held out."""
    random = np.random.default_rng(seed)
    u, m = random.normal(size=(users, 2)), random.normal(size=(movies, 2))
    stars = 3 + 0.5 * u[:, :1] + 0.5 * m[:, 0] + u[:, 1:] * m[:, 1]
    rows: list[Row] = [
        (f"u{a:02d}", f"m{b:02d}", float(stars[a, b]), 1) for a, b in np.ndindex(users, movies)
    ]
    order = random.permutation(len(rows))
    cut = len(rows) // 5
    return encoded([rows[i] for i in order[cut:]]), [rows[i] for i in order[:cut]]


def stars_of(ratings: FrozenRatings, rows: list[Row]) -> Any:
    users = tf.constant([int(row[0][1:]) for row in rows])
    movies = tf.constant([int(row[1][1:]) for row in rows])
    return ratings.stars(users, movies).numpy()


def test_what_biases_and_a_product_made_is_recovered() -> None:
    data, held_out = low_rank()
    ratings = FrozenRatings([bayesian_ratings(data, CONFIG, count=200, seed=0)])
    truth = np.array([row[2] for row in held_out])
    error = np.sqrt(np.mean((stars_of(ratings, held_out) - truth) ** 2))
    assert error < 0.15 * truth.std()


def test_catalogue_and_pairs_agree_and_strangers_are_the_mean() -> None:
    rows = random_rows(60, 5)
    data = encoded(rows, movies=[Movie(f"m{i:02d}", ("Drama",)) for i in range(15)])
    model = bayesian_ratings(data, CONFIG, count=5, seed=1)
    users, movies = data.sizes.users, 15
    grid = np.mgrid[: users + 1, :movies].reshape(2, -1)
    pairs = model.pairs(tf.constant(grid[0]), tf.constant(grid[1])).numpy()
    whole = model.catalogue(tf.range(users + 1)).numpy()
    np.testing.assert_allclose(pairs.reshape(users + 1, movies), whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(whole[users], whole[:users].mean(axis=0), rtol=1e-4, atol=1e-5)
    assert np.isfinite(model.pairs(tf.constant([users]), tf.constant([movies]))).all()
    assert model.head.directions.shape == (movies, 4 * 2)


def test_the_seed_decides_everything() -> None:
    data = encoded(random_rows(60, 5))
    one, same, other = (bayesian_ratings(data, CONFIG, count=4, seed=s) for s in (1, 1, 2))
    tables = [model.head.users.numpy() for model in (one, same, other)]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


def test_a_movie_without_ratings_has_the_stars_of_its_genre() -> None:
    random = np.random.default_rng(0)
    movies = [Movie(f"m{i:02d}", ("Comedy",) if i % 2 else ("War",)) for i in range(42)]
    rows: list[Row] = [
        (f"u{u:02d}", f"m{m:02d}", 3.0 + (m % 2) + random.normal(scale=0.1), 1)
        for u, m in np.ndindex(20, 40)
        if (u + m) % 20 <= m // 2  # by one user, by two and so on
    ]
    data = encoded(rows, movies=movies)
    ratings = FrozenRatings([bayesian_ratings(data, CONFIG, count=30, seed=0)])
    users = tf.range(20)
    war, comedy = (ratings.stars(users, tf.fill([20], m)).numpy() for m in (40, 41))
    assert war.max() < 3.5 < comedy.min()


def test_sums_of_products_are_kept_at_the_nearest_rank() -> None:
    random = np.random.default_rng(0)
    sums = Posterior(6, np.zeros((30, 0)), np.zeros((20, 0)))
    common = random.normal(size=(30, 3)), random.normal(size=(20, 3))
    total = np.zeros((30, 20))
    for _ in range(20):
        # Three directions in all, whatever the draw.
        mixing = random.normal(size=(3, 3))
        users, movies = common[0] @ mixing, common[1] + random.normal(size=3)
        total += users @ movies.T
        sums.add(users, movies)
        assert sums.users.shape[1] < 6 + 4 * 3
    sums.compress()
    assert sums.users.shape == (30, 3)
    np.testing.assert_allclose(sums.users @ sums.movies.T, total, rtol=1e-6, atol=1e-6)


def test_the_number_of_draws() -> None:
    svdpp = ModelConfig()
    assert draws(svdpp, 100_000) == draws(svdpp, 500_000) == USUAL_DRAWS
    assert draws(svdpp, 1_000_000) == USUAL_DRAWS // 2
    assert draws(svdpp, 10**9) == LEAST_DRAWS
    assert [draw_size(svdpp, ratings) for ratings in (500_000, 500_001)] == [16, 32]
    assert draw_size(CONFIG, 10**6) == 2
    assert draws(ModelConfig(rating_head="mlp"), 1000) == 0
    assert draws(ModelConfig(rating_output="ordinal"), 1000) == 0
    assert draws(ModelConfig(rating_head="mlp", rating_draws=7), 1000) == 7
    with pytest.raises(ValueError, match="rating_draws"):
        ModelConfig(rating_head="like", rating_draws=7)


@pytest.mark.slow
def test_it_counts_half_and_only_in_what_is_exported(tmp_path: Path) -> None:
    rows = random_rows(100, 7)
    data = encoded(rows[:90], rows[90:])
    config = CONFIG.model_copy(update={"rating_embedding_size": 4, "rating_draws": 2})
    train = TrainConfig(epochs=1, batch_size=16)
    alone, _ = fit(data, config, train, tmp_path)
    fitted = fit_and_refit(data, config, train.model_copy(update={"refit": False}), tmp_path)
    joint = fitted.joint
    assert joint.bayesian_ratings is not None
    users = tf.range(data.sizes.users)
    parts = [joint.rating_model.freeze(), joint.bayesian_ratings]
    scores = [part.output.scores(part.catalogue(users)).numpy() for part in parts]
    assert not np.allclose(*scores)
    together = joint.frozen_ratings()
    np.testing.assert_allclose(together.scores(users), np.mean(scores, axis=0), rtol=1e-5)
    tables = sum(table.shape.num_elements() for table in joint.bayesian_ratings.variables)
    assert joint.parameters == alone.parameters + tables
    fitted = fit_and_refit(data, config, train, tmp_path)
    assert fitted.before_refit.bayesian_ratings is None
    assert fitted.joint.bayesian_ratings is not None

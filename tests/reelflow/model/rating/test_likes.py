"""Likes from stars: on users whose habits are known, the curve is what drew the ratings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.rating import FrozenRatings, bayesian_ratings, bias_ratings, like_curve
from reelflow.model.rating.likes import Calibration, LikeCurve
from reelflow.model.training import train_and_export
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.probe import probe
from tests.encoded_data import Row, checkerboard, encoded, random_rows

THRESHOLD = 4.0
USERS, MOVIES = 40, 30


def habits(seed: int = 0) -> EncodedData:
    """Movies have their quality; the first half of the users gives a star more for the same."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for user, movie in np.ndindex(USERS, MOVIES):
        stars = 1.8 + 2.4 * movie / MOVIES + (user < USERS / 2) + random.normal(scale=0.5)
        rows.append((f"u{user:02d}", f"m{movie:02d}", float(np.clip(round(stars), 1, 5)), 1))
    order = random.permutation(len(rows))
    return encoded([rows[i] for i in order[300:]], [rows[i] for i in order[:300]])


def test_the_probability_is_how_often_such_ratings_are_likes() -> None:
    data = habits()
    held_out = data.validation
    curve = like_curve(bias_ratings(data), held_out, data, data, ModelConfig())
    assert curve is not None
    ratings = bias_ratings(data)
    pairs = tf.constant(held_out.user_index), tf.constant(held_out.movie_index)
    stars = ratings.stars(*pairs).numpy()
    likes = curve(pairs[0], tf.constant(stars)).numpy()
    liked = held_out.rating >= THRESHOLD
    assert likes.mean() == pytest.approx(liked.mean(), abs=0.01)
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1)):
        inside = (likes >= low) & (likes < high)
        assert likes[inside].mean() == pytest.approx(liked[inside].mean(), abs=0.08)
    # Rounded stars of 4 begin at 3.5: expected stars at the threshold are more than an even chance.
    right = np.mean((likes >= 0.5) == liked)
    assert right > np.mean((stars >= THRESHOLD) == liked) + 0.05


def test_the_same_stars_mean_more_from_who_likes_more() -> None:
    """Two users of the same mean: fives and ones, and threes only."""
    rows: list[Row] = [
        (user, f"m{movie:02d}", stars, 1)
        for movie in range(20)
        for user, stars in (("a", 5.0 if movie % 2 else 1.0), ("b", 3.0))
    ]
    data = encoded(rows)
    columns = Calibration(4.0, np.array([1.0, 0.5, 0.0]), -3.0).curve(data)
    often, never, unknown = columns(tf.range(3), tf.fill([3], 3.0)).numpy()
    assert often > unknown > never
    assert unknown == pytest.approx(0.5)


def test_what_teaches_nothing_makes_no_curve() -> None:
    data = encoded(random_rows(60, 5))
    stars = data.train.rating.astype(np.float64)
    assert Calibration.of(stars, data.train, data, 9.0) is None
    assert Calibration.of(stars, data.train, data, 0.5) is None
    # More stars are liked less: no probability rather than a wrong one.
    assert Calibration.of(-stars, data.train, data, 3.5) is None
    found = Calibration.of(stars, data.train, data, 3.5)
    assert found is not None
    assert found.weights[0] > 0
    ratings = bias_ratings(data)
    assert like_curve(ratings, data.validation, data, data, ModelConfig()) is None


def test_a_curve_says_what_the_stars_of_all_models_together_say() -> None:
    data = encoded(random_rows(60, 5))
    model = bayesian_ratings(data, ModelConfig(rating_draw_size=2), count=3, seed=0)
    ratings = FrozenRatings(
        [model], None, LikeCurve(2.0, np.linspace(-7, -5, data.sizes.users + 1))
    )
    users, movies = tf.range(data.sizes.users + 1), tf.fill([data.sizes.users + 1], 4)
    assert ratings.gives_likes
    log_odds = 2.0 * ratings.stars(users, movies) + np.linspace(-7, -5, data.sizes.users + 1)
    np.testing.assert_allclose(ratings.likes(users, movies), tf.sigmoid(log_odds), rtol=1e-5)
    assert not FrozenRatings([model]).gives_likes


@pytest.mark.slow
def test_the_default_output_is_exported_with_a_curve(tmp_path: Path) -> None:
    """Averaged over seeds and draws, and refitted: the first half of the movies gets 5 stars."""
    board = checkerboard()
    model = ModelConfig(
        retrieval_weight=0, rating_embedding_size=3, rating_draws=5, rating_draw_size=2
    )
    train = TrainConfig(epochs=3, batch_size=32, rating_learning_rate=0.05, seeds=2)
    folder = tmp_path / "model"
    train_and_export(board.data, board.users, model, train, None, folder, log_dir=tmp_path / "logs")
    assert probe(folder).reasons == ()
    served = ServedModel.load(folder)
    liked, other, unknown = (
        served.rate(user, movie).like
        for user, movie in (("u02", "m04"), ("u02", "m14"), ("who", "m04"))
    )
    assert liked is not None
    assert other is not None
    assert unknown is not None
    assert liked > 0.5 > other
    assert unknown > other

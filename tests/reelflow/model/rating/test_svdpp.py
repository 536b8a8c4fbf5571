"""The factor model: one formula, three ways to compute it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.rating import svdpp
from reelflow.model.rating.svdpp import SvdPlusPlus
from tests.encoded_data import Movie, Row, encoded, random_rows

GENRES = ("Comedy", "Drama", "War")
MOVIES = [Movie(f"m{i:02d}", GENRES[: i % 4], 1990 + i) for i in range(14)]
CONFIG = ModelConfig(rating_embedding_size=3)


def _model(data: EncodedData) -> SvdPlusPlus:
    """Every weight away from zero, the same whatever the ratings."""
    keras.utils.set_random_seed(0)
    model = SvdPlusPlus(data, CONFIG)
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape) / 2)
    return model


@pytest.fixture(scope="module")
def data() -> EncodedData:
    return encoded(random_rows(60, 5), movies=MOVIES)


def _by_hand(data: EncodedData, model: SvdPlusPlus, user: int, movie: int) -> float:
    """Koren's equation 15 with this model's additions, pair by pair."""
    train = data.train
    rated = train.movie_index[train.user_index == user]
    raters = train.user_index[train.movie_index == movie]
    shares = np.zeros(len(GENRES))
    for genre in data.catalogue.genres[movie]:
        shares[GENRES.index(genre)] = 1 / len(data.catalogue.genres[movie])

    def bag(table: tf.Variable, members: np.ndarray) -> np.ndarray:
        return table.numpy()[members].sum(axis=0) / np.sqrt(max(len(members), 1))

    counts = np.bincount(train.movie_index, minlength=len(MOVIES))
    popularity = np.log(1 + counts[movie]) - np.log(1 + counts[train.movie_index]).mean()
    traits = 0.5 * np.array([popularity, data.catalogue.year_scaled[movie]])
    user_side = model.user.numpy()[user] + bag(model.rated, rated)
    movie_side = model.movie.numpy()[movie] + bag(model.raters, raters)
    movie_side += shares @ model.genres.numpy() + traits @ model.traits.numpy()
    biases = model.user_bias.numpy()[user, 0] + model.movie_bias.numpy()[movie, 0]
    by_genre = model.user_genres.numpy()[user] @ shares
    by_trait = model.user_traits.numpy()[user] @ traits
    return float(biases + by_genre + by_trait + user_side @ movie_side)


def test_prediction_by_hand(data: EncodedData) -> None:
    model = _model(data)
    users, movies = np.array([0, 4, 8, 4, 0]), np.array([1, 13, 7, 3, 1])
    found = model(tf.constant(users), tf.constant(movies), training=False)
    expected = [_by_hand(data, model, u, m) for u, m in zip(users, movies, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert not model.losses


def test_tables_are_the_same_model(data: EncodedData) -> None:
    model = _model(data)
    tables = model.freeze()
    users, movies = (grid.ravel() for grid in np.mgrid[: data.sizes.users, : len(MOVIES)])
    direct = model(tf.constant(users), tf.constant(movies), training=False)
    np.testing.assert_allclose(tables.pairs(users, movies), direct, rtol=1e-4, atol=1e-5)
    whole = tables.catalogue(tf.range(data.sizes.users))
    np.testing.assert_allclose(whole, tf.reshape(direct, whole.shape), rtol=1e-4, atol=1e-5)


def test_the_unknown_user_is_the_mean_of_all_and_the_unknown_movie_nothing(
    data: EncodedData,
) -> None:
    model = _model(data)
    tables = model.freeze()
    everybody = tables.catalogue(tf.range(data.sizes.users + 1)).numpy()
    np.testing.assert_allclose(everybody[-1], everybody[:-1].mean(axis=0), rtol=1e-4, atol=1e-5)
    by_user = tf.linalg.matvec(tables.users[:-1], tables.movies[-1])
    np.testing.assert_allclose(by_user, model.user_bias[:-1, 0], rtol=1e-6)


@pytest.mark.parametrize("at", range(0, 24, 3))
def test_in_training_the_target_is_unseen(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prediction of a train pair is the one of a model that has never seen the pair."""
    rows = random_rows(24, 6, users=4, movies=8)
    kept: list[Row] = [(u, m, 3.0, t) for u, m, _, t in rows]  # the mean stays the same
    user, movie, _, _ = kept[at]
    rest = [row for i, row in enumerate(kept) if i != at]
    movies = MOVIES[:8]
    whole, without = encoded(kept, movies=movies), encoded(rest, movies=movies)
    # As all ratings move it, one moves it hardly, and tells nothing of itself.
    monkeypatch.setattr(svdpp, "usual_count", lambda counts, movies: 1.5)
    assert whole.sizes.users == without.sizes.users
    pair = tf.constant([int(user[1:])]), tf.constant([int(movie[1:])])
    in_training = _model(whole)(*pair, training=True)
    never_seen = _model(without)(*pair, training=False)
    np.testing.assert_allclose(in_training, never_seen, rtol=1e-4, atol=1e-5)


def test_l2_is_the_mean_over_the_batch(data: EncodedData) -> None:
    model = _model(data)
    users, movies = [3, 3, 1], [2, 5, 2]
    model(tf.constant(users), tf.constant(movies), training=True)

    def squares(table: tf.Variable, rows: list[int]) -> float:
        return float((table.numpy()[rows] ** 2).sum(axis=1).mean())

    factors = [
        (model.user, users), (model.user_genres, users), (model.raters, users),
        (model.movie, movies), (model.rated, movies),
    ]  # fmt: skip
    expected = [
        CONFIG.rating_l2 * sum(squares(*each) for each in factors),
        CONFIG.rating_l2 * squares(model.user_traits, users),
        CONFIG.rating_l2 * float((model.genres.numpy() ** 2).mean()),
        CONFIG.rating_l2 * float((model.traits.numpy() ** 2).mean()),
        CONFIG.rating_bias_l2
        * (squares(model.user_bias, users) + squares(model.movie_bias, movies)),
    ]
    assert [float(loss) for loss in model.losses] == pytest.approx(expected, rel=1e-5)

"""Day effects: what the time of a rating may add, and what it may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.fit import fit
from reelflow.model.rating.days import BINS, DayEffects, serving_day
from tests.encoded_data import Row, encoded

DAY = SECONDS_PER_DAY


def _at(user: str, movie: str, day: int, stars: float = 3.0) -> Row:
    return (user, movie, stars, 10 + day * DAY)


@pytest.fixture(scope="module")
def data() -> EncodedData:
    """User a on days 0 and 10, user b on days 4 and 59."""
    return encoded([_at("a", "m0", 0), _at("a", "m1", 10), _at("b", "m0", 4), _at("b", "m1", 59)])


def _effects(data: EncodedData) -> DayEffects:
    days = DayEffects(data, 0.1, "latest")
    days.user_day.assign([[1.0], [2.0], [3.0], [4.0], [100.0]])
    return days


def _times(*days: int) -> tf.Tensor:
    return tf.constant([10 + day * DAY for day in days], tf.int64)


def test_a_day_of_train_has_its_own_bias_and_no_other_day(data: EncodedData) -> None:
    found = _effects(data)(tf.constant([0, 0, 1, 1]), tf.constant([0] * 4), _times(0, 10, 4, 59))
    assert found.numpy().tolist() == [1, 2, 3, 4]
    users, times = tf.constant([0, 0, 0, 1, 2, 1]), _times(1, 59, 60, -5, 0, 4000)
    assert _effects(data)(users, tf.constant([0] * 6), times).numpy().tolist() == [0] * 6


def test_the_latest_time_is_the_users_last_rating(data: EncodedData) -> None:
    latest = _effects(data).served(tf.constant([0, 1, 2])).numpy()
    assert latest.tolist() == [10 + 10 * DAY, 10 + 59 * DAY, 10 + 59 * DAY]
    mean = DayEffects(data, 0.1, "mean").served(tf.constant([0, 1, 2])).numpy()
    assert mean.tolist() == [10 + 5 * DAY, 10 + 31.5 * DAY, 10 + 59 * DAY]


@pytest.mark.parametrize(
    ("days", "expected"), [((10, 60), "latest"), ((3, 60, 58), "mean"), ((), "latest")], ids=str
)
def test_stars_are_for_the_latest_day_where_validation_is_later(
    days: tuple[int, ...], expected: str
) -> None:
    train = [_at("a", "m0", 0), _at("a", "m1", 10), _at("b", "m0", 4), _at("b", "m1", 59)]
    users = ["a", "b", "b"]
    held_out = [_at(user, "m2", day) for user, day in zip(users, days, strict=False)]
    data = encoded(train, [*held_out, _at("new", "m2", 5)], movies=["m0", "m1", "m2"])
    assert serving_day(data) == expected


def test_validation_is_of_the_stars_as_served(tmp_path: Path) -> None:
    """By the rating's own day, the loss would be another one."""
    rows = [_at(f"u{u}", f"m{m}", u + m, 1.0 + (u * m) % 5) for u, m in np.ndindex(6, 8)]
    data = encoded([row for i, row in enumerate(rows) if i % 5], rows[::5])
    config = ModelConfig(retrieval_weight=0, rating_embedding_size=2)
    joint, history = fit(
        data, config, TrainConfig(seeds=1, epochs=1, rating_learning_rate=0.1), tmp_path
    )
    held_out = data.validation
    utilities = joint.rating_model(held_out.user_index, held_out.movie_index)
    error = float(joint.rating_model.loss(utilities, held_out.rating))
    assert history["val_rating_loss"] == pytest.approx([error], rel=1e-5)
    dated = joint.rating_model(
        held_out.user_index, held_out.movie_index, tf.constant(held_out.timestamp)
    )
    assert abs(float(joint.rating_model.loss(dated, held_out.rating)) - error) > 1e-4


def test_movies_have_bins_and_the_last_one_goes_on(data: EncodedData) -> None:
    days = _effects(data)
    days.user_day.assign(tf.zeros_like(days.user_day))
    days.movie_bin.assign(np.arange(3 * BINS, dtype=np.float32)[:, None])
    found = days(tf.constant([2] * 5), tf.constant([0, 1, 1, 1, 2]), _times(0, 0, 59, 900, -9))
    assert found.numpy().tolist() == [0, BINS, 2 * BINS - 1, 2 * BINS - 1, 2 * BINS]


def test_drift_is_the_signed_root_of_the_distance(data: EncodedData) -> None:
    days = _effects(data)
    days.user_day.assign(tf.zeros_like(days.user_day))
    days.drift.assign([[10.0], [0.0], [0.0]])
    found = days(tf.constant([0, 0]), tf.constant([0, 0]), _times(0, 10))
    np.testing.assert_allclose(found, [-(5**0.4), 5**0.4], rtol=1e-5)


@pytest.mark.slow
def test_moods_are_learned(tmp_path: Path) -> None:
    """On odd days all users give 5, on even days 1: only the day can tell.

    Held out as test: validation is as served, at the user's latest day, and would stop early.
    """
    rows = [
        _at(f"u{u}", f"m{m:02d}", (u + m) % 6, 5.0 if (u + m) % 2 else 1.0)
        for u, m in np.ndindex(8, 30)
    ]
    train, held_out = [r for i, r in enumerate(rows) if i % 7], rows[::7]
    data = encoded(train, test=held_out)
    config = ModelConfig(
        retrieval_weight=0, rating_day_effects=True, rating_embedding_size=2, rating_day="latest"
    )
    train = TrainConfig(
        seeds=1, epochs=30, rating_learning_rate=0.05, rating_decay=1.0, batch_size=32, patience=30
    )
    joint, _ = fit(data, config, train, tmp_path)
    rows_, model = data.test, joint.rating_model
    stars = model._output.stars(
        model(rows_.user_index, rows_.movie_index, tf.constant(rows_.timestamp))
    )
    np.testing.assert_allclose(stars, rows_.rating, atol=1.2)
    # Exported is the user's latest time, whatever the movie.
    users, movies = tf.range(8), tf.fill([8], 3)
    times = [data.train.timestamp[data.train.user_index == user].max() for user in range(8)]
    at_last = model(users, movies, tf.constant(times, tf.int64))
    np.testing.assert_allclose(model.freeze().pairs(users, movies), at_last, rtol=1e-4)


def test_without_timestamps_there_are_no_day_effects(tmp_path: Path) -> None:
    data = encoded([("a", "m0", 3.0, None), ("a", "m1", 4.0, None), ("b", "m0", 1.0, None)])
    config = ModelConfig(retrieval_weight=0, rating_day_effects=True, rating_embedding_size=2)
    joint, _ = fit(data, config, TrainConfig(seeds=1, epochs=1), tmp_path)
    assert not [w for w in joint.rating_model.weights if "user_day" in w.name]

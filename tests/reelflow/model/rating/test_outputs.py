"""Outputs by hand: what a utility is worth in stars, likes and loss."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig
from reelflow.model.rating.model import make_output
from reelflow.model.rating.outputs import LikeOutput, MeanOutput, OrdinalOutput

RATINGS = np.array([0.5, 1, 1, 2, 3, 3, 3, 4.5, 5, 5], np.float32)
LEVELS = [0.5, 1, 2, 3, 4.5, 5]
UTILITIES = tf.constant([-30.0, -2.0, -0.3, 0.0, 0.4, 3.0, 30.0])


def _ordinal() -> OrdinalOutput:
    return OrdinalOutput(RATINGS, like_threshold=3.5)


def _probabilities(output: OrdinalOutput, utility: float) -> np.ndarray:
    """Of each level, from the definition."""
    above = 1 / (1 + np.exp(output.thresholds().numpy() - utility))
    return -np.diff(np.concatenate([[1.0], above, [0.0]]))


def test_at_the_start_every_level_is_as_likely_as_in_train() -> None:
    shares = [np.mean(level == RATINGS) for level in LEVELS]
    np.testing.assert_allclose(_probabilities(_ordinal(), 0.0), shares, atol=1e-5)
    assert float(_ordinal().stars(tf.constant([0.0]))[0]) == pytest.approx(RATINGS.mean(), abs=1e-4)


def test_ordinal_expectations_stay_on_the_scale_and_grow() -> None:
    stars = _ordinal().stars(UTILITIES).numpy()
    assert (np.diff(stars) > 0).all()
    np.testing.assert_allclose(stars[[0, -1]], [0.5, 5.0], atol=1e-3)
    assert stars.min() >= 0.5
    assert stars.max() <= 5.0


def test_thresholds_keep_their_order_whatever_is_learned() -> None:
    output = _ordinal()
    for weight in output.trainable_weights:
        weight.assign(tf.random.stateless_normal(weight.shape, [1, 2]) * 20)
    assert (np.diff(output.thresholds().numpy()) >= 0).all()


@pytest.mark.parametrize("utility", [-3.0, 0.0, 2.5])
def test_ordinal_loss_is_the_likelihood_of_the_level(utility: float) -> None:
    output = _ordinal()
    for level, probability in zip(LEVELS, _probabilities(output, utility), strict=True):
        loss = output.loss(tf.constant([utility]), tf.constant([level], tf.float32), training=True)
        assert float(loss) == pytest.approx(-np.log(probability), rel=1e-3)


def test_ordinal_loss_of_far_utilities_is_a_number_with_a_gradient() -> None:
    utilities = tf.Variable([-80.0, 80.0])
    with tf.GradientTape() as tape:
        loss = _ordinal().loss(utilities, tf.constant([5.0, 0.5]), training=True)
    gradient = tape.gradient(loss, utilities).numpy()
    assert np.isfinite(float(loss))
    assert gradient[0] < 0 < gradient[1]


def test_validation_looks_at_stars() -> None:
    for output in (_ordinal(), MeanOutput(RATINGS)):
        stars = output.stars(UTILITIES[2:5])
        expected = np.mean((stars.numpy() - [1, 3, 5]) ** 2) / RATINGS.var()
        loss = output.loss(UTILITIES[2:5], tf.constant([1.0, 3.0, 5.0]), training=False)
        assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_ordinal_likes_are_the_levels_from_the_threshold_on() -> None:
    output = _ordinal()
    likes = output.likes(tf.constant([0.7])).numpy()[0]
    assert likes == pytest.approx(_probabilities(output, 0.7)[4:].sum(), rel=1e-4)
    everything = OrdinalOutput(RATINGS, 0.0).likes(UTILITIES).numpy()
    np.testing.assert_allclose(everything, 1.0)
    np.testing.assert_allclose(OrdinalOutput(RATINGS, 9.0).likes(UTILITIES).numpy(), 0.0)


def test_likes_are_worth_the_stars_of_either_side() -> None:
    output = LikeOutput(RATINGS, 3.0)
    assert output.intercept == pytest.approx(np.log(0.6 / 0.4), rel=1e-5)
    liked, disliked = RATINGS[RATINGS >= 3].mean(), RATINGS[RATINGS < 3].mean()
    stars = output.stars(tf.constant([-30.0, 0.0, 30.0])).numpy()
    np.testing.assert_allclose(stars, [disliked, (liked + disliked) / 2, liked], rtol=1e-5)
    loss = output.loss(tf.constant([1.0, 1.0]), tf.constant([3.0, 2.0]))
    expected = (np.log1p(np.exp(-1)) + np.log1p(np.exp(1))) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("threshold", "side"), [(0.5, "all"), (6.0, "none")])
def test_likes_need_both_sides(threshold: float, side: str) -> None:
    with pytest.raises(BadInput, match=f"{side} of the ratings") as refused:
        LikeOutput(RATINGS, threshold)
    assert "between 0.5 and 5" in str(refused.value.remedy)


@pytest.mark.parametrize("ratings", [np.linspace(0, 1, 60), np.full(5, 3.0)])
def test_ordinal_needs_a_few_levels(ratings: np.ndarray) -> None:
    config = ModelConfig(rating_output="ordinal")
    with pytest.raises(BadInput, match="levels") as refused:
        make_output(ratings.astype(np.float32), config)
    assert "'mean'" in str(refused.value.remedy)

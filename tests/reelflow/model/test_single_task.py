"""Models of one task, and every rating head: exported, they keep every promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.errors import BadInput
from reelflow.baselines.biases import Biases
from reelflow.config import ModelConfig, TrainConfig
from reelflow.model.export import export
from reelflow.model.fit import fit
from reelflow.model.signatures import ServingModel
from reelflow.saved_model.client import ServedModel, Signatures
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.probe import probe
from tests.encoded_data import checkerboard
from tests.reelflow.model.untrained import SMALL, served, untrained

BOARD = checkerboard(10, 12)
DATA = BOARD.data
RATING_ONLY = {"retrieval_weight": 0.0}


def _serving(**config: Any) -> ServingModel:
    """Untrained: promises do not depend on what was learned."""
    return served(untrained(DATA, **config), DATA, BOARD.users, **config)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        RATING_ONLY,
        {"rating_weight": 0.0},
        {"rating_head": "mlp"},
        {"rating_head": "mlp", "query": "user_id", "rating_share_embeddings": True},
        {**RATING_ONLY, "rating_head": "dcn"},
        {**RATING_ONLY, "rating_head": "like"},
        {**RATING_ONLY, "rating_output": "ordinal", "rating_day_effects": False},
    ],
    ids=str,
)
def test_the_exported_model_keeps_its_promises(config: dict[str, Any], tmp_path: Path) -> None:
    serving = _serving(**config)
    export(serving, DATA, BOARD.users, ModelInfo(), tmp_path)
    assert probe(tmp_path).reasons == ()
    likes = config.get("rating_head") == "like" or config.get("rating_output") == "ordinal"
    rated = ServedModel.load(tmp_path).rate(BOARD.users[0], "m01")
    assert (rated.like is not None) is likes


def _ask(serving: ServingModel, name: str, **inputs: Any) -> dict[str, np.ndarray]:
    return Signatures(serving.signatures()).call(name, inputs)


def test_a_rating_model_ranks_by_its_stars() -> None:
    serving, ratings = _serving(**RATING_ONLY), untrained(DATA, **RATING_ONLY).frozen_ratings()
    found = _ask(serving, "score", user_id=["u03", "who"], history=[["m01"]])
    assert found["source"].tolist() == [b"user", b"popularity"]
    np.testing.assert_allclose(found["score"][0], ratings.scores(tf.constant([3]))[0], rtol=1e-5)
    free = _ask(serving, "score", user_id=["u03"])
    unseen = np.where(free["seen"][0], -np.inf, free["score"][0])
    ids = [DATA.catalogue.movie_id[i].encode() for i in np.argsort(-unseen, kind="stable")[:3]]
    for order in ("blend", "retrieval"):
        best = _ask(serving, "serving_default", user_id=["u03"], k=3, order=order)
        assert best["movie_id"][0].tolist() == ids


def test_nothing_in_the_history_explains_a_rating_models_score() -> None:
    serving = _serving(**RATING_ONLY)
    told = _ask(serving, "explain", user_id=["u03"], movie_id=["m05"])
    score = _ask(serving, "score", user_id=["u03"])["score"][0]
    assert not told["weight"].any()
    assert told["rest"][0] == pytest.approx(score[DATA.catalogue.movie_id.index("m05")], rel=1e-5)


def test_a_like_classifier_tells_the_probability() -> None:
    config = {**RATING_ONLY, "rating_head": "like"}
    serving = _serving(**config)
    rated = _ask(serving, "rate", user_id=["u03", "who"], movie_id=["m05", "m05"])
    ratings = untrained(DATA, **config).frozen_ratings()
    likes = ratings.likes(tf.constant([3, 10]), tf.constant([5, 5])).numpy()
    np.testing.assert_allclose(rated["like"], likes, rtol=1e-5)
    ranked = _ask(serving, "score", user_id=["u03"])["score"]
    assert ((ranked > 0) & (ranked < 1)).all()
    assert ranked[0, 5] == pytest.approx(rated["like"][0], rel=1e-5)


def test_without_a_rating_task_stars_come_from_biases() -> None:
    serving = _serving(rating_weight=0.0)
    rated = _ask(serving, "rate", user_id=["u03", "who", "u03"], movie_id=["m05", "m05", "what"])
    pairs = np.array([3, 10, 3], np.int32), np.array([5, 5, 12], np.int32)
    np.testing.assert_allclose(rated["rating"], Biases.of(DATA).stars(*pairs), rtol=1e-5)
    assert "like" not in rated


def test_without_a_rating_task_nothing_is_blended() -> None:
    serving = _serving(rating_weight=0.0)
    blended, plain = (
        _ask(serving, "serving_default", user_id=["u03"], k=12, order=order)
        for order in ("blend", "retrieval")
    )
    assert blended["movie_id"].tolist() == plain["movie_id"].tolist()
    np.testing.assert_array_equal(blended["score"], plain["score"])


@pytest.mark.slow
def test_seeds_are_averaged(tmp_path: Path) -> None:
    config = ModelConfig(**{**SMALL, **RATING_ONLY}, rating_draws=0)
    train = TrainConfig(seeds=1, epochs=2, batch_size=16, seed=1)
    several, _ = fit(DATA, config, train.model_copy(update={"seeds": 2}), tmp_path)
    another, _ = fit(DATA, config, train.model_copy(update={"seed": 2}), tmp_path)
    users, movies = tf.constant([0, 4, 10]), tf.constant([1, 11, 3])
    first, second = several.rating_model.freeze(), another.rating_model.freeze()
    together = several.frozen_ratings()
    members = [one.output.stars(one.catalogue(users)).numpy() for one in (first, second)]
    assert not np.allclose(*members)
    np.testing.assert_allclose(together.scores(users), np.mean(members, axis=0), rtol=1e-5)
    pairs = [one.output.stars(one.pairs(users, movies)) for one in (first, second)]
    stars = np.mean(pairs, axis=0)
    np.testing.assert_allclose(together.stars(users, movies), np.clip(stars, 2, 5), rtol=1e-5)
    assert several.parameters == 2 * another.parameters


def test_seeds_need_weights_of_their_own(tmp_path: Path) -> None:
    config = ModelConfig(query="user_id", rating_head="mlp", rating_share_embeddings=True)
    joint, _ = fit(DATA, config, TrainConfig(epochs=1), tmp_path)
    assert not joint.further_rating_models
    with pytest.raises(BadInput, match=r"train\.seeds"):
        fit(DATA, config, TrainConfig(seeds=2), tmp_path)


def test_the_tasks_are_named() -> None:
    assert untrained(DATA).tasks == ["retrieval", "rating"]
    assert untrained(DATA, **RATING_ONLY).tasks == ["rating"]
    only = untrained(DATA, rating_weight=0.0)
    assert only.tasks == ["retrieval"]
    towers = only.query_tower.trainable_weights + only.candidate_tower.trainable_weights
    assert only.parameters == sum(weight.shape.num_elements() for weight in towers)

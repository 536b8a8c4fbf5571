"""Every head on worlds whose right answers are provable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, Tokens
from reelflow.model.fit import fit
from reelflow.model.rating.fields import (
    UNKNOWN_RATE,
    FieldEmbeddings,
    genre_fields,
    movie_field,
    token_fields,
    user_field,
    year_field,
)
from reelflow.model.rating.model import RATING_HEADS
from reelflow.model.rating.outputs import RATING_OUTPUTS
from reelflow.model.tasks import JointModel
from tests.encoded_data import Movie, Row, encoded, random_rows

TRAIN = TrainConfig(
    seeds=1, epochs=60, rating_learning_rate=0.02, rating_decay=1.0, batch_size=64, patience=60
)


def test_names_of_heads_and_outputs() -> None:
    heads, outputs = (
        get_args(ModelConfig.model_fields[key].annotation)
        for key in ("rating_head", "rating_output")
    )
    assert tuple(RATING_HEADS) == heads
    assert set(RATING_OUTPUTS) == {*outputs, *(h.output for h in RATING_HEADS.values() if h.output)}


def taste() -> tuple[EncodedData, list[Row]]:
    """5 stars within a colour, 1 star across: no sum of biases can tell, only a product."""
    random = np.random.default_rng(0)
    rows: list[Row] = [
        (f"u{u:02d}", f"m{m:02d}", 5.0 if u % 2 == m % 2 else 1.0, 1) for u, m in np.ndindex(24, 20)
    ]
    order = random.permutation(len(rows))
    train, held_out = ([rows[i] for i in part] for part in (order[:360], order[360:]))
    return encoded(train, held_out), held_out


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        {"rating_head": "svdpp", "rating_output": "ordinal"},
        {"rating_head": "mlp", "rating_l2": 0.0},
        {"rating_head": "dcn", "rating_l2": 0.0, "rating_cross_layers": 1, "rating_layers": ()},
        {"rating_head": "like", "rating_l2": 0.0},
    ],
    ids=lambda head: str(head["rating_head"]),
)
def test_taste_is_learned(head: dict[str, Any], tmp_path: Path) -> None:
    """The DCN without dense layers: the cross layer's product alone does it."""
    data, held_out = taste()
    config = ModelConfig(retrieval_weight=0, rating_embedding_size=8, **head)
    joint, _ = fit(data, config, TRAIN, tmp_path)
    ratings = joint.frozen_ratings()
    users = tf.constant([int(row[0][1:]) for row in held_out])
    movies = tf.constant([int(row[1][1:]) for row in held_out])
    liked = np.array([row[2] == 5.0 for row in held_out])
    stars = ratings.stars(users, movies).numpy()
    # AUC 1: every liked movie above every other one.
    assert stars[liked].min() > 3 > stars[~liked].max()
    assert stars.min() >= 1.0
    assert stars.max() <= 5.0
    if ratings.gives_likes:
        likes = ratings.likes(users, movies).numpy()
        assert likes[liked].min() > 0.5 > likes[~liked].max()
    # What recommendations rank by agrees.
    whole = ratings.scores(tf.range(24)).numpy()
    of_pairs = whole[users.numpy(), movies.numpy()]
    assert of_pairs[liked].min() > of_pairs[~liked].max()


GENRES = ("Comedy", "Drama", "War")
MOVIES = [Movie(f"m{i:02d}", GENRES[: i % 4], None if i == 5 else 1990 + i % 3) for i in range(14)]


@pytest.fixture(scope="module")
def data() -> EncodedData:
    rows = [row for row in random_rows(60, 5) if row[1] != "m03"]
    return encoded(rows, movies=MOVIES)


def _untrained(data: EncodedData, **config: Any) -> JointModel:
    keras.utils.set_random_seed(0)
    joint = JointModel(data, ModelConfig(retrieval_weight=0, rating_embedding_size=3, **config))
    joint.rating_model(tf.constant([0]), tf.constant([0]))
    return joint


@pytest.mark.parametrize("head", ["mlp", "dcn", "like"])
def test_what_is_exported_is_the_model(data: EncodedData, head: str) -> None:
    joint = _untrained(data, rating_head=head)
    frozen = joint.rating_model.freeze()
    users, movies = (grid.ravel() for grid in np.mgrid[: data.sizes.users, : len(MOVIES)])
    direct = joint.rating_model(tf.constant(users), tf.constant(movies), training=False)
    np.testing.assert_allclose(frozen.pairs(users, movies), direct, rtol=1e-4, atol=1e-5)
    twice = tf.constant([2, 0, 2])
    whole = frozen.catalogue(twice).numpy()
    expected = direct.numpy().reshape(data.sizes.users, -1)[[2, 0, 2]]
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    strangers = frozen.pairs(tf.constant([data.sizes.users]), tf.constant([len(MOVIES)]))
    assert np.isfinite(strangers.numpy()).all()
    assert frozen.head.directions.shape[0] == len(MOVIES)


def test_movies_without_ratings_are_the_unknown_movie_with_its_genres(data: EncodedData) -> None:
    assert movie_field(data).table.tolist() == [0, 1, 2, 14, *range(4, 15)]
    assert user_field(data).table.tolist() == list(range(data.sizes.users + 1))
    first, second = genre_fields(data, 2)
    assert first.table[:5].tolist() == [3, 0, 0, 0, 3]
    assert second.table[:5].tolist() == [3, 3, 1, 1, 3]
    years = year_field(data)
    assert years.table[[0, 1, 2, 3, 5, 14]].tolist() == [0, 1, 2, 0, 3, 3]


def test_strangers_are_trained_on_hidden_rows_only(data: EncodedData) -> None:
    keras.utils.set_random_seed(0)
    embeddings = FieldEmbeddings([movie_field(data), user_field(data)], 2, l2=0.5)
    users = tf.zeros([20_000], tf.int32)
    embedded = embeddings(users, users, training=True).numpy()
    plain = embeddings(users, users, training=False).numpy()
    hidden = (embedded != plain).any(axis=2).mean(axis=0)
    np.testing.assert_allclose(hidden, UNKNOWN_RATE, atol=0.005)
    [l2] = embeddings.losses or [None]
    assert l2 is None  # of the last call, which was no training
    embeddings(users, users, training=True)
    assert float(embeddings.losses[0]) == pytest.approx(
        0.5 * (embedded**2).sum(axis=(1, 2)).mean(), rel=0.01
    )


def test_cross_weights_are_the_norms_of_blocks(data: EncodedData) -> None:
    joint = _untrained(data, rating_head="dcn")
    weights = joint.rating_model.cross_weights()
    assert weights is not None
    assert weights.features == ["user", "movie", "genres", "year"]
    norms = np.array(weights.norms)
    kernel = next(
        w for w in joint.rating_model.weights if "cross" in w.name and w.shape == (12, 12)
    )
    assert norms[1, 2] == pytest.approx(np.linalg.norm(kernel.numpy()[3:6, 6:9]), abs=1e-4)


def test_embeddings_are_shared_with_the_towers(data: EncodedData, tmp_path: Path) -> None:
    """Both tasks move them, so they stop together, by the joint loss."""
    config = ModelConfig(
        embedding_size=4, query="user_id", rating_head="mlp", rating_share_embeddings=True
    )
    joint, history = fit(data, config, TrainConfig(seeds=1, epochs=1), tmp_path)
    assert list(joint.stages) == ["joint_loss"]
    assert {"joint_loss", "rating_loss", "retrieval_loss"} <= set(history)
    ids = {id(weight) for weight in joint.trainable_weights}
    assert joint.parameters == sum(w.shape.num_elements() for w in joint.trainable_weights)
    towers = joint.query_tower.trainable_weights + joint.candidate_tower.trainable_weights
    assert {id(weight) for weight in towers} < ids
    assert {id(w) for w in joint.rating_model.trainable_weights} <= ids
    users, movies = tf.constant([1, 2]), tf.constant([3, 4])
    frozen = joint.rating_model.freeze().pairs(users, movies)
    np.testing.assert_allclose(frozen, joint.rating_model(users, movies), rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"rating_head": "dcn"}, {"query": "both"}])
def test_sharing_needs_a_user_to_be_one_embedding(wrong: dict[str, str]) -> None:
    right = {"rating_head": "mlp", "query": "user_id", "rating_share_embeddings": True}
    with pytest.raises(ValueError, match="rating_share_embeddings"):
        ModelConfig.model_validate({**right, **wrong})


def test_the_dcn_meets_declared_features(data: EncodedData) -> None:
    words = ["age=25", "gender=F", "gender=M"]
    users, movies = data.sizes.users, len(data.catalogue)
    of_users = Tokens.from_pairs(words, np.array([0, 0, 1]), np.array([2, 0, 1]), users)
    of_movies = Tokens.from_pairs(["star=A", "star=B"], np.array([1, 1]), np.array([1, 0]), movies)
    data = replace(data, user_features=of_users, movie_features=of_movies)
    age, gender = token_fields(of_users, of_user=True)
    assert (age.name, age.categories, gender.name, gender.categories) == ("age", 2, "gender", 3)
    assert age.table[:3].tolist() == [0, 1, 1]
    assert gender.table[[0, 1, 2, -1]].tolist() == [1, 0, 2, 2]
    [star] = token_fields(of_movies, of_user=False)
    assert star.table[[0, 1]].tolist() == [2, of_movies.indices[0]]
    for switch, more in ((True, {"age", "gender", "star"}), (False, set())):
        joint = _untrained(data, rating_head="dcn", user_features=switch, movie_features=switch)
        weights = joint.rating_model.cross_weights()
        assert weights is not None
        named = weights.features
        assert set(named) == {"user", "movie", "genres", "year"} | more
        assert named.index("user") < named.index("movie")

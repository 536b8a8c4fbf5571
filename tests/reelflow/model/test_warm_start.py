"""Who stays keeps its vectors, row by row; who is new begins at a place that can be worked out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import ModelConfig, SplitConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, Tokens
from reelflow.model import weights as w
from reelflow.model.champion_weights import (
    ChampionWeights,
    TrainingRecord,
    Vocabularies,
    users_of,
)
from reelflow.model.fit import fit, fit_and_refit
from reelflow.model.tasks import RATING_LOSS, RETRIEVAL_LOSS, JointModel
from reelflow.model.warm_start import WeightTransfer, build, plan_start
from tests.encoded_data import Movie, Row, encoded, random_rows, user_vocabulary

SIZES = {"embedding_size": 6, "rating_embedding_size": 4, "history_length": 3}
HEADS: list[dict[str, Any]] = [
    {},
    {"rating_output": "ordinal"},
    {"rating_head": "mlp", "rating_layers": (5,)},
    {"rating_head": "dcn", "rating_layers": (5,)},
    {"rating_head": "like", "rating_layers": (5,)},
    {"rating_head": "mlp", "query": "user_id", "rating_share_embeddings": True},
    {"query_layers": (5,), "candidate_layers": (5,)},
    {"query": "sequence", "history_stars": True},
    {"query": "history", "movie_bias": False, "rating_day_effects": False},
    {"retrieval_weight": 0.0},
    {"rating_weight": 0.0},
]
TRAIN = TrainConfig(seeds=1, epochs=1, learning_rate=0.05, rating_learning_rate=0.05, batch_size=16)
DAY = 86_400


def movie(number: int) -> Movie:
    return Movie(f"m{number:02d}", ("Drama",) if number % 2 else ("Comedy", "Drama"), 1990 + number)


def by_day(rows: list[Row]) -> list[Row]:
    """The same ratings with days, not seconds, between them."""
    return [(u, m, stars, (time or 0) * DAY) for u, m, stars, time in rows]


BEFORE = by_day(random_rows(60, seed=1))
MOVIES = [movie(number) for number in range(14)]


def data_before() -> EncodedData:
    return encoded(BEFORE, BEFORE[:5], BEFORE[5:9], MOVIES)


def data_after() -> EncodedData:
    """A user and movies more, a user less, and another order of all vocabularies."""
    new = [("a-new-one", "m15", 4.0, 9 * DAY), ("u3", "m15", 2.0, 9 * DAY)]
    new += [("u3", "m16", 5.0, 9 * DAY)]
    kept = [row for row in BEFORE if row[0] != "u0"]
    return encoded([*kept, *new], kept[:5], kept[5:9], [movie(n) for n in range(17)][::-1])


BEFORE_USERS = user_vocabulary(BEFORE)
AFTER_USERS = ["a-new-one", *BEFORE_USERS[1:]]


def trained(data: EncodedData, config: ModelConfig, tmp_path: Path) -> ChampionWeights:
    """A champion of the users before."""
    joint, _ = fit(data, config, TRAIN, tmp_path)
    return ChampionWeights.of(
        joint,
        Vocabularies.of(data, BEFORE_USERS),
        TrainingRecord.of(SplitConfig(kind="random"), data),
    )


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ChampionWeights:
    """A champion of the default heads; not to be changed."""
    return trained(data_before(), ModelConfig(**SIZES), tmp_path_factory.mktemp("champion"))


def start_of(champion: ChampionWeights, data: EncodedData, users: list[str]) -> WeightTransfer:
    return WeightTransfer.of(champion, Vocabularies.of(data, users), data)


@pytest.mark.parametrize("change", HEADS, ids=str)
def test_every_trained_weight_has_a_name(change: dict[str, Any]) -> None:
    joint = JointModel(data_before(), ModelConfig(**{**SIZES, **change}))
    build(joint)
    named = [
        weight.variable for group in joint.named_weights().values() for weight in group.values()
    ]
    assert {id(v) for v in named} == {id(v) for v in joint.trainable_weights}


@pytest.mark.slow
@pytest.mark.parametrize("change", HEADS[::2], ids=str)
def test_who_stays_keeps_its_rows(change: dict[str, Any], tmp_path: Path) -> None:
    config = ModelConfig(**{**SIZES, **change})
    before, after = data_before(), data_after()
    champion = trained(before, config, tmp_path)
    joint = JointModel(after, config)
    start = start_of(champion, after, AFTER_USERS)
    assert start.apply(joint) == list(joint.named_weights())

    movies_before = [f.movie_id for f in MOVIES]
    movies_after = [movie(n).movie_id for n in range(17)][::-1]
    rated = {row[1] for row in BEFORE}
    words = {
        w.USERS: (BEFORE_USERS, AFTER_USERS, set(BEFORE_USERS)),
        w.MOVIES: (movies_before, movies_after, rated),
    }
    checked = set()
    for task, weights in joint.named_weights().items():
        for name, weight in weights.items():
            if weight.rows not in words or weight.columns is not None:
                continue
            old, new = champion.weights[task][name], weight.variable.numpy()
            old_words, new_words, learned = words[weight.rows]
            for word in learned & set(new_words):
                np.testing.assert_array_equal(
                    new[new_words.index(word)], old[old_words.index(word)], err_msg=f"{name} {word}"
                )
                checked.add((name, word))
    assert len(checked) > 10


def test_another_order_of_the_same_data_changes_no_answer(tmp_path: Path) -> None:
    """Every table at once, genre columns and day effects included: the same scores and stars."""
    config = ModelConfig(**SIZES)
    # Of ratings at the same time, the order of movies decides which one is the newer.
    rows_of_all = [(u, m, stars, at * DAY // 3) for at, (u, m, stars, _) in enumerate(BEFORE)]
    before, turned = (
        encoded(rows_of_all, rows_of_all[:5], movies=f) for f in (MOVIES, MOVIES[::-1])
    )
    joint, _ = fit(before, config, TRAIN, tmp_path)
    rows_before = Vocabularies.of(before, BEFORE_USERS)
    champion = ChampionWeights.of(
        joint, rows_before, TrainingRecord.of(SplitConfig(kind="random"), before)
    )
    again = JointModel(turned, config)
    start_of(champion, turned, BEFORE_USERS).apply(again)

    everybody, movies = tf.range(before.sizes.users), len(MOVIES)
    ends = joint.timelines.ends_now(everybody)
    scores, scores_again = (
        tf.matmul(m.query(everybody, ends), m.candidate_tower.catalogue(), transpose_b=True)
        for m in (joint, again)
    )
    np.testing.assert_allclose(scores_again.numpy()[:, ::-1], scores, atol=1e-5)
    rows = before.train
    stars = joint.rating_model(rows.user_index, rows.movie_index, rows.timestamp)
    turned_movies = (movies - 1 - rows.movie_index).astype(np.int32)
    stars_again = again.rating_model(rows.user_index, turned_movies, rows.timestamp)
    np.testing.assert_allclose(stars_again, stars, atol=1e-5)


def test_a_new_movie_begins_among_its_genres_and_a_new_user_at_the_mean(
    champion: ChampionWeights,
) -> None:
    after = data_after()
    joint = JointModel(after, ModelConfig(**SIZES))
    start_of(champion, after, AFTER_USERS).apply(joint)
    weights = joint.named_weights()
    # Biases are initialised with zeros, so that no noise is added to where newcomers begin.
    movies = [movie(n) for n in range(17)][::-1]
    rated = {row[1] for row in BEFORE}
    bias = weights["retrieval"]["candidate/bias"].variable.numpy()[:, 0]
    drama = [b for f, b in zip(movies, bias, strict=True) if f.movie_id in rated]
    comedy = [
        b for f, b in zip(movies, bias, strict=True) if f.movie_id in rated and "Comedy" in f.genres
    ]
    # Every movie is a drama in full or in half: means are weighted by these shares.
    shares = [0.5 if "Comedy" in f.genres else 1.0 for f in movies if f.movie_id in rated]
    mean_drama = float(np.average(drama, weights=shares))
    at = {f.movie_id: i for i, f in enumerate(movies)}
    assert bias[at["m15"]] == pytest.approx(mean_drama, abs=1e-5)
    expected = (mean_drama + float(np.mean(comedy))) / 2
    assert bias[at["m16"]] == pytest.approx(expected, abs=1e-5)

    user_bias = weights["rating"]["head/user_bias"].variable.numpy()[:, 0]
    assert user_bias[0] == pytest.approx(user_bias[1:-1].mean(), abs=1e-5)
    # In the query tower a newcomer is who strangers were taken for, but for the noise.
    tower = weights["retrieval"]["query/user"].variable.numpy()
    assert np.abs(tower[0] - tower[-1]).max() < 0.3
    assert np.abs(tower[0] - tower[-1]).max() > 0


def test_the_file_holds_everything(champion: ChampionWeights, tmp_path: Path) -> None:
    champion.save(tmp_path)
    read = ChampionWeights.load(tmp_path)
    assert read is not None
    assert read.record == champion.record
    assert read.vocabularies.words == champion.vocabularies.words
    np.testing.assert_array_equal(read.vocabularies.rated, champion.vocabularies.rated)
    assert read.vocabularies.calendar is not None
    assert champion.vocabularies.calendar is not None
    np.testing.assert_array_equal(
        read.vocabularies.calendar.keys, champion.vocabularies.calendar.keys
    )
    for task, weights in champion.weights.items():
        assert read.weights[task].keys() == weights.keys()
        for name, value in weights.items():
            np.testing.assert_array_equal(read.weights[task][name], value)
    assert users_of(tmp_path) == champion.vocabularies.words[w.USERS]
    assert ChampionWeights.load(tmp_path / "elsewhere") is None
    assert users_of(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding_size": 7}, "query/.* is 6 wide in the champion and 7 wide in this model"),
        ({"rating_head": "mlp"}, "champion and model differ in"),
    ],
)
def test_a_task_whose_weights_do_not_fit_starts_cold(
    change: dict[str, Any], words: str, champion: ChampionWeights, tmp_path: Path
) -> None:
    before = data_before()
    champion.save(tmp_path)
    config = ModelConfig(**{**SIZES, **change})
    plan = plan_start(tmp_path, before, BEFORE_USERS, config, SplitConfig(kind="random"))
    info = plan.info()
    assert info.warm is True
    assert info.cold_tasks is not None
    assert len(info.cold_tasks) == 1
    assert "starts cold" in plan.message()
    (reason,) = info.cold_tasks.values()
    assert re.search(words, reason)
    joint, _ = fit(before, config, TRAIN, tmp_path / "logs", plan.transfer)
    assert joint.trainable_weights


def test_a_task_with_tables_of_features_starts_cold(tmp_path: Path) -> None:
    """The weights' file has no words of single features to match the rows by."""
    movies = np.arange(len(MOVIES))
    features = Tokens.from_pairs(["director=A", "star=B"], movies, movies % 2, len(MOVIES))
    before = replace(data_before(), movie_features=features)
    config = ModelConfig(**{**SIZES, "rating_head": "dcn"})
    trained(before, config, tmp_path).save(tmp_path)
    plan = plan_start(tmp_path, before, BEFORE_USERS, config, SplitConfig(kind="random"))
    reason = "the words of head/director are not kept with the weights"
    assert plan.info().cold_tasks == {"rating": reason}
    joint, _ = fit(before, config, TRAIN, tmp_path / "logs", plan.transfer)
    assert joint.trainable_weights


def test_cold_starts_say_why(champion: ChampionWeights, tmp_path: Path) -> None:
    before = data_before()

    def sentence(folder: Path | None, change: dict[str, Any], split: SplitConfig) -> str:
        config = ModelConfig(**{**SIZES, **change})
        found = plan_start(folder, before, BEFORE_USERS, config, split)
        assert found.transfer is None
        assert found.info().as_json() == {"warm": False, "reason": found.cold_reason}
        return found.message()

    assert "there is no champion" in sentence(None, {}, SplitConfig(kind="random"))
    assert "left no weights" in sentence(tmp_path, {}, SplitConfig(kind="random"))
    champion.save(tmp_path)
    assert "split was another" in sentence(tmp_path, {}, SplitConfig(kind="random", seed=7))
    different = {"embedding_size": 7, "rating_embedding_size": 5}
    assert "7 wide" in sentence(tmp_path, different, SplitConfig(kind="random"))


def test_training_never_ends_worse_than_it_began(champion: ChampionWeights, tmp_path: Path) -> None:
    config, before = ModelConfig(**SIZES), data_before()
    start = start_of(champion, before, BEFORE_USERS)
    spoil = TrainConfig(
        seeds=1, epochs=1, learning_rate=5.0, rating_learning_rate=5.0, batch_size=16
    )
    joint, _ = fit(before, config, spoil, tmp_path, start)
    for task, weights in joint.named_weights().items():
        for name, weight in weights.items():
            np.testing.assert_array_equal(weight.variable.numpy(), champion.weights[task][name])


def test_the_second_training_begins_with_the_champion_too(tmp_path: Path) -> None:
    """No epoch was better than the champion, so both models are the champion, each on its days."""
    config = ModelConfig(**SIZES)
    late: list[Row] = [("u1", "m02", 3.0, 90 * DAY), ("u2", "m03", 4.0, 95 * DAY)]
    before = encoded(BEFORE, late, BEFORE[5:9], MOVIES)
    champion = trained(before, config, tmp_path)
    spoil = TrainConfig(
        seeds=1, epochs=2, learning_rate=5.0, rating_learning_rate=5.0, batch_size=16
    )
    start = start_of(champion, before, BEFORE_USERS)
    fitted = fit_and_refit(before, config, spoil, tmp_path, start)
    assert fitted.before_refit.best_epochs == {RETRIEVAL_LOSS: 0, RATING_LOSS: 0}
    for joint in (fitted.before_refit, fitted.joint):
        query = joint.named_weights()["retrieval"]["query/user"].variable.numpy()
        np.testing.assert_array_equal(query, champion.weights["retrieval"]["query/user"])
    assert len(fitted.data.train) == len(BEFORE) + len(late)


def test_loosened_movie_vectors_shrink_alike_and_nothing_else_does(
    champion: ChampionWeights,
) -> None:
    before, config = data_before(), ModelConfig(**SIZES)
    joint = JointModel(before, config)
    start = start_of(champion, before, BEFORE_USERS)
    start.shrink(joint, start.apply(joint), 0.5)
    rated = {row[1] for row in BEFORE}
    movies = [i for i, f in enumerate(MOVIES) if f.movie_id in rated]
    tower, old = joint.named_weights()["retrieval"], champion.weights["retrieval"]
    np.testing.assert_allclose(
        tower["candidate/movie"].variable.numpy()[movies], 0.5 * old["candidate/movie"][movies]
    )
    for name in ("query/user", "query/position_weights", "candidate/unrated_bias"):
        np.testing.assert_array_equal(tower[name].variable.numpy(), old[name])
    bias = tower["candidate/bias"].variable.numpy()
    np.testing.assert_array_equal(bias[movies], old["candidate/bias"][movies])


def test_further_seeds_begin_with_their_own_weights(tmp_path: Path) -> None:
    before, config = data_before(), ModelConfig(**SIZES)
    two = TRAIN.model_copy(update={"seeds": 2})
    joint, _ = fit(before, config, two, tmp_path)
    rows = Vocabularies.of(before, BEFORE_USERS)
    champion = ChampionWeights.of(
        joint, rows, TrainingRecord.of(SplitConfig(kind="random"), before)
    )
    assert set(champion.weights) == {"retrieval", "rating", "rating-1"}
    spoil = two.model_copy(update={"epochs": 1, "learning_rate": 5.0, "rating_learning_rate": 5.0})
    start = start_of(champion, before, BEFORE_USERS)
    again, _ = fit(before, config, spoil, tmp_path, start)
    kept = ChampionWeights.of(again, rows, champion.record)
    for task, weights in champion.weights.items():
        for name, value in weights.items():
            np.testing.assert_array_equal(kept.weights[task][name], value)

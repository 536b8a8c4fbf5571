"""Each of the Evaluator's guards is tripped by its own mistake, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import GateConfig
from reelflow.evaluation import guards
from reelflow.evaluation.metrics import Predictions
from reelflow.evaluation.predictions import TestRows
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import Guard, ModelInfo
from tests.encoded_data import Row, encoded

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

MOVIES = ["m0", "m1", "m2", "m3"]
TRAIN: list[Row] = [("a", "m0", 4.0, 1), ("b", "m1", 2.0, 2), ("c", "m2", 5.0, 3)]


@pytest.fixture(scope="module")
def rows(model: Trained) -> TestRows:
    ids = np.array([row[:2] for row in model.board.test], object)
    return TestRows(ids[:, 0], ids[:, 1], model.data.test)


@pytest.fixture(scope="module")
def signatures(model: Trained) -> Signatures:
    return Signatures(model.serving.signatures())


def _predictions(stars: list[float]) -> Predictions:
    ranks = np.ones(len(stars), np.int32)
    return Predictions(np.array(stars, np.float32), ranks, ranks)


def _test(rows: list[Row]) -> Any:
    data = encoded(TRAIN, test=rows, movies=MOVIES)
    return data.test, data


def test_a_good_model_passes_all(model: Trained, rows: TestRows, signatures: Signatures) -> None:
    info = ModelInfo(guards=[Guard("of_training", passed=True, detail="fine.")])
    found = guards.check(
        signatures, info, _predictions([1, 2, 3]), rows, model.data, GateConfig(), seed=0
    )
    assert [guard.name for guard in found] == [
        "of_training",
        "known_ids",
        "distinct_splits",
        "finite_predictions",
        "scores_vary",
        "ids_agree_with_ranks",
        "stars_vary",
    ]
    assert [guard.detail for guard in found if not guard.passed] == []


def test_what_training_has_noted_counts(
    model: Trained, rows: TestRows, signatures: Signatures
) -> None:
    failed = Guard("loss_below_chance", passed=False, detail="no.")
    info = ModelInfo(guards=[failed], tasks=["rating"])
    found = guards.check(
        signatures, info, _predictions([1, 2]), rows, model.data, GateConfig(), seed=0
    )
    assert [guard.refusal() for guard in found if not guard.passed] == [
        "Guard loss_below_chance: no."
    ]
    assert "scores_vary" not in [guard.name for guard in found]


@pytest.mark.parametrize(
    ("lost", "who"), [(("x", "m1"), "users"), (("a", "lost"), "movies")], ids=["users", "movies"]
)
def test_nothing_but_unknown_ids_is_an_error(lost: tuple[str, str], who: str) -> None:
    with pytest.raises(BadInput, match=f"All {who} of the test split are out of vocabulary"):
        guards.known_ids(*_test([(*lost, 3.0, 9)]))


def test_a_movie_of_the_catalogue_without_ratings_is_unknown_too() -> None:
    with pytest.raises(BadInput, match="All movies of the test split are out of vocabulary"):
        guards.known_ids(*_test([("a", "m3", 3.0, 9)]))


def test_the_hit_rate_is_told() -> None:
    guard = guards.known_ids(*_test([("a", "m1", 3.0, 9), ("x", "m1", 3.0, 9)]))
    assert guard.passed
    assert guard.detail == "of the test rows, 50.00% have known users, 100.00% have known movies."


def test_train_ratings_in_the_test_split_are_refused() -> None:
    rows, data = _test([("a", "m0", 4.0, 1), ("b", "m0", 4.0, 9), ("x", "m0", 4.0, 9)])
    guard = guards.distinct_splits(rows, data, max_shared=0.3)
    assert not guard.passed
    assert guard.detail.startswith("1 of 3 test rows (33.33%)")
    assert guards.distinct_splits(rows, data, max_shared=0.4).passed
    rows, data = _test([("a", "m1", 4.0, 1), ("a", "lost", 4.0, 1), ("a", "lost", 4.0, 2)])
    assert guards.distinct_splits(rows, data, max_shared=0).passed


def test_ratings_that_are_no_numbers_are_refused() -> None:
    assert guards.finite_predictions(_predictions([1, 2])).passed
    assert not guards.finite_predictions(_predictions([1, float("nan")])).passed


def test_the_same_stars_for_everything_are_refused() -> None:
    assert not guards.stars_vary(_predictions([3.5, 3.5, 3.5])).passed
    assert guards.stars_vary(_predictions([3.5, 3.4])).passed
    assert guards.stars_vary(_predictions([3.5])).passed


Scores = Callable[[int, int], np.ndarray[Any, Any]]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (lambda users, movies: np.full((users, movies), 0.1), "every movie has the same score"),
        (
            lambda users, movies: np.tile(np.arange(movies), (users, 1)),
            "every user has the same scores",
        ),
        (lambda users, movies: np.full((users, movies), np.nan), "not finite"),
    ],
    ids=["constant", "one for all", "diverged"],
)
def test_collapsed_embeddings_are_refused(scores: Scores, words: str, rows: TestRows) -> None:
    def score(user_id: tf.Tensor, **others: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f.SCORE: tf.constant(scores(len(user_id), 20), tf.float32)}

    guard = guards.scores_vary(Signatures({"score": score}), rows)
    assert not guard.passed
    assert words in guard.detail


def test_ids_that_contradict_the_ranks_are_refused(
    model: Trained, rows: TestRows, signatures: Signatures
) -> None:
    """A server whose ids are shifted by one: each is a movie, but another one."""
    movies = np.array([movie.movie_id.encode() for movie in model.board.movies], object)

    own = model.serving.signatures()

    def shifted(**request: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = own["serving_default"](**request)[f.MOVIE_ID].numpy()
        following = dict(zip(movies, np.roll(movies, 1), strict=True))
        return {f.MOVIE_ID: tf.constant([[following.get(i, b"") for i in row] for row in answer])}

    assert guards.ids_agree_with_ranks(signatures, rows, model.data).passed
    wrong = Signatures({**own, "serving_default": shifted})
    assert not guards.ids_agree_with_ranks(wrong, rows, model.data).passed


def test_movies_seen_in_train_are_not_served(model: Trained, signatures: Signatures) -> None:
    ids = np.array([row[:2] for row in model.board.train[:4]], object)
    rows = TestRows(ids[:, 0], ids[:, 1], model.data.train.take(np.arange(4)))
    guard = guards.ids_agree_with_ranks(signatures, rows, model.data)
    assert guard.passed
    assert "no test movie is left" in guard.detail

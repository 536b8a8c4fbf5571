"""The exported model, reloaded: who gets what, and what is never given out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model.ranking import LOWEST, exact_ranks, mask
from reelflow.saved_model import golden
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import SIGNATURES
from reelflow.saved_model.files import GOLDEN

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


@pytest.fixture(scope="module")
def signatures(saved_model: Path) -> Signatures:
    return Signatures.load(saved_model)


def _ask(signatures: Signatures, name: str = "serving_default", **inputs: Any) -> dict[str, Any]:
    return signatures.ask(name, inputs)


def test_every_user_gets_the_right_movies(model: Trained, signatures: Signatures) -> None:
    board = model.board
    found = _ask(signatures, user_id=board.users, k=20)
    assert found["source"] == ["user"] * len(board.users)
    for user, movies in zip(board.users, found["movie_id"], strict=True):
        answers, seen = board.right_answers(user), board.seen(user)
        assert set(movies[: len(answers)]) == answers
        assert not set(movies) & seen
        assert set(movies) == {movie.movie_id for movie in board.movies} - seen | {""}


def test_scores_are_the_models_own(model: Trained, signatures: Signatures) -> None:
    users = tf.constant([0, 5])
    queries = model.joint.query(users, model.joint.timelines.ends_now(users))
    scores = tf.matmul(queries, model.joint.candidate_tower.catalogue(), transpose_b=True)
    scores = mask(scores, model.joint.timelines.seen(users)).numpy()
    found = _ask(signatures, user_id=["u00", "u05"], k=4)
    np.testing.assert_allclose(found["score"], -np.sort(-scores, axis=1)[:, :4], rtol=1e-5)
    ids = np.array(model.data.catalogue.movie_id)[np.argsort(-scores, axis=1)[:, :4]]
    assert found["movie_id"] == ids.tolist()
    assert found["title"] == [[f"The title of {m}" for m in row] for row in ids]


def test_reloaded_answers_are_those_of_before(saved_model: Path, signatures: Signatures) -> None:
    recorded = golden.read(saved_model / GOLDEN)
    assert {each.signature for each in recorded} >= {
        "serving_default",
        "rate",
        "similar",
        "evaluate",
    }
    for each in recorded:
        _assert_same(signatures.ask(each.signature, each.inputs), each.outputs)


def test_the_graph_does_what_python_says(model: Trained, signatures: Signatures) -> None:
    """Step by step, outside of any graph, every signature has the same answer."""
    given = {
        "user_id": ["u00", "who"],
        "movie_id": ["m01", "m02"],
        "history": [["m04", ""]],
        "exclusions": [["m06", "m08"]],
        "timestamp": [103, 103],
        "k": 3,
    }
    in_python = Signatures(model.serving.signatures())
    for name, signature in SIGNATURES.items():
        inputs = {key: given[key] for key in signature.inputs}
        expected = signatures.ask(name, inputs)
        tf.config.run_functions_eagerly(True)
        try:
            _assert_same(in_python.ask(name, inputs), expected)
        finally:
            tf.config.run_functions_eagerly(False)


def _assert_same(answer: golden.Values, expected: golden.Values) -> None:
    assert set(answer) == set(expected)
    for name, values in expected.items():
        if np.asarray(values).dtype.kind == "f":
            np.testing.assert_allclose(answer[name], values, rtol=1e-5, atol=1e-6)
        else:
            assert answer[name] == values


def test_exclusions_are_left_out(model: Trained, signatures: Signatures) -> None:
    one, two = (sorted(model.board.right_answers(user)) for user in ("u00", "u01"))
    found = _ask(signatures, user_id=["u00", "u01"], exclusions=[one[:1], two[:1]], k=2)
    assert [set(movies) for movies in found["movie_id"]] == [set(one[1:]), set(two[1:])]
    # One row of exclusions is for everybody; unknown ones and padding are nothing.
    common = [[one[0], two[0], "no such movie", ""]]
    assert _ask(signatures, user_id=["u00", "u01"], exclusions=common, k=2) == found


@pytest.mark.parametrize(("k", "columns"), [(3, 3), ([1, 4], 4), (1, 1), (999, 20)])
def test_k_may_be_a_scalar_or_a_vector(signatures: Signatures, k: Any, columns: int) -> None:
    found = _ask(signatures, user_id=["u00", "u01"], k=k)
    for name in ("movie_id", "title", "score"):
        assert np.shape(found[name]) == (2, columns)


def test_the_tail_is_empty(model: Trained, signatures: Signatures) -> None:
    found = _ask(signatures, user_id=["u00"], k=20)
    left = 20 - len(model.board.seen("u00"))
    assert found["movie_id"][0][left:] == found["title"][0][left:] == [""] * (20 - left)
    assert found["score"][0][left:] == [LOWEST] * (20 - left)
    assert min(found["score"][0][:left]) > LOWEST


def test_a_stranger_is_known_by_its_history(model: Trained, signatures: Signatures) -> None:
    for colour in (0, 1):
        own = {f"m{m:02d}" for m in range(colour, 20, 2)}
        history = sorted(own)[:6]
        found = _ask(
            signatures, user_id=["stranger"], history=[["", *history, "no such movie"]], k=4
        )
        assert found["source"] == ["history"]
        assert set(found["movie_id"][0]) == own - set(history)


def test_a_stranger_without_history_gets_the_popular_movies(
    model: Trained, signatures: Signatures
) -> None:
    counts = np.bincount(model.data.train.movie_index, minlength=20)
    for history in ([[""]], [["no such movie", ""]]):
        found = _ask(signatures, user_id=["stranger", "u00"], history=history, k=20)
        assert found["source"] == ["popularity", "user"]
        movies = [int(movie_id[1:]) for movie_id in found["movie_id"][0]]
        assert sorted(movies) == list(range(20))
        assert (np.diff(counts[movies]) <= 0).all()


def test_movies_of_the_request_are_seen_by_a_known_user_too(signatures: Signatures) -> None:
    best = _ask(signatures, user_id=["u00"], k=1)["movie_id"][0]
    found = _ask(signatures, user_id=["u00"], history=[best], k=20)
    assert found["source"] == ["user"]
    assert best[0] not in found["movie_id"][0]


def test_rate(model: Trained, signatures: Signatures) -> None:
    inputs = {"user_id": ["u00", "u00", "u00", "who"], "movie_id": ["m02", "m18", "what", "m02"]}
    found = _ask(signatures, "rate", **inputs)
    assert found["known_user"] == [True, True, True, False]
    assert found["known_movie"] == [True, True, False, True]
    good, bad, unknown_movie, unknown_user = found["rating"]
    assert good > 4 > 3 > bad >= 2
    mean = model.data.train.rating.mean()
    assert unknown_movie == pytest.approx(mean, abs=1)
    assert unknown_user > mean
    assert all(2 <= stars <= 5 for stars in found["rating"])


def test_rate_is_the_rating_model(model: Trained, signatures: Signatures) -> None:
    users, movies = (grid.ravel() for grid in np.mgrid[:24, :20])
    direct = model.joint.rating_model(tf.constant(users), tf.constant(movies)).numpy()
    pairs = {"user_id": [f"u{u:02d}" for u in users], "movie_id": [f"m{m:02d}" for m in movies]}
    found = _ask(signatures, "rate", **pairs)["rating"]
    np.testing.assert_allclose(found, np.clip(direct, 2, 5), rtol=1e-4)


def test_similar_movies_have_the_same_colour(signatures: Signatures) -> None:
    movies = [f"m{m:02d}" for m in range(20)]
    found = _ask(signatures, "similar", movie_id=movies, k=9)
    for movie, similar in zip(movies, found["movie_id"], strict=True):
        assert set(similar) == {f"m{m:02d}" for m in range(int(movie[1:]) % 2, 20, 2)} - {movie}
    assert np.abs(found["score"]).max() <= 1 + 1e-6


def test_nothing_is_similar_to_an_unknown_movie(signatures: Signatures) -> None:
    found = _ask(signatures, "similar", movie_id=["what"], k=3)
    assert found["movie_id"] == found["title"] == [["", "", ""]]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluate_sees_the_history_that_the_encoder_saw(
    model: Trained, signatures: Signatures, split: str
) -> None:
    rows = getattr(model.data, split)
    joint, users = model.joint, tf.constant(rows.user_index)
    queries = joint.query(users, tf.constant(rows.history_end))
    scores = tf.matmul(queries, joint.candidate_tower.catalogue(), transpose_b=True)
    seen = joint.timelines.seen(users)
    raw, unseen = exact_ranks(scores, tf.constant(rows.movie_index), seen)
    found = _ask(
        signatures,
        "evaluate",
        user_id=[model.board.users[u] for u in rows.user_index],
        movie_id=[f"m{m:02d}" for m in rows.movie_index],
        timestamp=rows.timestamp.tolist(),
    )
    assert found["rank_raw"] == raw.numpy().tolist()
    assert found["rank_unseen"] == unseen.numpy().tolist()


def test_held_out_movies_rank_first(model: Trained, signatures: Signatures) -> None:
    rows = model.board.test
    ids = {"user_id": [row[0] for row in rows], "movie_id": [row[1] for row in rows]}
    found = _ask(signatures, "evaluate", **ids, timestamp=[row[3] for row in rows])
    assert max(found["rank_unseen"]) <= 3  # three movies are left of each colour
    assert max(found["rank_raw"]) <= 10


def test_evaluate_what_the_model_does_not_know(signatures: Signatures) -> None:
    found = _ask(
        signatures,
        "evaluate",
        user_id=["u00", "stranger", "stranger"],
        movie_id=["what", "what", "m00"],
        timestamp=[500, 500, 500],
    )
    assert found["rank_raw"][:2] == found["rank_unseen"][:2] == [21, 21]
    assert 1 <= found["rank_raw"][2] == found["rank_unseen"][2] <= 20


def test_an_empty_batch_has_an_empty_answer(signatures: Signatures) -> None:
    assert _ask(signatures, user_id=[])["movie_id"] == []
    assert _ask(signatures, "rate", user_id=[], movie_id=[])["rating"] == []


# `score`, `explain` and `timeline` against `serving_default` and the training data.


@pytest.mark.parametrize("history", [[[""]], [["", "first"]]])
def test_score_is_what_the_recommendations_are_made_of(
    model: Trained, signatures: Signatures, history: list[list[str]]
) -> None:
    movies = [*model.data.catalogue.movie_id]
    history = [[movie if movie in movies else movies[0] if movie else "" for movie in history[0]]]
    users = [model.board.users[0], "nobody"]
    whole = _ask(signatures, "score", user_id=users, history=history)
    best = _ask(signatures, "serving_default", user_id=users, history=history, k=len(movies))
    assert whole["source"] == best["source"]
    for row in range(len(users)):
        unseen = np.where(whole["seen"][row], -np.inf, whole["score"][row])
        order = [movies[i] for i in np.argsort(-unseen, kind="stable") if np.isfinite(unseen[i])]
        assert order == [movie for movie in best["movie_id"][row] if movie]
        np.testing.assert_allclose(
            -np.sort(-unseen)[: len(order)], best["score"][row][: len(order)]
        )


def test_an_explanation_sums_to_the_score(model: Trained, signatures: Signatures) -> None:
    movies = [*model.data.catalogue.movie_id]
    for user, history in [(model.board.users[1], ""), ("nobody", movies[2]), ("nobody", "")]:
        named = [[history, movies[0] if history else ""]]
        whole = _ask(signatures, "score", user_id=[user], history=named)
        why = _ask(
            signatures, "explain", user_id=[user] * len(movies), movie_id=movies, history=named
        )
        sums = np.sum(why["weight"], axis=1) + why["rest"]
        np.testing.assert_allclose(sums, whole["score"][0], rtol=1e-4, atol=1e-4)


def test_an_explanation_names_the_history_and_nothing_else(
    model: Trained, signatures: Signatures
) -> None:
    movies = [*model.data.catalogue.movie_id]
    why = _ask(
        signatures,
        "explain",
        user_id=["nobody"],
        movie_id=movies[:1],
        history=[["", movies[3], movies[5]]],
    )
    assert {movie for movie in why["movie_id"][0] if movie} == {movies[3], movies[5]}
    weights = why["weight"][0]
    assert weights[0] >= weights[1]
    assert not any(weights[2:])
    unknown = _ask(
        signatures, "explain", user_id=["nobody"], movie_id=["nothing"], history=[[movies[3]]]
    )
    assert not any(unknown["movie_id"][0])
    assert unknown["rest"] == [0.0]


def test_a_timeline_is_what_the_user_rated_newest_first(
    model: Trained, signatures: Signatures
) -> None:
    train, catalogue = model.data.train, model.data.catalogue
    mine = train.movie_index[train.user_index == 0]
    answer = _ask(signatures, "timeline", user_id=[model.board.users[0], "nobody"], k=3)
    assert answer["movie_id"][0] == [catalogue.movie_id[m] for m in mine[::-1][:3]]
    assert answer["movie_id"][1] == ["", "", ""]
    assert answer["count"] == [len(mine), 0]

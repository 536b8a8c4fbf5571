"""The exported model, reloaded: who gets what, and what is never given out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model.ranking import LOWEST
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


def _rated(model: Trained, user: str, as_judged: bool) -> set[str]:
    splits = (model.board.train, model.board.validation, model.board.test)
    return {row[1] for rows in splits[: 2 if as_judged else 3] for row in rows if row[0] == user}


@pytest.mark.parametrize("as_judged", [True, False])
def test_every_user_gets_the_right_movies(
    model: Trained, signatures: Signatures, as_judged: bool
) -> None:
    """First what is left of the user's colour, and nothing that the user has rated."""
    board = model.board
    request = {"user_id": board.users, "k": 20, "order": "retrieval", "as_judged": as_judged}
    found = _ask(signatures, **request)
    assert found["source"] == ["user"] * len(board.users)
    for user, movies in zip(board.users, found["movie_id"], strict=True):
        rated = _rated(model, user, as_judged)
        answers = board.right_answers(user) - rated
        assert len(answers) == 1 + as_judged
        assert set(movies[: len(answers)]) == answers
        assert set(movies) == {movie.movie_id for movie in board.movies} - rated | {""}


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
        "stars": [[5.0, np.nan]],
        "k": 3,
        "order": "blend",
        "min_rating": 1.0,
        "include_seen": [True, False],
        "allowed": [[True]],
        "as_judged": [False, True],
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
    """The other right answer is the movie of test, which may not be known."""
    users = ["u00", "u01"]
    one, two = (model.board.right_answers(u) - _rated(model, u, as_judged=False) for u in users)
    request = {"user_id": users, "order": "retrieval", "as_judged": True, "k": 1}
    found = _ask(signatures, **request, exclusions=[list(one), list(two)])
    assert found["movie_id"] == [[row[1]] for row in model.board.test[:2]]
    # One row of exclusions is for all; unknown ones and padding are nothing.
    common = [[*one, *two, "no such movie", ""]]
    assert _ask(signatures, **request, exclusions=common) == found


@pytest.mark.parametrize(("k", "columns"), [(3, 3), ([1, 4], 4), (1, 1), (999, 20)])
def test_k_may_be_a_scalar_or_a_vector(signatures: Signatures, k: Any, columns: int) -> None:
    found = _ask(signatures, user_id=["u00", "u01"], k=k)
    for name in ("movie_id", "title", "score"):
        assert np.shape(found[name]) == (2, columns)


def test_the_tail_is_empty(model: Trained, signatures: Signatures) -> None:
    found = _ask(signatures, user_id=["u00"], k=20)
    left = 20 - len(_rated(model, "u00", as_judged=False))
    assert found["movie_id"][0][left:] == found["title"][0][left:] == [""] * (20 - left)
    assert found["score"][0][left:] == [LOWEST] * (20 - left)
    assert min(found["score"][0][:left]) > LOWEST


def test_a_stranger_is_known_by_its_history(model: Trained, signatures: Signatures) -> None:
    for colour in (0, 1):
        own = {f"m{m:02d}" for m in range(colour, 20, 2)}
        history = sorted(own)[:6]
        found = _ask(
            signatures,
            user_id=["stranger"],
            history=[["", *history, "no such movie"]],
            order="retrieval",
            k=4,
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


def test_rate_is_the_mean_of_both_rating_models(model: Trained, signatures: Signatures) -> None:
    users, movies = (grid.ravel() for grid in np.mgrid[:24, :20])
    ratings = model.data.train.rating
    direct = model.joint.rating_model(tf.constant(users), tf.constant(movies)).numpy()
    bayesian = model.joint.bayesian_ratings
    assert bayesian is not None
    drawn = bayesian.pairs(tf.constant(users), tf.constant(movies))
    direct = (ratings.mean() + ratings.std() * direct + bayesian.output.stars(drawn).numpy()) / 2
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


@pytest.mark.parametrize("order", ["blend", "retrieval", "stars"])
def test_a_rank_is_the_place_in_the_list_that_is_served(
    model: Trained, signatures: Signatures, order: str
) -> None:
    """Of every movie and user: what is judged is what is served with the test hidden."""
    users, movies = [*model.board.users, "stranger"], [f"m{m:02d}" for m in range(20)]
    request = {"user_id": users, "k": 20, "order": order, "as_judged": True}
    everything = _ask(signatures, **request, include_seen=True)
    unseen = _ask(signatures, **request)
    found = _ask(
        signatures,
        "evaluate",
        user_id=np.repeat(users, 20).tolist(),
        movie_id=movies * len(users),
        order=order,
    )
    for row, user in enumerate(users):
        places = {movie: at for at, movie in enumerate(everything["movie_id"][row], start=1)}
        left = {movie: at for at, movie in enumerate(unseen["movie_id"][row], start=1)}
        for at, movie in enumerate(movies, start=20 * row):
            _assert_place(everything["score"][row], places[movie], found["rank_raw"][at])
            if movie in left:
                _assert_place(unseen["score"][row], left[movie], found["rank_unseen"][at])
            else:
                assert movie in _rated(model, user, as_judged=True)
                assert found["rank_unseen"][at] <= found["rank_raw"][at]


def _assert_place(scores: list[float], place: int, rank: int) -> None:
    """A rank is the last place among movies of the same score."""
    tied = np.flatnonzero(np.isclose(scores, scores[place - 1], rtol=1e-5, atol=1e-6))
    assert place <= rank <= tied.max() + 1


def test_a_history_since_counts_in_a_rank(signatures: Signatures) -> None:
    """Row by row: as the list of a request with that history, whose movies are seen."""
    users = ["u00", "u00", "u01", "stranger", "stranger"]
    movies = ["m02", "m02", "m07", "m04", "m04"]
    history = [["m04", "m06"], ["", ""], ["m03", ""], ["m08", "m10"], ["m09", ""]]
    stars = [[5.0, 1.0], [np.nan] * 2, [2.0, np.nan], [5.0, 5.0], [np.nan] * 2]
    found = _ask(
        signatures, "evaluate", user_id=users, movie_id=movies, history=history, stars=stars
    )
    for at, (user, movie) in enumerate(zip(users, movies, strict=True)):
        request = {"user_id": [user], "history": [history[at]], "stars": [stars[at]], "k": 20}
        request |= {"as_judged": True}
        everything = _ask(signatures, **request, include_seen=True)
        place = everything["movie_id"][0].index(movie) + 1
        _assert_place(everything["score"][0], place, found["rank_raw"][at])
        unseen = _ask(signatures, **request)
        if movie in unseen["movie_id"][0]:
            place = unseen["movie_id"][0].index(movie) + 1
            _assert_place(unseen["score"][0], place, found["rank_unseen"][at])
    assert found["rank_unseen"][3] != found["rank_unseen"][4]


def test_rows_of_a_batch_do_not_know_of_each_other(signatures: Signatures) -> None:
    users, movies = ["u03", "u01", "u03", "stranger", "u01"], ["m01", "m01", "m05", "m00", "m09"]
    together = _ask(signatures, "evaluate", user_id=users, movie_id=movies)
    for at, (user, movie) in enumerate(zip(users, movies, strict=True)):
        alone = _ask(signatures, "evaluate", user_id=[user], movie_id=[movie])
        for name in ("rank_raw", "rank_unseen"):
            assert together[name][at] == alone[name][0]
        assert together["rating"][at] == pytest.approx(alone["rating"][0], rel=1e-5)


def test_stars_are_those_of_rate(signatures: Signatures) -> None:
    """Whatever the history: the rating model knows the user by train alone."""
    ids = {"user_id": ["u00", "u07", "stranger"], "movie_id": ["m05", "m05", "m05"]}
    rated = _ask(signatures, "rate", **ids)["rating"]
    for extra in ({}, {"history": [["m01"]], "stars": [[1.0]]}, {"order": "stars"}):
        assert _ask(signatures, "evaluate", **ids, **extra)["rating"] == pytest.approx(rated)


def test_held_out_movies_rank_first(model: Trained, signatures: Signatures) -> None:
    rows = model.board.test
    ids = {"user_id": [row[0] for row in rows], "movie_id": [row[1] for row in rows]}
    found = _ask(signatures, "evaluate", **ids, order="retrieval")
    assert max(found["rank_unseen"]) <= 2  # two movies are left of each colour
    assert max(found["rank_raw"]) <= 10


def test_evaluate_what_the_model_does_not_know(signatures: Signatures) -> None:
    found = _ask(
        signatures,
        "evaluate",
        user_id=["u00", "stranger", "stranger"],
        movie_id=["what", "what", "m00"],
    )
    assert found["rank_raw"][:2] == found["rank_unseen"][:2] == [21, 21]
    assert 1 <= found["rank_raw"][2] == found["rank_unseen"][2] <= 20


def test_an_empty_batch_has_an_empty_answer(signatures: Signatures) -> None:
    assert _ask(signatures, user_id=[])["movie_id"] == []
    assert _ask(signatures, "rate", user_id=[], movie_id=[])["rating"] == []
    found = _ask(signatures, "evaluate", user_id=[], movie_id=[])
    assert found == {"rank_raw": [], "rank_unseen": [], "rating": []}
    assert _ask(signatures, "score", user_id=[])["score"] == []


# `score`, `explain` and `timeline` against `serving_default` and the training data.


@pytest.mark.parametrize("history", [[[""]], [["", "first"]]])
def test_score_is_what_the_recommendations_are_made_of(
    model: Trained, signatures: Signatures, history: list[list[str]]
) -> None:
    movies = [*model.data.catalogue.movie_id]
    history = [[movie if movie in movies else movies[0] if movie else "" for movie in history[0]]]
    users = [model.board.users[0], "nobody"]
    whole = _ask(signatures, "score", user_id=users, history=history)
    request = {"user_id": users, "history": history, "order": "retrieval"}
    best = _ask(signatures, "serving_default", **request, k=len(movies))
    assert whole["source"] == best["source"]
    for row in range(len(users)):
        unseen = np.where(whole["seen"][row], -np.inf, whole["score"][row])
        order = [movies[i] for i in np.argsort(-unseen, kind="stable") if np.isfinite(unseen[i])]
        assert order == [movie for movie in best["movie_id"][row] if movie]
        np.testing.assert_allclose(
            -np.sort(-unseen)[: len(order)], best["score"][row][: len(order)], rtol=1e-5, atol=1e-6
        )


def test_an_explanation_sums_to_the_final_score(model: Trained, signatures: Signatures) -> None:
    movies = [*model.data.catalogue.movie_id]
    for user, history in [(model.board.users[1], ""), ("nobody", movies[2]), ("nobody", "")]:
        named = [[history, movies[0] if history else ""]]
        request = {"user_id": [user], "history": named, "include_seen": True, "k": 20}
        listed = _ask(signatures, **request)
        scores = dict(zip(listed["movie_id"][0], listed["score"][0], strict=True))
        why = _ask(
            signatures, "explain", user_id=[user] * len(movies), movie_id=movies, history=named
        )
        sums = np.sum(why["weight"], axis=1) + why["rest"]
        expected = [scores[movie] for movie in movies]
        np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-4)


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
    """Validation and test ratings too, with the stars as they were given."""
    user = model.board.users[0]
    rows = [*model.board.train, *model.board.validation, *model.board.test]
    mine = sorted((row for row in rows if row[0] == user), key=lambda row: -(row[3] or 0))
    answer = _ask(signatures, "timeline", user_id=[user, "nobody"], k=3)
    assert answer["movie_id"] == [[row[1] for row in mine[:3]], ["", "", ""]]
    assert answer["title"][0] == [f"The title of {row[1]}" for row in mine[:3]]
    assert answer["rating"][0] == [row[2] for row in mine[:3]]
    assert np.isnan(answer["rating"][1]).all()
    assert answer["count"] == [len(mine), 0]

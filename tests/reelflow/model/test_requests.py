"""What requests know of their users, of a model whose weights are drawn.

Ratings of all splits, users that only validation or test has, and movies rated twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reelflow.encoding.encoded import EncodedData
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import ORDERS
from tests.encoded_data import Row, encoded, random_rows, user_vocabulary
from tests.reelflow.model.untrained import served, signatures_of, untrained

MOVIES = [f"m{i:02d}" for i in range(30)]
SIZES = {"users": 9, "movies": 30, "times": 40}
TRAIN = random_rows(70, 1, **SIZES)
VALIDATION: list[Row] = [
    *random_rows(12, 2, **SIZES),
    ("new both", "m03", 4.0, 9),
    ("new both", "m04", 1.0, 12),
    ("new validation", "m05", 2.0, 3),
]
TEST: list[Row] = [
    *random_rows(25, 3, **SIZES),
    ("new both", "m06", 5.0, 10),
    ("new test", "m00", 4.0, 8),
    ("new test", "m01", 1.0, 7),
]
USERS = user_vocabulary(TRAIN)
ALL_USERS = [*USERS, "new both", "new test", "new validation", "unknown"]
BY_TASKS = [{}, {"retrieval_weight": 0.0}, {"rating_weight": 0.0}, {"query": "user_id"}]


def _data(test: list[Row]) -> EncodedData:
    return encoded(TRAIN, VALIDATION, test, MOVIES)


def _rated(user: str, splits: tuple[list[Row], ...] = (TRAIN, VALIDATION, TEST)) -> set[str]:
    return {row[1] for rows in splits for row in rows if row[0] == user}


@pytest.fixture(scope="module")
def signatures() -> Signatures:
    return signatures_of(_data(TEST), USERS)


@pytest.mark.parametrize("config", BY_TASKS, ids=str)
def test_nothing_that_a_user_has_rated_is_recommended(config: dict[str, Any]) -> None:
    """Of all movies, in every order, whoever asks; judged, only the test ratings come back."""
    signatures = signatures_of(_data(TEST), USERS, **config)
    for order in ORDERS:
        for as_judged in (False, True):
            known = (TRAIN, VALIDATION) if as_judged else (TRAIN, VALIDATION, TEST)
            request = {"user_id": ALL_USERS, "k": len(MOVIES), "order": order}
            found = signatures.ask("serving_default", {**request, "as_judged": as_judged})
            for user, movies, seen in zip(ALL_USERS, found["movie_id"], found["seen"], strict=True):
                assert {movie for movie in movies if movie} == set(MOVIES) - _rated(user, known)
                assert not any(seen)


def test_seen_movies_are_marked_where_they_are_kept(signatures: Signatures) -> None:
    request = {"user_id": ALL_USERS, "k": len(MOVIES), "include_seen": True}
    for as_judged in (False, True):
        known = (TRAIN, VALIDATION) if as_judged else (TRAIN, VALIDATION, TEST)
        found = signatures.ask("serving_default", {**request, "as_judged": as_judged})
        whole = signatures.ask("score", {"user_id": ALL_USERS, "as_judged": as_judged})
        for row, user in enumerate(ALL_USERS):
            marked = zip(found["movie_id"][row], found["seen"][row], strict=True)
            assert {movie for movie, seen in marked if seen} == _rated(user, known)
            assert sorted(found["movie_id"][row]) == MOVIES
            in_order = zip(MOVIES, whole["seen"][row], strict=True)
            assert {movie for movie, seen in in_order if seen} == _rated(user, known)


@pytest.mark.parametrize("config", BY_TASKS, ids=str)
def test_as_judged_a_model_knows_what_it_would_without_the_test_split(
    config: dict[str, Any],
) -> None:
    """Same weights, no test ratings: every answer is the same, also of and to new users."""
    data, without = _data(TEST), _data([])
    joint = untrained(data, **config)
    judged = Signatures(served(joint, data, USERS, **config).signatures())
    ignorant = Signatures(served(joint, without, USERS, **config).signatures())
    wanted = {"history": [["m09", "m10"]], "stars": [[5.0, 1.0]]}
    for extra in ({}, wanted):
        for name, inputs in {
            "serving_default": {"user_id": ALL_USERS, "k": 30, **extra},
            "score": {"user_id": ALL_USERS, **extra},
        }.items():
            one = judged.ask(name, {**inputs, "as_judged": True})
            _assert_same(one, ignorant.ask(name, inputs))
        for movie in ("m00", "m06", "m09", "no such movie"):
            rows = {"user_id": ALL_USERS, "movie_id": [movie] * len(ALL_USERS), **extra}
            _assert_same(judged.ask("evaluate", rows), ignorant.ask("evaluate", rows))
    if not config:
        known = judged.ask("score", {"user_id": ALL_USERS})["score"]
        hidden = judged.ask("score", {"user_id": ALL_USERS, "as_judged": True})["score"]
        assert known != hidden


def _assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        if np.asarray(values).dtype.kind == "f":
            np.testing.assert_allclose(values, other[name], rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            assert values == other[name], name


def test_new_users_are_answered_from_what_they_have_rated_since(signatures: Signatures) -> None:
    """Judged, who only test has is answered by popularity: nothing else may be known."""
    new = ["new both", "new validation", "new test", "unknown"]
    found = signatures.ask("serving_default", {"user_id": new, "k": 30})
    assert found["source"] == ["history", "history", "history", "popularity"]
    judged = signatures.ask("serving_default", {"user_id": new, "k": 30, "as_judged": True})
    assert judged["source"] == ["history", "history", "popularity", "popularity"]
    assert judged["movie_id"][2] == judged["movie_id"][3] == found["movie_id"][3]
    # As good as a user without a name who sends the same history.
    history = {"history": [["m05"]], "stars": [[np.nan]]}
    named = signatures.ask("score", {"user_id": ["unknown"], **history})
    own = signatures.ask("score", {"user_id": ["new validation"]})
    np.testing.assert_allclose(own["score"], named["score"], rtol=1e-4, atol=1e-5)
    assert own["seen"] == named["seen"]


def test_stars_in_a_history_change_the_answer(signatures: Signatures) -> None:
    def scores(user: str, **inputs: Any) -> np.ndarray:
        history = {"history": [["m09", "m10"]], **inputs}
        return np.array(signatures.ask("score", {"user_id": [user], **history})["score"])

    for user in ("u0", "unknown", "new test"):
        plain = scores(user)
        good, bad = scores(user, stars=[[5.0, np.nan]]), scores(user, stars=[[0.5, np.nan]])
        for one, other in ((plain, good), (plain, bad), (good, bad)):
            assert not np.allclose(one, other)
        np.testing.assert_array_equal(plain, scores(user, stars=[[np.nan, np.nan]]))
        # One number is for the whole history.
        both = scores(user, stars=[[2.0, 2.0]])
        np.testing.assert_array_equal(scores(user, stars=[[2.0]]), both)


def test_a_model_without_histories_has_no_use_for_stars() -> None:
    data = _data(TEST)
    config = {"retrieval_weight": 0.0}
    signatures = Signatures(served(untrained(data, **config), data, USERS, **config).signatures())
    history = {"user_id": ["u0", "unknown"], "history": [["m09"]]}
    one = signatures.ask("score", {**history, "stars": [[5.0]]})
    assert one == signatures.ask("score", {**history, "stars": [[1.0]]})
    assert one["source"] == ["user", "popularity"]


def test_a_request_may_have_a_history_for_each_user(signatures: Signatures) -> None:
    users = ["u0", "u1", "unknown"]
    histories = [["m01", ""], ["", ""], ["m04", "m05"]]
    stars = [[4.0, np.nan], [np.nan, np.nan], [1.0, 5.0]]
    whole = signatures.ask("score", {"user_id": users, "history": histories, "stars": stars})
    for at, user in enumerate(users):
        alone = {"user_id": [user], "history": [histories[at]], "stars": [stars[at]]}
        one = signatures.ask("score", alone)
        np.testing.assert_allclose(whole["score"][at], one["score"][0], rtol=1e-4, atol=1e-5)
        assert whole["seen"][at] == one["seen"][0]
        assert whole["source"][at] == one["source"][0]


def _reasons(signatures: Signatures, user: str, **history: Any) -> dict[str, float]:
    """Movies that explain the scores of all movies, with the stars shown."""
    rows = {"user_id": [user] * len(MOVIES), "movie_id": MOVIES, **history}
    found = signatures.ask("explain", rows)
    shown = {
        movie: stars
        for movies, ratings in zip(found["movie_id"], found["rating"], strict=True)
        for movie, stars in zip(movies, ratings, strict=True)
        if movie
    }
    for movies in found["movie_id"]:
        named = [movie for movie in movies if movie]
        assert len(named) == len(set(named))
    return shown


@pytest.mark.parametrize("user", ALL_USERS)
def test_reasons_are_the_movies_that_were_liked(signatures: Signatures, user: str) -> None:
    """All of them, at or above the user's own mean, of everything that the user has rated."""
    rows = [row for split in (TRAIN, VALIDATION, TEST) for row in split if row[0] == user]
    visible = [row[2] for split in (TRAIN, VALIDATION) for row in split if row[0] == user]
    means = [np.mean(visible or [0.0]), np.mean([row[2] for row in rows] or [0.0])]
    worst = {row[1]: min(r[2] for r in rows if r[1] == row[1]) for row in rows}
    good = {movie for movie, stars in worst.items() if stars >= max(means) - 1e-6}
    shown = _reasons(signatures, user)
    assert set(shown) == good
    for movie, stars in shown.items():
        assert stars in {row[2] for row in rows if row[1] == movie}


def test_reasons_of_a_request(signatures: Signatures) -> None:
    """A request's own words count: what it dislikes is no reason, each movie is named once."""
    bad = min((row for row in TRAIN if row[0] == "u0"), key=lambda row: row[2])[1]
    good = max((row for row in TRAIN if row[0] == "u0"), key=lambda row: row[2])[1]
    plain = _reasons(signatures, "u0")
    new = next(movie for movie in MOVIES if movie not in _rated("u0"))
    assert good in plain
    assert bad not in plain
    assert _reasons(signatures, "u0", history=[[new]]).keys() == plain.keys() | {new}
    assert _reasons(signatures, "u0", history=[[new]], stars=[[0.5]]) == plain
    assert _reasons(signatures, "u0", history=[[new, new]], stars=[[5.0, 0.5]]) == plain
    twice = _reasons(signatures, "u0", history=[[new, new]], stars=[[0.5, 5.0]])
    assert twice == {**plain, new: 5.0}
    # The timeline knows better than a request without stars, and less than one with them.
    assert _reasons(signatures, "u0", history=[[bad, good]]) == plain
    assert _reasons(signatures, "u0", history=[[bad]], stars=[[5.0]]) == {**plain, bad: 5.0}
    without = _reasons(signatures, "u0", history=[[good]], stars=[[0.5]])
    assert without == {movie: stars for movie, stars in plain.items() if movie != good}


@pytest.mark.parametrize("config", [*BY_TASKS, {"query_layers": (6, 4)}], ids=str)
def test_weights_and_rest_sum_to_the_final_score(config: dict[str, Any]) -> None:
    signatures = signatures_of(_data(TEST), USERS, **config, candidates=30)
    for history in ({}, {"history": [["m09", "m02"]], "stars": [[5.0, 1.0]]}):
        for user in ALL_USERS:
            rows = {"user_id": [user] * len(MOVIES), "movie_id": MOVIES, **history}
            why = signatures.ask("explain", rows)
            request = {"user_id": [user], "k": 30, "include_seen": True, **history}
            listed = signatures.ask("serving_default", request)
            scores = dict(zip(listed["movie_id"][0], listed["score"][0], strict=True))
            sums = np.sum(why["weight"], axis=1) + why["rest"]
            np.testing.assert_allclose(
                sums, [scores[movie] for movie in MOVIES], rtol=1e-3, atol=1e-4
            )


def test_a_reason_weighs_what_the_score_loses_without_it() -> None:
    """Of the raw sums; a request's own history alone, as its only movie."""
    signatures = signatures_of(_data(TEST), USERS)
    rows = {"user_id": ["unknown"] * len(MOVIES), "movie_id": MOVIES, "history": [["m09"]]}
    why = signatures.ask("explain", rows)
    retrieval = signatures.ask("score", {"user_id": ["unknown"], "history": [["m09"]]})["score"][0]
    weights = np.array(why["weight"])[:, 0]
    # What is left of the retrieval score is the bias and the shift of the mean: no movie's.
    assert np.corrcoef(weights, retrieval)[0, 1] > 0.5
    assert {movies[0] for movies in why["movie_id"]} == {"m09"}


def test_hidden_splits_are_chosen_by_the_caller() -> None:
    """Mixing weights are chosen on validation ratings, so that these are hidden as well."""
    data = _data(TEST)
    joint = untrained(data)
    both = Signatures(served(joint, data, USERS, ("validation", "test")).signatures())
    alone = encoded(TRAIN, [], [], MOVIES)
    ignorant = Signatures(served(joint, alone, USERS).signatures())
    request = {"user_id": ALL_USERS, "k": 30}
    _assert_same(
        both.ask("serving_default", {**request, "as_judged": True}),
        ignorant.ask("serving_default", request),
    )

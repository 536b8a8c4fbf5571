"""What the inputs of `serving_default` choose: the order, the least stars, movies, knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reelflow.saved_model.client import Signatures

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


@pytest.fixture(scope="module")
def signatures(saved_model: Path) -> Signatures:
    return Signatures.load(saved_model)


def _ask(signatures: Signatures, name: str = "serving_default", **inputs: Any) -> dict[str, Any]:
    return signatures.ask(name, inputs)


def test_movies_are_in_the_order_of_their_scores(model: Trained, signatures: Signatures) -> None:
    users = ["u00", "u05"]
    scores = _final(model, signatures, users, model.mixture.blend)
    found = _ask(signatures, user_id=users, k=4)
    whole = _ask(signatures, "score", user_id=users)
    scores = np.where(whole["seen"], -np.inf, scores)
    ids = np.array(model.data.catalogue.movie_id)[np.argsort(-scores, axis=1)[:, :4]]
    left = np.isfinite(-np.sort(-scores, axis=1)[:, :4])
    np.testing.assert_allclose(
        np.array(found["score"])[left], -np.sort(-scores, axis=1)[:, :4][left], rtol=1e-4
    )
    assert found["movie_id"] == ids.tolist()
    assert found["title"] == [[f"The title of {m}" for m in row] for row in ids]


def _final(model: Trained, signatures: Signatures, users: list[str], weight: float) -> np.ndarray:
    """Final scores of all movies, by the signatures `score` and `rate` and a weight of stars."""
    movies = [f"m{m:02d}" for m in range(20)]
    retrieval = np.array(_ask(signatures, "score", user_id=users)["score"])
    pairs = {"user_id": np.repeat(users, 20).tolist(), "movie_id": movies * len(users)}
    stars = np.reshape(_ask(signatures, "rate", **pairs)["rating"], [len(users), 20])
    known = np.concatenate([model.data.train.rating, model.data.validation.rating])
    return retrieval + weight * (stars - known.mean()) / known.std()


@pytest.mark.parametrize("order", ["blend", "retrieval", "stars"])
def test_orders(model: Trained, signatures: Signatures, order: str) -> None:
    """Every movie with the score that its order means, and the stars that `rate` predicts."""
    users = ["u00", "u05", "u11"]
    found = _ask(signatures, user_id=users, k=20, order=order, include_seen=True)
    weights = {"blend": model.mixture.blend, "retrieval": 0.0, "stars": 1.0}
    scores = _final(model, signatures, users, weights[order])
    scores -= _final(model, signatures, users, 0.0) * (order == "stars")
    for row, user in enumerate(users):
        places = [int(movie[1:]) for movie in found["movie_id"][row]]
        np.testing.assert_allclose(found["score"][row], scores[row][places], rtol=1e-3, atol=1e-4)
        rated = _ask(signatures, "rate", user_id=[user] * 20, movie_id=found["movie_id"][row])
        np.testing.assert_allclose(found["rating"][row], rated["rating"], rtol=1e-5)


def test_the_least_stars(signatures: Signatures) -> None:
    """Half of the movies have 2 stars: a request for more does not get them."""
    everything = {"user_id": ["u00", "stranger"], "k": 20, "include_seen": True}
    for order in ("blend", "retrieval", "stars"):
        found = _ask(signatures, **everything, order=order, min_rating=3.5)
        plain = _ask(signatures, **everything, order=order)
        for row in range(2):
            pairs = zip(plain["movie_id"][row], plain["rating"][row], strict=True)
            kept = [movie for movie, stars in pairs if stars >= 3.5]
            assert found["movie_id"][row] == kept + [""] * (20 - len(kept))
    found = _ask(signatures, **everything, min_rating=[99.0, -99.0])
    assert not any(found["movie_id"][0])
    assert all(found["movie_id"][1])


def test_only_allowed_movies_are_in_a_list(model: Trained, signatures: Signatures) -> None:
    movies = [movie.movie_id for movie in model.board.movies]
    few = [movie in ("m03", "m04", "m11") for movie in movies]
    request = {"user_id": ["u00", "u01"], "k": 20, "include_seen": True}
    for found in (
        _ask(signatures, **request, allowed=[few]),
        _ask(signatures, **request, allowed=[few, few]),
    ):
        for row in found["movie_id"]:
            assert sorted(row) == [""] * 17 + ["m03", "m04", "m11"]
    each = _ask(signatures, **request, allowed=[few, [not one for one in few]])
    assert {movie for movie in each["movie_id"][1] if movie} == set(movies) - {"m03", "m04", "m11"}
    by_user = _ask(signatures, **request, allowed=[[True], [False]])
    assert all(by_user["movie_id"][0])
    assert not any(by_user["movie_id"][1])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 1)])
def test_inputs_of_each_request_may_have_any_shape(
    signatures: Signatures, shape: tuple[int, ...]
) -> None:
    """Clients of the row format send a value with each row."""
    values = {
        "k": 7,
        "order": "stars",
        "min_rating": 3.0,
        "include_seen": True,
        "as_judged": True,
    }
    users = ["u00", "u01", "stranger"]
    plain = _ask(signatures, user_id=users, **values)
    shaped = {name: np.full(shape, value).tolist() for name, value in values.items()}
    assert _ask(signatures, user_id=users, **shaped) == plain
    judged = _ask(signatures, "score", user_id=users, as_judged=True)
    assert _ask(signatures, "score", user_id=users, as_judged=shaped["as_judged"]) == judged


def test_each_request_has_its_own_inputs(signatures: Signatures) -> None:
    rows: list[dict[str, Any]] = [
        {"user_id": "u00", "order": "stars", "include_seen": True, "as_judged": False},
        {"user_id": "u00", "order": "blend", "include_seen": False, "as_judged": True},
        {"user_id": "u00", "order": "retrieval", "include_seen": False, "as_judged": False},
        {"user_id": "u01", "order": "blend", "include_seen": True, "as_judged": True},
    ]
    together = _ask(signatures, k=20, **{name: [row[name] for row in rows] for name in rows[0]})
    for at, row in enumerate(rows):
        alone = _ask(signatures, k=20, **{**row, "user_id": [row["user_id"]]})
        assert together["movie_id"][at] == alone["movie_id"][0]
        np.testing.assert_allclose(together["score"][at], alone["score"][0], rtol=1e-5)

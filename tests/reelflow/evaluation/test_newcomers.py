"""The curve of new users, against lists of a model that is known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reelflow.base import columns as f
from reelflow.evaluation.newcomers import UNHEARD, newcomers
from reelflow.evaluation.predictions import TestRows
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND
from tests.encoded_data import Row, encoded

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

MOVIES = [f"m{i:02d}" for i in range(40)]
USERS = 3


def _rows() -> tuple[list[Row], list[Row], list[Row]]:
    """User u rates m(10u) to m(10u + 5) in train, one in validation and two in test."""
    train, validation, test = [], [], []
    for user in range(USERS):
        own = [(f"u{user}", f"m{10 * user + i:02d}", float(i % 5 + 1), 100 + i) for i in range(9)]
        train += own[:6]
        validation += own[6:7]
        test += own[7:]
    return train, validation, test


class _Model:
    """Lists the movies of the ten that the last named movie is of; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def call(self, name: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        assert name == RECOMMEND
        self.asked.append(dict(inputs))
        lists = []
        for row in range(len(inputs[f.USER_ID])):
            history = inputs.get(f.HISTORY)
            tens = 3 if history is None else int(history[row][-1][1])
            left_out = set(inputs[f.EXCLUSIONS][row]) if f.EXCLUSIONS in inputs else set()
            lists.append([m for m in MOVIES[10 * tens : 10 * tens + 10] if m not in left_out])
        width = max(map(len, lists))
        padded = [[*(m.encode() for m in found), *[b""] * (width - len(found))] for found in lists]
        return {f.MOVIE_ID: np.array(padded, object)}


def _curve() -> tuple[_Model, Any]:
    train, validation, test = _rows()
    data = encoded(train, validation, test, MOVIES)
    ids = np.array([row[:2] for row in test], object)
    rows = TestRows(ids[:, 0], ids[:, 1], data.test)
    model = _Model()
    found = newcomers(model, rows, data, seed=0)  # type: ignore[arg-type]
    return model, found


def test_the_curve_counts_places_in_the_lists() -> None:
    _, found = _curve()
    assert (found.users, found.rows) == (USERS, 2 * USERS)
    assert [point.named for point in found.curve] == [0, 1, 3, 5, None]
    hits = [point.metrics["unseen/top_10"] for point in found.curve]
    assert hits == [0, 1, 1, 1, 0]
    # What was rated before does not compete: m07 and m08 are the first two of their ten.
    expected = (1 / np.log2(2) + 1 / np.log2(3)) / 2
    assert found.curve[1].metrics["unseen/ndcg_10"] == pytest.approx(expected)
    assert found.curve[1].intervals["unseen/top_10"] == (1.0, 1.0)


def test_nobody_names_the_first_movies_with_their_stars() -> None:
    model, _ = _curve()
    *named, known = model.asked
    assert all(set(asked[f.USER_ID]) == {UNHEARD} for asked in named)
    assert f.HISTORY not in named[0]
    three = named[2]
    assert sorted(three[f.HISTORY].tolist())[0] == ["m00", "m01", "m02"]
    np.testing.assert_array_equal(three[f.STARS][0], [1, 2, 3])
    assert sorted(known[f.USER_ID]) == ["u0", "u1", "u2"]
    assert known[f.AS_JUDGED] is True


def test_without_users_of_enough_ratings_there_is_no_curve() -> None:
    train: list[Row] = [("u0", "m00", 3.0, 1), ("u0", "m01", 3.0, 2)]
    test: list[Row] = [("u0", "m02", 3.0, 3)]
    data = encoded(train, (), test, MOVIES)
    rows = TestRows(np.array(["u0"], object), np.array(["m02"], object), data.test)
    assert newcomers(_Model(), rows, data, seed=0) is None  # type: ignore[arg-type]


def test_of_a_trained_model_each_named_movie_tells_the_colour(model: Trained) -> None:
    ids = np.array([row[:2] for row in model.board.test], object)
    rows = TestRows(ids[:, 0], ids[:, 1], model.data.test)
    found = newcomers(Signatures(model.serving.signatures()), rows, model.data, seed=0)
    assert found is not None
    nothing, one, *_, known = found.curve
    assert known.metrics["unseen/top_10"] == 1
    assert one.metrics["unseen/ndcg_10"] > nothing.metrics["unseen/ndcg_10"]

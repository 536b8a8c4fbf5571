"""The linear model of neighbours in time against ridge regression row by row."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.config import ModelConfig
from reelflow.model.neighbours import HALF_LIFE, NeighbourLearner
from tests.encoded_data import Row, encoded
from tests.reelflow.model.test_directed import DATA, MOVIES, RIDGE
from tests.reelflow.model.test_items import asked_of


@pytest.mark.parametrize("movies_max", [8, 4096])
def test_weights_are_those_of_the_regression(movies_max: int) -> None:
    counts = DATA.rating_counts
    kept = sorted(np.argsort(-counts, kind="stable")[:movies_max].tolist())
    kept = [movie for movie in kept if counts[movie]]
    inputs, targets = [], []
    for user in range(DATA.sizes.users):
        movies = DATA.train.movie_index[DATA.offsets[user] : DATA.offsets[user + 1]].tolist()
        own = [kept.index(movie) for movie in dict.fromkeys(movies) if movie in kept]
        for t, movie in enumerate(own):
            row, scale = np.zeros(len(kept)), len(own) ** -0.25
            for j, other in enumerate(own):
                if j != t:
                    row[other] += 2.0 ** (-abs(t - j) / HALF_LIFE)
            inputs.append(scale * row)
            targets.append(scale * np.eye(len(kept))[movie])
    x, y = np.array(inputs), np.array(targets)
    expected = np.linalg.solve(x.T @ x + RIDGE * np.eye(len(kept)), x.T @ y)
    np.fill_diagonal(expected, 0.0)
    learner = NeighbourLearner(DATA, ModelConfig(item_movies=movies_max))
    learned = learner.learn({"ridge": RIDGE, "opinion": 0.5})
    history = [(0, kept[1], 1.0), (0, kept[3], -0.5), (1, MOVIES, 0.0)]
    scores = learned.scores(asked_of(2, history)).numpy()
    whole = np.zeros(MOVIES)
    whole[kept] = 1.5 * expected[1] + 0.75 * expected[3]
    np.testing.assert_allclose(scores[0], whole, rtol=1e-3, atol=1e-5)
    assert not scores[1].any()


def test_what_stands_side_by_side_is_first() -> None:
    """Everybody has rated all of a circle of movies, one after the other, from anywhere."""
    rows: list[Row] = [
        (f"u{user:02d}", f"m{(user + at) % 12:02d}", 3.0, at)
        for user in range(12)
        for at in range(12)
    ]
    learner = NeighbourLearner(encoded(rows), ModelConfig())
    learned = learner.learn({"ridge": 0.1, "opinion": 0.0})
    for movie in range(12):
        scores = learned.scores(asked_of(1, [(0, movie, 0.0)])).numpy()[0]
        assert set(np.argsort(-scores)[:2].tolist()) == {(movie - 1) % 12, (movie + 1) % 12}

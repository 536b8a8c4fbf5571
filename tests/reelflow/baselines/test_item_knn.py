"""Cosine neighbours against a loop."""

from __future__ import annotations

import numpy as np

from reelflow.baselines import base
from reelflow.baselines.base import rated
from reelflow.baselines.item_knn import ItemKNN
from tests.encoded_data import encoded, random_rows


def _by_hand(ones: np.ndarray, neighbours: int, shrinkage: float) -> np.ndarray:
    both = ones.T @ ones
    raters = np.diag(both)
    weights = both / (np.sqrt(np.outer(raters, raters)) + shrinkage)
    np.fill_diagonal(weights, 0)
    for row in weights:
        row[np.argsort(row)[:-neighbours]] = 0
    return ones @ weights.T


def test_scores_are_sums_of_similarities(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(base, "BLOCK_CELLS", 40)  # blocks of a few movies
    data = encoded(random_rows(60, seed=1))
    ones = rated(data).toarray()
    model = ItemKNN(neighbours=13, shrinkage=2.0)
    model.fit(data)
    users = np.arange(data.sizes.users, dtype=np.int32)
    np.testing.assert_allclose(model.scores(users), _by_hand(ones[:-1], 13, 2.0), rtol=1e-5)


def test_only_the_nearest_count() -> None:
    # m0 and m1 share three users, m0 and m2 one: with one neighbour, m2 says nothing of m0.
    rows = [(f"u{i}", movie, 4.0, 1) for i in range(3) for movie in ("m0", "m1")]
    rows += [("u2", "m2", 4.0, 2), ("u3", "m2", 4.0, 1), ("u4", "m1", 4.0, 1)]
    model = ItemKNN(neighbours=1, shrinkage=0.0)
    model.fit(encoded(rows))
    scores = model.scores(np.array([3, 4], np.int32))
    assert scores[0, 0] == 0
    assert scores[1, 0] > 0


def test_one_movie_alone_has_no_neighbours() -> None:
    model = ItemKNN()
    model.fit(encoded([("u0", "m0", 4.0, 1)]))
    np.testing.assert_array_equal(model.scores(np.array([0], np.int32)), [[0]])
    assert model.parameters == 0

"""The directed linear model against ridge regression row by row, and where order is all."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.baselines.directed import HALF_LIVES, DirectedSums
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.directed import DirectedLearner
from tests.encoded_data import Row, encoded, random_rows
from tests.reelflow.model.test_items import asked_of

MOVIES = 16
ROWS = random_rows(150, 4, users=12, movies=14, times=60, distinct=False)
DATA = encoded(ROWS, movies=[f"m{i:02d}" for i in range(MOVIES)])
"""Some pairs come twice; two movies have no ratings."""
RIDGE = 2.0


def _by_rows(
    data: EncodedData, kept: list[int], latest: int = 500, inputs: np.ndarray | None = None
) -> np.ndarray:
    """Regress each movie on the decayed sums, or some of them, of those before it, row by row."""
    sums, targets = [], []
    for user in range(data.sizes.users):
        own: list[int] = []
        for movie in data.train.movie_index[data.offsets[user] : data.offsets[user + 1]]:
            if movie in kept and movie not in own:
                own.append(int(movie))
        own = own[-latest:]
        for t in range(len(own) - 1):
            row = np.zeros([len(HALF_LIVES), len(kept)])
            for j in range(t + 1):
                for kind, half_life in enumerate(HALF_LIVES):
                    row[kind, kept.index(own[j])] += 2.0 ** (-(t - j) / half_life)
            target = np.zeros(len(kept))
            target[kept.index(own[t + 1])] = 1.0
            scale = len(own) ** -0.25
            sums.append(scale * row.ravel())
            targets.append(scale * target)
    x, y = np.array(sums), np.array(targets)
    x = x if inputs is None else x[:, inputs]
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)


@pytest.mark.parametrize("movies_max", [8, 4096])
def test_weights_are_those_of_the_regression(movies_max: int) -> None:
    learner = DirectedLearner(DATA, ModelConfig(item_movies=movies_max))
    learned = learner.learn({"ridge": RIDGE})
    counts = DATA.rating_counts
    kept = sorted(np.argsort(-counts, kind="stable")[:movies_max].tolist())
    kept = [movie for movie in kept if counts[movie]]
    expected = np.split(_by_rows(DATA, kept), len(HALF_LIVES))
    history = [(0, 3, 0.0), (0, 5, 0.0), (0, 1, 0.0), (1, MOVIES, 0.0)]
    ages = [4, 0, 11, 0]
    scores = learned.scores(asked_of(2, history, ages)).numpy()
    whole = np.zeros(MOVIES)
    for (_, movie, _), age in zip(history[:3], ages, strict=False):
        for weights, half_life in zip(expected, HALF_LIVES, strict=True):
            if movie in kept:
                whole[kept] += 2.0 ** (-age / half_life) * weights[kept.index(movie)]
    np.testing.assert_allclose(scores[0], whole, rtol=1e-3, atol=1e-5)
    assert not scores[1].any()


def test_only_the_latest_movies_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelflow.baselines.directed.LATEST", 4)
    learned = DirectedLearner(DATA, ModelConfig()).learn({"ridge": RIDGE})
    kept = np.flatnonzero(DATA.rating_counts).tolist()
    expected = sum(_by_rows(DATA, kept, latest=4)[kind * len(kept)] for kind in (0, 1))
    scores = learned.scores(asked_of(1, [(0, kept[0], 0.0)], [0])).numpy()[0]
    np.testing.assert_allclose(scores[kept], expected, rtol=1e-3, atol=1e-5)


def test_rare_movies_may_follow_but_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelflow.baselines.directed.FEW", 4)
    monkeypatch.setattr("reelflow.baselines.directed.LEAST_RATINGS", 11)
    counts = DATA.rating_counts
    kept = np.flatnonzero(counts)
    rare, often = (np.flatnonzero(mask) for mask in (counts[kept] < 11, counts[kept] >= 11))
    assert len(rare)
    assert len(often)
    near, far = DirectedSums(DATA, kept.astype(np.int32)).solve(RIDGE)
    for weights in (near, far):
        assert not weights[rare].any()
    monkeypatch.setattr("reelflow.baselines.directed.FEW", 1024)
    whole = np.concatenate(DirectedSums(DATA, kept.astype(np.int32)).solve(RIDGE))
    assert whole[rare].any()
    # The regression on the others alone.
    rows = np.concatenate([often, often + len(kept)])
    expected = _by_rows(DATA, kept.tolist(), inputs=rows)
    np.testing.assert_allclose(np.concatenate([near, far])[rows], expected, rtol=1e-3, atol=1e-5)


def test_shares_are_the_terms_of_the_scores() -> None:
    learned = DirectedLearner(DATA, ModelConfig(item_movies=9)).learn({"ridge": RIDGE})
    rated = np.array([[3, 5, 1, MOVIES], [7, 8, 9, 2]], np.int32)
    history = [(row, int(movie), 0.0) for row in (0, 1) for movie in rated[row]]
    asked = asked_of(2, history, [2, 1, 0, 0, 9, 6, 3, 0])
    scores = learned.scores(asked).numpy()
    movies = tf.tile(tf.range(MOVIES)[None], [2, 1])
    shares = learned.shares(asked, tf.constant(rated), movies).numpy()
    np.testing.assert_allclose(shares.sum(axis=2), scores, rtol=1e-3, atol=1e-6)
    assert (shares[0, :, 3] == 0).all()


def test_what_always_follows_is_first() -> None:
    """All users go round the same circle of movies, from different starts."""
    rows: list[Row] = [
        (f"u{user}", f"m{(user + at) % 8}", 3.0, at) for user in range(8) for at in range(6)
    ]
    data = encoded(rows)
    learned = DirectedLearner(data, ModelConfig()).learn({"ridge": 0.1})
    for last in range(8):
        history = [(0, (last - age) % 8, 0.0) for age in range(4)]
        scores = learned.scores(asked_of(1, history, [0, 1, 2, 3])).numpy()[0]
        assert int(scores.argmax()) == (last + 1) % 8

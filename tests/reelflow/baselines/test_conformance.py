"""What every baseline must do. A new one is held to this by its entry in BASELINES."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from reelflow.baselines import BASELINES, Baseline
from reelflow.encoding.encoded import EncodedData, Float32
from tests.encoded_data import Checkerboard, checkerboard, encoded, random_rows

EVERY = pytest.mark.parametrize("name", BASELINES)
# What ranks by counts and stars cannot tell the colours apart: both have equal movies.
BY_HISTORY = pytest.mark.parametrize(
    "name", sorted({*BASELINES} - {"popularity", "recent_popularity", "biased_mf"})
)

MOVIES = [f"m{i:02d}" for i in range(16)]  # m14 and m15 have no ratings


@functools.cache
def _data() -> EncodedData:
    return encoded(random_rows(70, 0), movies=MOVIES)


@functools.cache
def _board() -> Checkerboard:
    return checkerboard()


def _fresh(name: str, data: EncodedData) -> Baseline:
    baseline = BASELINES[name]()
    baseline.fit(data)
    return baseline


@functools.cache
def _fitted(name: str) -> Baseline:
    return _fresh(name, _data())


@functools.cache
def _on_board(name: str) -> Baseline:
    return _fresh(name, _board().data)


def _scores(baseline: Baseline, *users: int) -> Float32:
    return baseline.scores(np.array(users, np.int32))


@EVERY
def test_scores_of_every_movie_for_every_user(name: str) -> None:
    users = range(_data().sizes.users + 1)  # the unknown one as well
    scores = _scores(_fitted(name), *users)
    assert scores.shape == (len(users), len(MOVIES))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@EVERY
def test_a_users_scores_do_not_depend_on_the_batch(name: str) -> None:
    baseline = _fitted(name)
    together = _scores(baseline, 3, 0, 3, 5)
    np.testing.assert_allclose(together[0], together[2], rtol=1e-6)
    np.testing.assert_allclose(together[3:], _scores(baseline, 5), rtol=1e-4, atol=1e-6)
    assert _scores(baseline).shape == (0, len(MOVIES))


@EVERY
def test_an_unknown_user_gets_the_popular_movies(name: str) -> None:
    [scores] = _scores(_fitted(name), _data().sizes.users)
    counts = np.bincount(_data().train.movie_index, minlength=len(MOVIES))
    assert (np.diff(counts[np.argsort(-scores, kind="stable")]) <= 0).all()


@EVERY
def test_stars_of_every_pair(name: str) -> None:
    users, movies = (
        grid.ravel().astype(np.int32)
        for grid in np.mgrid[: _data().sizes.users + 1, : len(MOVIES) + 1]
    )
    stars = _fitted(name).stars(users, movies)
    assert stars.shape == users.shape
    assert stars.dtype == np.float32
    assert (stars >= _data().train.rating.min()).all()
    assert (stars <= _data().train.rating.max()).all()


@EVERY
def test_both_sides_unknown_is_the_mean(name: str) -> None:
    nobody = np.array([_data().sizes.users], np.int32), np.array([len(MOVIES)], np.int32)
    [stars] = _fitted(name).stars(*nobody)
    assert stars == pytest.approx(_data().train.rating.mean(), abs=0.3)


@EVERY
def test_good_movies_get_more_stars(name: str) -> None:
    users, movies = (grid.ravel().astype(np.int32) for grid in np.mgrid[:24, :20])
    own = (users + movies) % 2 == 0
    stars, first = _on_board(name).stars(users, movies), movies < 10
    assert stars[own & first].min() > stars[own & ~first].max() + 1


@EVERY
def test_fit_is_deterministic(name: str) -> None:
    again = _fresh(name, _data())
    users = np.arange(_data().sizes.users, dtype=np.int32)
    movies = np.arange(len(users), dtype=np.int32)
    np.testing.assert_array_equal(again.scores(users), _fitted(name).scores(users))
    np.testing.assert_array_equal(again.stars(users, movies), _fitted(name).stars(users, movies))


@EVERY
def test_fitting_again_forgets_the_first_data(name: str) -> None:
    baseline = _fresh(name, _board().data)
    baseline.fit(_data())
    np.testing.assert_allclose(_scores(baseline, 0, 1), _scores(_fitted(name), 0, 1), rtol=1e-6)


@BY_HISTORY
def test_own_colour_comes_first(name: str) -> None:
    """The provable answer: unseen movies of the user's colour, then those of the other."""
    board = _board()
    scores = _scores(_on_board(name), *range(len(board.users)))
    for user, row in zip(board.users, scores, strict=True):
        seen, answers = board.seen(user), board.right_answers(user)
        unseen = [i for i, movie in enumerate(board.movies) if movie.movie_id not in seen]
        best = sorted(unseen, key=lambda i: -row[i])[: len(answers)]
        assert {board.movies[i].movie_id for i in best} == answers

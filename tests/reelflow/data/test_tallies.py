"""Tallies by blocks, against plain pandas on all rows at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reelflow.data import tallies

MOVIES = 7
"""The last one has no rating."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "BLOCK", 64)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(5)
    count = 1_000
    return pd.DataFrame(
        {
            "movie": random.integers(0, MOVIES - 1, count).astype(np.int32),
            "rating": random.integers(1, 11, count).astype(np.float32) / 2,
            "seconds": random.integers(-3 * 10**8, 17 * 10**8, count),
        }
    )


def _parts(rows: pd.DataFrame) -> list[tallies.Ratings]:
    """Cut in two, the second one without times."""
    columns = (rows[name].to_numpy() for name in ("movie", "rating", "seconds"))
    movie, rating, seconds = columns
    return [
        tallies.Ratings(movie[:700], rating[:700], seconds[:700]),
        tallies.Ratings(movie[700:], rating[700:], None),
    ]


def test_movies_are_those_of_plain_pandas(rows: pd.DataFrame) -> None:
    found = tallies.by_movie(_parts(rows), MOVIES)
    of_movie = rows.astype({"rating": np.float64}).groupby("movie")["rating"]
    assert found.counts.tolist() == [*of_movie.size(), 0]
    assert found.means[:-1] == pytest.approx(of_movie.mean().to_numpy())
    assert found.variances[:-1] == pytest.approx(of_movie.var(ddof=0).to_numpy())
    assert (found.means[-1], found.variances[-1]) == (0.0, 0.0)
    assert found.mean == pytest.approx(rows["rating"].mean())
    assert found.variance == pytest.approx(rows["rating"].astype(np.float64).var(ddof=0))


def test_times_are_those_of_plain_pandas(rows: pd.DataFrame) -> None:
    timed = rows[:700]
    times = pd.to_datetime(timed["seconds"], unit="s")
    for found, by in (
        (tallies.by_year(_parts(rows), MOVIES), times.dt.year),
        (tallies.by_weekday(_parts(rows), MOVIES), times.dt.weekday),
    ):
        plain = timed.groupby(by)
        assert [one.value for one in found] == list(plain.groups)
        assert [one.ratings for one in found] == plain.size().tolist()
        assert [one.mean for one in found] == pytest.approx(plain["rating"].mean().tolist())
        assert [one.movies for one in found] == plain["movie"].nunique().tolist()


def test_large_values_keep_their_variance() -> None:
    rating = np.array([1e8, 1e8 + 2])
    found = tallies.by_movie([tallies.Ratings(np.zeros(2, np.int32), rating, None)], 1)
    assert found.variances.tolist() == [1.0]


def test_no_ratings() -> None:
    none = [tallies.Ratings(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64))]
    found = tallies.by_movie(none, 2)
    assert (found.mean, found.variance, found.counts.tolist()) == (0.0, 0.0, [0, 0])
    assert tallies.by_year(none, 2) == tallies.by_weekday(none, 2) == []

"""The synthetic sample: deterministic, shaped like MovieLens, and worth learning from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from reelflow.data.sample import MOVIES, RATINGS, USERS, write_sample


@dataclass(frozen=True)
class Sample:
    """The default sample; `user` and `movie` count from 0, the latter in order of movies.csv."""

    folder: Path
    titles: list[str]
    genres: list[str]
    user: npt.NDArray[np.int64]
    movie: npt.NDArray[np.int64]
    stars: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = write_sample(tmp_path_factory.mktemp("sample") / "new")
    with (folder / "movies.csv").open(encoding="utf-8", newline="") as lines:
        header, *movies = csv.reader(lines)
    assert header == ["movieId", "title", "genres"]
    ratings = np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1)
    ids = np.array([int(row[0]) for row in movies])
    movie = np.searchsorted(ids, ratings[:, 1].astype(np.int64))
    assert np.array_equal(ids[movie], ratings[:, 1])  # every movie rated is in the catalogue
    return Sample(
        folder,
        [row[1] for row in movies],
        [row[2] for row in movies],
        ratings[:, 0].astype(np.int64) - 1,
        movie,
        ratings[:, 2],
        ratings[:, 3].astype(np.int64),
    )


def test_has_the_size_and_says_that_it_is_synthetic(sample: Sample) -> None:
    assert len(sample.stars) == RATINGS
    assert len(np.unique(sample.user)) == USERS
    assert len(sample.titles) == MOVIES
    assert (sample.folder / "README.txt").read_text().startswith("SYNTHETIC DATA")
    first, second = (sample.folder / "ratings.csv").read_text().splitlines()[:2]
    assert first == "userId,movieId,rating,timestamp"
    assert second.split(",")[2] in {f"{half / 2:.1f}" for half in range(1, 11)}


def test_ratings_are_shaped_like_movielens(sample: Sample) -> None:
    assert set(np.unique(sample.stars * 2)) == set(range(1, 11))
    assert 3.3 < sample.stars.mean() < 3.8
    assert 0.9 < sample.stars.std() < 1.1
    per_user = np.bincount(sample.user)
    assert per_user.min() >= 20
    assert per_user.max() > 5 * np.median(per_user)
    per_movie = np.sort(np.bincount(sample.movie, minlength=MOVIES))[::-1]
    assert per_movie[: MOVIES // 10].sum() > 0.3 * RATINGS  # long tail
    assert 0 < np.count_nonzero(per_movie == 0) < MOVIES // 15
    pairs = sample.user * MOVIES + sample.movie
    assert len(np.unique(pairs)) == RATINGS  # nobody rates a movie twice


def test_the_future_follows_from_the_past(sample: Sample) -> None:
    _, counts = np.unique(sample.seconds, return_counts=True)
    assert counts.max() < RATINGS / 1_000  # a cut in time can be made anywhere
    # What was watched up to a moment says what is watched after it.
    late = sample.seconds >= np.quantile(sample.seconds, 0.9)
    before, after = (np.bincount(sample.movie[at], minlength=MOVIES) for at in (~late, late))
    assert np.corrcoef(before, after)[0, 1] > 0.3


def test_time_drifts_in_sessions(sample: Sample) -> None:
    years = 1970 + sample.seconds / (365.25 * 86_400)
    assert 2000 <= years.min() < years.max() < 2019
    order = np.lexsort((sample.seconds, sample.user))
    gaps = np.diff(sample.seconds[order])[np.diff(sample.user[order]) == 0]
    assert np.mean(gaps < 600) > 0.7
    assert np.mean(gaps == 0) > 0.1  # equal timestamps must not leak, so the sample has some
    released = np.array(
        [int(title[-5:-1]) if title.endswith(")") else 0 for title in sample.titles]
    )
    assert np.all(released[sample.movie] <= years + 0.01)


def test_catalogue_has_the_oddities_of_real_ones(sample: Sample) -> None:
    assert len(set(sample.titles)) == MOVIES - 1  # two movies share a title, year included
    assert any("," in title for title in sample.titles)
    assert any('"' in title for title in sample.titles)
    assert any(not title.isascii() for title in sample.titles)
    assert any(not title.endswith(")") for title in sample.titles)  # no year
    assert "(no genres listed)" in sample.genres
    assert {1, 2, 3} <= {len(genres.split("|")) for genres in sample.genres}


def test_same_arguments_give_the_same_bytes_and_leave_files_alone(tmp_path: Path) -> None:
    size = {"users": 30, "movies": 60, "ratings": 600}
    folder = write_sample(tmp_path / "a", **size)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert set(before) == {"ratings.csv", "movies.csv", "README.txt"}
    write_sample(folder, **size)
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert after == before
    other = write_sample(tmp_path / "b", **size, seed=7)
    assert (other / "ratings.csv").read_bytes() != before["ratings.csv"][0]
    write_sample(folder, **size, seed=7)
    assert (folder / "ratings.csv").read_bytes() == (other / "ratings.csv").read_bytes()


def test_blocks_of_users_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelflow.data.sample.model.BLOCK_RATINGS", 100)
    folder = write_sample(tmp_path, users=40, movies=80, ratings=1_000)
    ratings = np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1)
    assert len(ratings) == 1_000
    assert np.array_equal(np.unique(ratings[:, 0]), np.arange(1, 41))
    assert np.all(np.diff(ratings[:, 0] * 1_000 + ratings[:, 1]) > 0)  # by user, then movie


def test_users_who_have_seen_nearly_everything_still_get_their_ratings(tmp_path: Path) -> None:
    folder = write_sample(tmp_path, users=60, movies=40, ratings=800)
    assert len((folder / "ratings.csv").read_text().splitlines()) == 801


@pytest.mark.parametrize(
    "size",
    [
        {"users": 10, "movies": 39, "ratings": 100},
        {"users": 10, "movies": 60, "ratings": 9},
        {"users": 10, "movies": 60, "ratings": 201},
    ],
)
def test_impossible_sizes_are_refused(tmp_path: Path, size: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no sample of"):
        write_sample(tmp_path, **size)


def test_tastes_can_be_learned(sample: Sample) -> None:
    """A closed-form item-item model beats popularity by far; biases explain many stars."""
    held_out = np.random.default_rng(0).random(RATINGS) < 0.1
    seen = np.zeros((USERS, MOVIES))
    seen[sample.user[~held_out], sample.movie[~held_out]] = 1.0
    inverse = np.linalg.inv(seen.T @ seen + 200.0 * np.eye(MOVIES))
    weights = -inverse / np.diag(inverse)  # EASE, Steck 2019
    np.fill_diagonal(weights, 0.0)

    def top_100(scores: npt.NDArray[np.float64]) -> float:
        unseen = np.where(seen > 0, -np.inf, scores)[sample.user[held_out]]
        target = scores[sample.user[held_out], sample.movie[held_out]]
        return float(np.mean((unseen >= target[:, None]).sum(axis=1) <= 100))

    popularity = top_100(np.tile(seen.sum(axis=0), (USERS, 1)))
    assert top_100(seen @ weights) > popularity + 0.2
    stars = sample.stars[~held_out] - sample.stars[~held_out].mean()
    user, movie = sample.user[~held_out], sample.movie[~held_out]
    user_bias, movie_bias = np.zeros(USERS), np.zeros(MOVIES)
    for _ in range(5):
        user_bias = np.bincount(user, stars - movie_bias[movie]) / (np.bincount(user) + 5)
        rest = np.bincount(movie, stars - user_bias[user], MOVIES)
        movie_bias = rest / (np.bincount(movie, minlength=MOVIES) + 5)
    guess = user_bias[sample.user[held_out]] + movie_bias[sample.movie[held_out]]
    error = sample.stars[held_out] - sample.stars[~held_out].mean() - guess
    assert np.sqrt(np.mean(error**2)) < 0.88 * sample.stars.std()

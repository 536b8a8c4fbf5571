"""Ratings to measure with: the built-in sample in any size, written once and kept in `data/`."""

from __future__ import annotations

from pathlib import Path

from reelflow.data.sample import write_sample

FOLDER = Path(__file__).parents[1] / "data" / "benchmarks"

SHAPES = {
    20_000: (300, 800),
    100_000: (1_000, 1_700),
    1_000_000: (6_040, 3_900),
    5_000_000: (32_000, 15_000),
    25_000_000: (160_000, 60_000),
}
"""Ratings to (users, movies); the first ones have the shapes of MovieLens 100K and 1M."""
USUAL = 30
"""Ratings of a user where there is no shape, on average."""


def folder(ratings: int, movies: int | None = None) -> Path:
    """A folder with `ratings.csv` and `movies.csv`.

    Args:
        ratings: a key of `SHAPES`; or any number, if `movies` are given.
        movies: size of the catalogue; None: as `SHAPES` has it.
    """
    users, movies = SHAPES[ratings] if movies is None else (ratings // USUAL, movies)
    path = FOLDER / f"{ratings}-{users}-{movies}"
    if not (path / "README.txt").exists():  # written last
        write_sample(path, users=users, movies=movies, ratings=ratings)
    return path

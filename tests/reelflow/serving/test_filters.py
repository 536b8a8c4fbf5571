"""Filters, and the k best movies among those that fit."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving.filters import FilterIndex, MovieFilter, best

MOVIES = [
    Movie("1", "a", ("Comedy", "Drama"), 1990),
    Movie("2", "b", ("Drama",), 2000),
    Movie("3", "c", (), 1990),
    Movie("4", "d", ("Comedy",), None),
]


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        (MovieFilter(), "1234"),
        (MovieFilter(("COMEDY",)), "14"),
        (MovieFilter(("Comedy", "Drama")), "124"),
        (MovieFilter(year_from=1990), "123"),
        (MovieFilter(year_to=1999), "13"),
        (MovieFilter(("drama",), 1990, 1990), "1"),
        (MovieFilter(("Western",)), ""),
    ],
)
def test_mask(where: MovieFilter, fits: str) -> None:
    mask = FilterIndex(MOVIES).mask(where)
    assert "".join(f.movie_id for f, fit in zip(MOVIES, mask, strict=True) if fit) == fits


def test_what_the_catalogue_has() -> None:
    filters = FilterIndex(MOVIES)
    assert filters.genres == ["Comedy", "Drama"]
    assert filters.years == (1990, 2000)
    assert FilterIndex([]).years is None
    with pytest.raises(BadInput, match="Genres are: Comedy, Drama"):
        filters.check(MovieFilter(("Western",)))


def test_best_is_a_stable_sort_cut_off() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        scores = random.integers(0, 6, 40).astype(np.float32)  # many ties
        allowed = random.random(40) < 0.7
        rows = np.flatnonzero(allowed)
        expected = rows[np.argsort(-scores[rows], kind="stable")]
        for k in (1, 7, 40):
            np.testing.assert_array_equal(best(scores, allowed, k), expected[:k])

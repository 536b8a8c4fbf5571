"""Filters, and the search for titles."""

from __future__ import annotations

from typing import Any

import pytest

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving.fields import Filtered
from reelflow.serving.movie_index import FilterIndex, MovieSearch, searchable

MOVIES = [
    Movie("1", "a", ("Comedy", "Drama"), 1990),
    Movie("2", "b", ("Drama",), 2000),
    Movie("3", "c", (), 1990),
    Movie("4", "d", ("Comedy",), None),
]


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({}, "1234"),
        ({"genres": ["COMEDY"]}, "14"),
        ({"genres": ["Comedy", "Drama"]}, "124"),
        ({"year_from": 1990}, "123"),
        ({"year_to": 1999}, "13"),
        ({"genres": ["drama"], "year_from": 1990, "year_to": 1990}, "1"),
        ({"genres": ["Western"]}, ""),
    ],
)
def test_mask(where: dict[str, Any], fits: str) -> None:
    mask = FilterIndex(MOVIES).mask(Filtered(**where))
    assert "".join(f.movie_id for f, fit in zip(MOVIES, mask, strict=True) if fit) == fits


def test_what_the_catalogue_has() -> None:
    filters = FilterIndex(MOVIES)
    assert filters.genres == ["Comedy", "Drama"]
    assert filters.years == (1990, 2000)
    assert FilterIndex([]).years is None
    with pytest.raises(BadInput, match="Genres are: Comedy, Drama"):
        filters.check(Filtered(genres=["Western"]))


TITLES = [
    "Matrix, The (1999)",
    "Matrix Reloaded, The (2003)",
    "Material Girls (2006)",
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "Amélie (2001)",
    "M (1931)",
    "Ocean's Eleven (2001)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "(1999)",
]
SEARCH = MovieSearch([Movie(str(i), title, rating_count=100 - i) for i, title in enumerate(TITLES)])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("toy", "Toy Story (1995)"),
        ("TOY STORY 2", "Toy Story 2 (1999)"),
        ("the matrix", "Matrix, The (1999)"),
        ("matrix, the", "Matrix, The (1999)"),
        ("matrx", "Matrix, The (1999)"),
        ("tpy stori", "Toy Story (1995)"),
        ("amelie", "Amélie (2001)"),
        ("oceans", "Ocean's Eleven (2001)"),
        ("hope star", "Star Wars: Episode IV - A New Hope (1977)"),
        ("star wrs", "Star Wars: Episode IV - A New Hope (1977)"),
        ("m", "Matrix, The (1999)"),
    ],
)
def test_found(text: str, first: str) -> None:
    assert SEARCH.find(text, 3)[0].title == first


def test_a_year_behind_the_title_chooses() -> None:
    stories = [
        Movie("1", "Toy Story (1995)", year=1995),
        Movie("2", "Toy Story 2 (1999)", year=1999),
    ]
    search = MovieSearch([*stories, Movie("3", "2001: A Space Odyssey (1968)", year=1968)])
    assert [movie.movie_id for movie in search.find("toy story 1999", 5)] == ["2"]
    assert [movie.movie_id for movie in search.find("2001", 5)] == ["3"]  # a title, and no year
    aliens = [Movie("4", "Aliens (1986)", year=1986), Movie("5", "Alien (1979)", year=1979)]
    found = MovieSearch([*stories, *aliens]).find("alien 1979", 5)
    assert [movie.movie_id for movie in found] == ["5"]


@pytest.mark.parametrize("text", ["!!!", "...", "?!"])
def test_signs_alone_are_like_nothing(text: str) -> None:
    assert SEARCH.find(text, 5) == []


def test_nothing_like_it() -> None:
    assert SEARCH.find("xyzzy", 5) == []
    assert SEARCH.find("zz", 5) == []


@pytest.mark.parametrize("text", ["", "  "])
def test_without_a_text_what_is_popular(text: str) -> None:
    assert [movie.title for movie in SEARCH.find(text, 2)] == TITLES[:2]


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("Matrix, The (1999)", "the matrix"),
        ("Misérables, Les (1995)", "les miserables"),
        ("Se7en", "se7en"),
        ("1984 (1984)", "1984"),
        ("(1999)", "1999"),
        ("", ""),
    ],
)
def test_searchable(title: str, plain: str) -> None:
    assert searchable(title) == plain

"""Movie search for typing."""

from __future__ import annotations

import pytest

from reelflow.saved_model.catalogue import Movie
from reelflow.serving.search import MovieSearch, searchable

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


def test_nothing_like_it() -> None:
    assert SEARCH.find("xyzzy", 5) == []
    assert SEARCH.find("zz", 5) == []


@pytest.mark.parametrize("text", ["", "  ", "?!"])
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

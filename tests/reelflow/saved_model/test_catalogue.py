"""Ids, titles taken for ids, and near misses."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Catalogue, Movie

MOVIES = [
    Movie("1", "Toy Story (1995)", ("Animation", "Comedy"), 1995),
    Movie("2", "Toy Story 2 (1999)"),
    Movie("3", "Twins (1988)"),
    Movie("4", "Twins (1988)"),
    Movie("5", "Sabrina (1954)"),
    Movie("6", "Sabrina (1995)"),
    Movie("1984", "1984 (1956)"),
    Movie("é", "Les Misérables (2012)"),
    Movie("8", "Se7en"),
]
CATALOGUE = Catalogue({movie.movie_id: movie for movie in MOVIES})


@pytest.mark.parametrize("movie_id", ["1", "1984", "é"])
def test_an_id_is_an_id(movie_id: str) -> None:
    assert CATALOGUE.find(movie_id).movie_id == movie_id


@pytest.mark.parametrize(
    ("title", "use"),
    [
        ("Toy Story (1995)", "use --movie 1."),
        ("toy  story", "use --movie 1."),
        ("Twins", "use --movie 3 or --movie 4."),
        ("Sabrina (1995)", "use --movie 6."),
        ("sabrina", "use --movie 5 or --movie 6."),
        ("1984 (1956)", "use --movie 1984."),
        ("LES MISÉRABLES", "use --movie é."),
    ],
)
def test_a_title_is_bad_input_that_names_the_id(title: str, use: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CATALOGUE.find(title, "--movie")
    assert refusal.value.message == f"{title!r} is a title, where a movie's id is wanted; {use}"


def test_without_an_option_the_id_alone_is_named() -> None:
    with pytest.raises(BadInput, match="use the id 8"):
        CATALOGUE.find("Se7en")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Toi Story", "Toy Story (1995) is --movie 1; Toy Story 2 (1999) is --movie 2"),
        ("Misérables", "Les Misérables (2012) is --movie é"),
    ],
)
def test_near_titles_are_offered(text: str, near: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CATALOGUE.find(text, "--movie")
    assert refusal.value.message == f"There is no movie with the id {text!r}."
    assert refusal.value.remedy == f"Near it: {near}."


@pytest.mark.parametrize("text", ["99", "", " ", "(1995)", "-1"])
def test_a_wrong_number_is_near_to_nothing(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CATALOGUE.find(text)
    assert refusal.value.remedy == "Ids are those of the ratings files (movie_id)."


def test_load(exported: Path) -> None:
    catalogue = Catalogue.load(exported)
    assert len(catalogue) == 12
    assert catalogue.movies["2"] == Movie("2", "Jumanji (1995)", ("Comedy",), 1995, 2)
    assert catalogue.movies["12"].year is None


def test_a_model_without_catalogue_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no assets.extra/catalogue.parquet"):
        Catalogue.load(tmp_path)

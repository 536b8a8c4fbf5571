"""The movies that a model knows, as exported beside it, and how to find one by id or title."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reelflow.base.columns import GENRES, MOVIE_ID, RATING_COUNT, TITLE, YEAR
from reelflow.base.errors import BadInput
from reelflow.base.nouns import MOVIE, Noun
from reelflow.saved_model.files import CATALOGUE, ModelInfo

_NEAR = 3
_YEAR = re.compile(r"\s*\(\d{4}\)$")


@dataclass(frozen=True)
class Movie:
    """One movie, for showing."""

    movie_id: str
    title: str
    genres: tuple[str, ...] = ()
    year: int | None = None
    rating_count: int = 0
    poster: str | None = None
    """Address of its own picture, of a server that has one."""


@dataclass(frozen=True)
class Catalogue:
    """Movies by id."""

    movies: Mapping[str, Movie]
    noun: Noun = MOVIE
    """The word for an item, for messages."""

    @classmethod
    def load(cls, model: Path) -> Catalogue:
        """Read the catalogue of an exported model.

        Raises:
            BadInput: the model has none.
        """
        from reelflow.data.parquet import open_own

        file = model / CATALOGUE
        if not file.is_file():
            raise BadInput(
                f"{model} has no {CATALOGUE}.", "Name a model that `reelflow run` has pushed."
            )
        names = [MOVIE_ID, TITLE, GENRES, YEAR, RATING_COUNT]
        with open_own(file) as content:
            columns = content.read(columns=names).to_pydict()
        movies = (
            Movie(id_, title or "", tuple(genres or ()), year, count or 0)
            for id_, title, genres, year, count in zip(*(columns[n] for n in names), strict=True)
        )
        return cls({movie.movie_id: movie for movie in movies}, ModelInfo.read(model).noun)

    def __len__(self) -> int:
        return len(self.movies)

    def find(self, movie_id: str, option: str = "") -> Movie:
        """Return the movie with an id; `option` is the command-line option for the remedy.

        Raises:
            BadInput: it is a title, and the message has its id; or it is neither, and the message
                has movies with a similar title.
        """
        if movie_id in self.movies:
            return self.movies[movie_id]
        titled = self.titled(movie_id)
        if titled:
            use = " or ".join(_as_typed(movie, option) for movie in titled)
            raise BadInput(
                f"{movie_id!r} is a title, where {self.noun.a}'s id is wanted; use {use}."
            )
        near = self.near(movie_id)
        listed = "; ".join(f"{movie.title} is {_as_typed(movie, option)}" for movie in near)
        raise BadInput(
            f"There is no {self.noun.one} with the id {movie_id!r}.",
            f"Near it: {listed}." if near else "Ids are those of the ratings files (movie_id).",
        )

    def titled(self, title: str) -> list[Movie]:
        """Every movie of a title; if there is none, those that differ in case or year only."""
        exact = [movie for movie in self.movies.values() if _same(movie.title) == _same(title)]
        if exact:
            return exact
        text = _yearless(title)
        return [movie for movie in self.movies.values() if text and _yearless(movie.title) == text]

    def near(self, title: str) -> list[Movie]:
        """Up to three movies whose titles contain the text or look like it."""
        text = _yearless(title)
        if not re.search(r"[^\W\d_]", text):
            return []  # a number is a wrong id and no misspelt title
        by_title: dict[str, Movie] = {}
        for movie in self.movies.values():
            by_title.setdefault(_yearless(movie.title), movie)
        containing = sorted((name for name in by_title if text in name), key=len)
        alike = difflib.get_close_matches(text, by_title, n=_NEAR, cutoff=0.6)
        return [by_title[name] for name in list(dict.fromkeys([*containing, *alike]))[:_NEAR]]


def _as_typed(movie: Movie, option: str) -> str:
    return f"{option} {movie.movie_id}" if option else f"the id {movie.movie_id}"


def _same(title: str) -> str:
    return " ".join(title.casefold().split())


def _yearless(title: str) -> str:
    return _YEAR.sub("", _same(title))

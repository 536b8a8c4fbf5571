"""The films that a model knows, as exported beside it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components.trainer.features import GENRES, MOVIE_ID, RATING_COUNT, TITLE, YEAR
from ratings.errors import BadInput

CATALOGUE_FILE: Final = "assets.extra/catalogue.parquet"
_NEAR = 3
_YEAR = re.compile(r"\s*\(\d{4}\)$")


@dataclass(frozen=True)
class Film:
    """One film, for showing."""

    movie_id: str
    title: str
    genres: tuple[str, ...] = ()
    year: int | None = None
    rating_count: int = 0


@dataclass(frozen=True)
class Catalogue:
    """Films by id."""

    films: Mapping[str, Film]

    @classmethod
    def load(cls, model: Path) -> Catalogue:
        """Read the catalogue of an exported model.

        Raises:
            BadInput: the model has none.
        """
        import pyarrow.parquet as pq

        file = model / CATALOGUE_FILE
        if not file.is_file():
            raise BadInput(
                f"{model} has no {CATALOGUE_FILE}.", "Name a model that `reelflow run` has pushed."
            )
        names = [MOVIE_ID, TITLE, GENRES, YEAR, RATING_COUNT]
        columns = pq.read_table(file, columns=names).to_pydict()
        films = (
            Film(id_, title or "", tuple(genres or ()), year, count or 0)
            for id_, title, genres, year, count in zip(*(columns[n] for n in names), strict=True)
        )
        return cls({film.movie_id: film for film in films})

    def __len__(self) -> int:
        return len(self.films)

    def resolve(self, movie_id: str, option: str = "") -> str:
        """Make sure that a film exists.

        Args:
            movie_id: what someone gave as an id.
            option: the option it was given with, so that the remedy can be typed; may be empty.

        Returns:
            The id.

        Raises:
            BadInput: it is a title, and which id it has; or it is neither, and what comes near.
        """
        if movie_id in self.films:
            return movie_id
        titled = self.titled(movie_id)
        if titled:
            use = " or ".join(_as_typed(film, option) for film in titled)
            raise BadInput(f"{movie_id!r} is a title, where a film's id is wanted; use {use}.")
        near = self.near(movie_id)
        listed = "; ".join(f"{film.title} is {_as_typed(film, option)}" for film in near)
        raise BadInput(
            f"There is no film with the id {movie_id!r}.",
            f"Near it: {listed}." if near else "Ids are those of the ratings files (movie_id).",
        )

    def titled(self, title: str) -> list[Film]:
        """Every film of that title, case and a year in brackets aside; there may be several."""
        exact = [film for film in self.films.values() if _same(film.title) == _same(title)]
        if exact:
            return exact
        wanted = _yearless(title)
        return [film for film in self.films.values() if wanted and _yearless(film.title) == wanted]

    def near(self, title: str) -> list[Film]:
        """Up to three films whose titles contain the text or look like it."""
        wanted = _yearless(title)
        if not re.search(r"[^\W\d_]", wanted):
            return []  # a number is a wrong id, no title gone wrong
        by_title: dict[str, Film] = {}
        for film in self.films.values():
            by_title.setdefault(_yearless(film.title), film)
        containing = sorted((name for name in by_title if wanted in name), key=len)
        alike = difflib.get_close_matches(wanted, by_title, n=_NEAR, cutoff=0.6)
        return [by_title[name] for name in _unique([*containing, *alike])[:_NEAR]]


def _as_typed(film: Film, option: str) -> str:
    return f"{option} {film.movie_id}" if option else f"the id {film.movie_id}"


def _same(title: str) -> str:
    return " ".join(title.casefold().split())


def _yearless(title: str) -> str:
    return _YEAR.sub("", _same(title))


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))

"""Movies by title while a user types, and by genre and year."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving.fields import Filtered

Mask = npt.NDArray[np.bool_]

LEAST_LIKE: Final = 72.0
"""Similarity of 100 from which a part of a title counts as the text, mistyped."""
VERY_LIKE: Final = 85.0
"""The same where other titles contain the text itself."""
_FUZZY_FROM: Final = 3  # characters: shorter texts are taken literally
_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_ASKED_YEAR = re.compile(r"\s*\b((?:18|19|20)\d\d)$")
"""A year behind a title, as people add it to find the right one of several."""
_LEADING = re.compile(r"^(?:the|an?) ")
_ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|l'|der|die|das|el|il|los)$")


class FilterIndex:
    """The catalogue's genres and years as arrays, in the catalogue's order."""

    def __init__(self, movies: Sequence[Movie]) -> None:
        """Take movies in the order of the model's scores."""
        self.genres = sorted({genre for movie in movies for genre in movie.genres})
        self._movies = len(movies)
        self.rating_counts = np.array([movie.rating_count for movie in movies], np.int64)
        """Ratings of each movie in training, int64 [movies]."""
        self._years = np.array([-1 if f.year is None else f.year for f in movies], np.int64)
        self._genre_masks = {
            genre.casefold(): np.zeros(len(movies), np.bool_) for genre in self.genres
        }
        for row, movie in enumerate(movies):
            for genre in movie.genres:
                self._genre_masks[genre.casefold()][row] = True

    @cached_property
    def newest(self) -> list[int]:
        """Rows of the movies with a year, the newest and of a year the most rated first."""
        order = np.lexsort((-self.rating_counts, -self._years))
        return [row for row in order.tolist() if self._years[row] >= 0]

    @cached_property
    def popular(self) -> list[int]:
        """Rows of all movies, the most rated first."""
        order: list[int] = np.argsort(-self.rating_counts, kind="stable").tolist()
        return order

    @property
    def years(self) -> tuple[int, int] | None:
        """The oldest and the newest release year; None if no movie has one."""
        known = self._years[self._years >= 0]
        return (int(known.min()), int(known.max())) if len(known) else None

    def check(self, conditions: Filtered) -> None:
        """Check that conditions can be applied.

        Raises:
            BadInput: no movie of the catalogue has such a genre, or the years are the wrong way
                round.
        """
        for genre in conditions.genres:
            if genre.casefold() not in self._genre_masks:
                known = ", ".join(self.genres) or "none, the catalogue has no genres"
                raise BadInput(f"There is no genre {genre!r}.", f"Genres are: {known}.")
        first, last = conditions.year_from, conditions.year_to
        if first is not None and last is not None and first > last:
            raise BadInput("year_from is later than year_to.")

    def mask(self, conditions: Filtered) -> Mask:
        """Return True for movies that fit, bool [movies]; an unknown genre fits none."""
        fits = np.ones(self._movies, np.bool_)
        if conditions.genres:
            fits[:] = False
            for genre in conditions.genres:
                fits |= self._genre_masks.get(genre.casefold(), np.False_)
        if conditions.year_from is not None or conditions.year_to is not None:
            fits &= self._years >= 0
        if conditions.year_from is not None:
            fits &= self._years >= conditions.year_from
        if conditions.year_to is not None:
            fits &= self._years <= conditions.year_to
        return fits


class MovieSearch:
    """An index of titles; popular movies come first among equals."""

    def __init__(self, movies: Sequence[Movie]) -> None:
        """Take movies in any order."""
        self._movies = sorted(movies, key=lambda movie: (-movie.rating_count, movie.title))
        self._titles = [searchable(movie.title) for movie in self._movies]
        self._bare = [_LEADING.sub("", title) for title in self._titles]
        self._words = [f" {title}" for title in self._titles]

    def find(self, text: str, limit: int) -> list[Movie]:
        """Return movies whose titles or words in them begin with the text, or that look like it."""
        query = searchable(text)
        if not query:
            return [] if text.strip() else self._movies[:limit]
        asked = _ASKED_YEAR.search(query)
        if asked and (dated := self._of_year(query[: asked.start()], int(asked[1]), limit)):
            return dated
        starts = [
            row
            for row, (title, bare) in enumerate(zip(self._titles, self._bare, strict=True))
            if title.startswith(query) or bare.startswith(query)
        ]
        matches = dict.fromkeys(starts[:limit])
        if len(matches) < limit:
            beginnings = [f" {word}" for word in query.split()]
            matches |= dict.fromkeys(
                row
                for row, words in enumerate(self._words)
                if all(beginning in words for beginning in beginnings)
            )
        if len(matches) < limit and len(query) >= _FUZZY_FROM:
            matches |= dict.fromkeys(self._alike(query, VERY_LIKE if matches else LEAST_LIKE))
        return [self._movies[row] for row in list(matches)[:limit]]

    def _of_year(self, text: str, year: int, limit: int) -> list[Movie]:
        """Return movies of a year that are found by a text."""
        found = self.find(text, len(self._movies)) if text else []
        return [movie for movie in found if movie.year == year][:limit]

    def _alike(self, query: str, cutoff: float) -> list[int]:
        """Return rows of titles with a part like the text, words that begin like it first."""
        from rapidfuzz import fuzz, process

        long_enough = {
            row: title for row, title in enumerate(self._titles) if len(title) >= len(query) - 1
        }
        hits = process.extract(
            query, long_enough, scorer=fuzz.partial_ratio, limit=50, score_cutoff=cutoff
        )

        def best_word(title: str) -> float:
            starts = [0, *(match.end() for match in re.finditer(" ", title))]
            return max(fuzz.ratio(query, title[start : start + len(query)]) for start in starts)

        hits.sort(key=lambda hit: -hit[1] - best_word(hit[0]))
        return [row for _, _, row in hits]


def searchable(title: str) -> str:
    """Return a title in small letters without accents, punctuation or year, article first.

    `Matrix, The (1999)` becomes `the matrix`, `Amélie` becomes `amelie`.
    """
    text = unicodedata.normalize("NFKD", title.casefold())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    year = _YEAR.search(text)
    if year and year.start() > 0:
        text = text[: year.start()]
    article = _ARTICLE.match(text.strip())
    if article:
        text = f"{article[2]} {article[1]}"
    return " ".join(re.sub(r"[^\w\s]", " ", text.replace("'", "")).split())

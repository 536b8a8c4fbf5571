"""Movie search for typing: by the beginnings of words first, then with typing errors forgiven."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from reelflow.saved_model.catalogue import Movie

LEAST_LIKE: Final = 72.0
"""How alike, of 100, a part of a title must be to the text to be taken for it, mistyped."""
VERY_LIKE: Final = 85.0
"""The same where other titles hold the text as it is."""
_FUZZY_FROM: Final = 3  # characters: fewer are too little to be mistyped
_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_LEADING = re.compile(r"^(?:the|an?) ")
_ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|l'|der|die|das|el|il|los)$")


class MovieSearch:
    """Titles made ready for searching; popular movies come first among equals."""

    def __init__(self, movies: Sequence[Movie]) -> None:
        """Take movies in any order."""
        self._movies = sorted(movies, key=lambda movie: (-movie.rating_count, movie.title))
        self._titles = [searchable(movie.title) for movie in self._movies]
        self._bare = [_LEADING.sub("", title) for title in self._titles]
        self._words = [f" {title}" for title in self._titles]

    def find(self, text: str, limit: int) -> list[Movie]:
        """Movies whose titles begin with the text, hold words that do, or look like it."""
        wanted = searchable(text)
        if not wanted:
            return self._movies[:limit]
        starts = [
            row
            for row, (title, bare) in enumerate(zip(self._titles, self._bare, strict=True))
            if title.startswith(wanted) or bare.startswith(wanted)
        ]
        found = dict.fromkeys(starts[:limit])
        if len(found) < limit:
            beginnings = [f" {word}" for word in wanted.split()]
            found |= dict.fromkeys(
                row
                for row, words in enumerate(self._words)
                if all(beginning in words for beginning in beginnings)
            )
        if len(found) < limit and len(wanted) >= _FUZZY_FROM:
            found |= dict.fromkeys(self._alike(wanted, VERY_LIKE if found else LEAST_LIKE))
        return [self._movies[row] for row in list(found)[:limit]]

    def _alike(self, wanted: str, cutoff: float) -> list[int]:
        """Rows of titles with a part like the text, those with a word that begins like it first."""
        from rapidfuzz import fuzz, process

        long_enough = {
            row: title for row, title in enumerate(self._titles) if len(title) >= len(wanted) - 1
        }
        hits = process.extract(
            wanted, long_enough, scorer=fuzz.partial_ratio, limit=50, score_cutoff=cutoff
        )

        def of_a_word(title: str) -> float:
            starts = [0, *(match.end() for match in re.finditer(" ", title))]
            return max(fuzz.ratio(wanted, title[start : start + len(wanted)]) for start in starts)

        hits.sort(key=lambda hit: -hit[1] - of_a_word(hit[0]))
        return [row for _, _, row in hits]


def searchable(title: str) -> str:
    """Small letters without accents, punctuation or year, the article in front.

    `Matrix, The (1999)` becomes `the matrix`, `Amélie` becomes `amelie`.
    """
    plain = unicodedata.normalize("NFKD", title.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    year = _YEAR.search(plain)
    if year and year.start() > 0:
        plain = plain[: year.start()]
    article = _ARTICLE.match(plain.strip())
    if article:
        plain = f"{article[2]} {article[1]}"
    return " ".join(re.sub(r"[^\w\s]", " ", plain.replace("'", "")).split())

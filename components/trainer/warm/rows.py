"""What the rows of a model's tables are of, and where each one was in an earlier model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.trainer import weights as w
from components.trainer.rating.days import BINS, SECONDS_PER_DAY, Calendar
from components.trainer.towers import rated_films
from components.transform.encoded import EncodedData

Places = npt.NDArray[np.int64]
"""For each row the row of the earlier table, or -1 for one that is new."""

STRANGER = ""
"""In the place of a word: the row for whom or what the model does not know."""


@dataclass(frozen=True)
class Rows:
    """The vocabularies of a model, in order."""

    words: dict[str, list[str]]
    """By `weights.USERS` and so on."""
    rated: npt.NDArray[np.bool_]
    """Which films have train ratings, bool [movies]: nothing was learned of the others."""
    calendar: Calendar | None
    """The days that the rating model knows; none without timestamps."""

    @classmethod
    def of(cls, data: EncodedData, users: Sequence[str]) -> Rows:
        """Of a model that is trained on these data.

        Args:
            data: encoded ratings.
            users: the user vocabulary, in order.
        """
        catalogue = data.catalogue
        genres = [STRANGER] * data.sizes.genres
        named = (word for of_film in catalogue.genres for word in of_film)
        for word, index in zip(named, catalogue.genre_indices, strict=True):
            genres[index] = word
        years = sorted({year for year in catalogue.year if year is not None})
        features = data.movie_features
        return cls(
            words={
                w.USERS: list(users),
                w.MOVIES: list(catalogue.movie_id),
                w.GENRES: genres,
                w.YEARS: [str(year) for year in years],
                w.WORDS: [] if features is None else list(features.words),
            },
            rated=rated_films(data) > 0,
            calendar=Calendar.of(data.train) if data.sizes.has_timestamps else None,
        )

    def places(self, kind: str, rows: int, old: Rows, old_rows: int) -> Places:
        """Where each row of a table was.

        Args:
            kind: what the rows are of.
            rows: of the table; one more than there are words if the last one is the stranger's.
            old: the earlier model's vocabularies.
            old_rows: rows of the earlier table.
        """
        if kind == w.USER_DAYS:
            return self._user_days(old)
        if kind == w.MOVIE_BINS:
            return self._movie_bins(old)
        words, before = (
            [*known, STRANGER][:count]
            for known, count in ((self.words[kind], rows), (old.words[kind], old_rows))
        )
        at = {word: place for place, word in enumerate(before)}
        places = np.array([at.get(word, -1) for word in words], np.int64)
        if kind == w.MOVIES:
            learned = np.append(old.rated, True)
            places = np.where(learned[places] | (places < 0), places, -1)
        return places

    def _user_days(self, old: Rows) -> Places:
        now, before = self.calendar, old.calendar
        if now is None or before is None:
            raise ValueError("day effects need timestamps")
        users = self.places(w.USERS, len(self.words[w.USERS]), old, len(old.words[w.USERS]))
        owners, days = np.divmod(now.keys, now.span)
        # Days are counted from the first rating: the middle of one lies in one of the others.
        middles = now.first + days * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
        old_days = (middles - before.first) // SECONDS_PER_DAY
        wanted = users[owners] * before.span + old_days
        found = np.minimum(np.searchsorted(before.keys, wanted), len(before.keys) - 1)
        known = (users[owners] >= 0) & (old_days >= 0) & (old_days < before.span)
        places = np.where(known & (before.keys[found] == wanted), found, -1)
        return np.append(places, -1).astype(np.int64)

    def _movie_bins(self, old: Rows) -> Places:
        now, before = self.calendar, old.calendar
        if now is None or before is None:
            raise ValueError("day effects need timestamps")
        films = self.places(w.MOVIES, len(self.rated) + 1, old, len(old.rated) + 1)
        middles = now.first / SECONDS_PER_DAY + (np.arange(BINS) + 0.5) * now.span / BINS
        old_days = middles - before.first / SECONDS_PER_DAY
        bins = np.clip(np.floor(old_days * BINS / before.span), 0, BINS - 1).astype(np.int64)
        places = np.where(films[:, None] >= 0, films[:, None] * BINS + bins, -1)
        return places.ravel()

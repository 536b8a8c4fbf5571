"""Rules about the movies of one catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reelflow.base.errors import BadInput
from reelflow.serving.movie_index import FilterIndex, Mask
from reelflow.serving.rules.messages import Choice, Rules


class Catalogued:
    """Masks and boosts that rules stand for."""

    def __init__(self, rules: Rules, rows: Mapping[str, int], filters: FilterIndex) -> None:
        """Find the movies that the rules are about; ids that are not there count for nothing."""
        self.rules = rules
        self._rows, self._filters = rows, filters
        self.hidden = self._hidden()
        """bool [movies]; None if no movie is hidden."""
        self.boosts = self._boosts()
        """Standard deviations to add, float32 [movies]; None if there are none."""
        self.pins = [rows[movie] for movie in rules.pin if movie in rows]
        """Rows of the catalogue, in order."""

    def check(self) -> None:
        """Check the conditions.

        Raises:
            BadInput: there is no such genre, or the years are the wrong way round.
        """
        for kind in ("hide", "boost"):
            for place, choice in enumerate(getattr(self.rules, kind)):
                try:
                    self._filters.check(choice)
                except BadInput as error:
                    message = f"rules.{kind}.{place}: {error.message}"
                    raise BadInput(message, error.remedy) from error

    @property
    def rearranges(self) -> bool:
        """True if a list is more than the model's first movies in the model's order."""
        rules = self.rules
        return bool(
            self.boosts is not None
            or self.pins
            or rules.per_genre
            or rules.diversity
            or rules.new_for_strangers
        )

    def _mask(self, choice: Choice) -> Mask:
        fits = self._filters.mask(choice)
        if choice.ids:
            named = np.zeros(len(self._rows), np.bool_)
            named[[self._rows[movie] for movie in choice.ids if movie in self._rows]] = True
            fits &= named
        if choice.min_ratings is not None or choice.max_ratings is not None:
            counts = self._filters.rating_counts
            fits &= counts >= (choice.min_ratings or 0)
            if choice.max_ratings is not None:
                fits &= counts <= choice.max_ratings
        return fits

    def _hidden(self) -> Mask | None:
        masks = [self._mask(choice) for choice in self.rules.hide]
        return np.logical_or.reduce(masks) if masks else None

    def _boosts(self) -> npt.NDArray[np.float32] | None:
        if not self.rules.boost:
            return None
        boosts = np.zeros(len(self._rows), np.float32)
        for choice in self.rules.boost:
            boosts[self._mask(choice)] += choice.weight
        return boosts

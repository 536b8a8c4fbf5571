"""The term of what is rated around the same time, for ratings held out from among the others.

People rate a page, a series or the films of an evening together: of two movies that the same users
have rated, those side by side in timelines tell more of each other than those years apart. Ridge
regression of each movie on those before and after it in its user's timeline, nearer ones with more
weight, in closed form: the symmetrical counterpart of `reelflow.baselines.directed`. It is served
like EASE, on the whole history, as the place of what is asked for is not known.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np
from scipy import linalg

from reelflow.base.columns import NEIGHBOURS
from reelflow.baselines.directed import LATEST, MOVIES_MAX
from reelflow.baselines.histories import most_rated, sequences
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.items import OPINION, RIDGE, ItemWeights, LinearItems
from reelflow.model.terms import Learner, Settings

HALF_LIFE: Final = 3.0
"""Places apart in a timeline, at which a neighbour counts half."""


class NeighbourLearner(Learner):
    """Sums over users' timelines, from which weights are solved for any ridge."""

    name: ClassVar[str] = NEIGHBOURS
    by_time: ClassVar[bool | None] = False

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Sum over users, rows weighted by 1 / sqrt(movies of their user).

        Args:
            data: for the train ratings in order of time.
            config: the section `model`; time grows with the cube of `item_movies`, memory with its
                square, up to `MOVIES_MAX`.
        """
        self.options = {RIDGE: config.neighbour_ridge, OPINION: config.item_opinion}
        self._movies = most_rated(data, min(config.item_movies, MOVIES_MAX))
        self._movie_count = len(data.catalogue)
        size = len(self._movies)
        self._gram, self._near = (np.zeros((size, size), np.float32) for _ in range(2))
        places = np.arange(LATEST)
        near = np.exp2(-np.abs(places[:, None] - places) / HALF_LIFE).astype(np.float32)
        np.fill_diagonal(near, 0.0)
        for own in sequences(data, self._movies, LATEST):
            weights = near[: len(own), : len(own)]
            cells, scale = np.ix_(own, own), np.float32(max(len(own), 1) ** -0.5)
            self._gram[cells] += scale * (weights @ weights)
            self._near[cells] += scale * weights

    def learn(self, settings: Settings) -> LinearItems:
        """Solve with a ridge."""
        gram = self._gram.copy(order="F")
        gram.flat[:: len(gram) + 1] += settings[RIDGE]
        weights = linalg.solve(gram, self._near, assume_a="pos", overwrite_a=True)
        np.fill_diagonal(weights, 0.0)
        learned = ItemWeights(self._movies, weights.astype(np.float32))
        return LinearItems(learned, self._movie_count, settings[OPINION], name=NEIGHBOURS)

"""The term of what comes next: directed ridge regression between movies, beside the towers.

The weights are those of `reelflow.baselines.directed`, of two decays of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from reelflow.base.columns import DIRECTED
from reelflow.baselines.directed import HALF_LIVES, MOVIES_MAX, DirectedSums
from reelflow.baselines.histories import most_rated
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32
from reelflow.model.items import RIDGE, MatrixTerm
from reelflow.model.terms import Asked, Learner, Settings


class DirectedLearner(Learner):
    """Sums over users' sequences, from which weights are solved for any ridge."""

    name: ClassVar[str] = DIRECTED
    by_time: ClassVar[bool | None] = True

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Sum over users.

        Args:
            data: for the train ratings in order of time; stars do not matter.
            config: the section `model`; time grows with the cube of `item_movies`, memory with its
                square, up to `MOVIES_MAX`.
        """
        self.options = {RIDGE: config.directed_ridge}
        self._movies, self._movie_count = (
            most_rated(data, min(config.item_movies, MOVIES_MAX)),
            len(data.catalogue),
        )
        self._sums = DirectedSums(data, self._movies)

    def learn(self, settings: Settings) -> Directed:
        """Solve with a ridge."""
        weights = self._sums.solve(settings[RIDGE])
        return Directed(self._movies, weights, self._movie_count)


class Directed(MatrixTerm):
    """Scores of what comes next, by the decayed history."""

    def __init__(self, movies: Int32, weights: Sequence[Float32], catalogue: int) -> None:
        """Make the tables, as `MatrixTerm`: one matrix for each of `HALF_LIVES`."""
        super().__init__(DIRECTED, movies, weights, catalogue)

    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Weigh by age, for each half-life."""
        ages = tf.cast(asked.rated_ages, tf.float32)
        return [tf.exp(ages * (-np.log(2.0) / half_life)) for half_life in HALF_LIVES]

"""A directed linear model between movies: which movies follow which.

Ridge regression of the next movie on the movies before it, in closed form. With x_t the sum of
2^-(t - j)/h over a user's movies j up to t, for each of two half-lives h, and y_t the movie after
them, the weights are B = (X'X + ridge I)^-1 X'Y. EASE is the same without order: SLIM's regression
(Ning & Karypis 2011) of sets on themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import tensorflow as tf
from scipy import linalg

from reelflow.base.columns import DIRECTED
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32
from reelflow.model.items import RIDGE, MatrixTerm, most_rated
from reelflow.model.terms import Asked, Learner, Settings

HALF_LIVES: Final = (3.0, 25.0)
"""Movies rated since, at which a movie counts half; one matrix of weights for each."""
LATEST: Final = 500
"""Movies of a user that are learned from, the latest."""


class DirectedLearner(Learner):
    """Gram matrices of decayed histories and next movies, from which weights are solved."""

    name: ClassVar[str] = DIRECTED

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Sum over users.

        Args:
            data: for the train ratings in order of time; stars do not matter.
            config: the section `model`; time grows with the cube of `item_movies`, memory with its
                square.
        """
        self.options = {RIDGE: config.directed_ridge}
        self._movies, self._movie_count = most_rated(data, config.item_movies), len(data.catalogue)
        self._gram, self._next = _sums(sequences(data, self._movies), len(self._movies))

    def learn(self, settings: Settings) -> Directed:
        """Solve with a ridge."""
        gram = self._gram.copy(order="F")
        gram.flat[:: len(gram) + 1] += settings[RIDGE]
        solved = linalg.solve(gram, self._next, assume_a="pos", overwrite_a=True)
        weights = np.split(solved.astype(np.float32), len(HALF_LIVES))
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


def sequences(data: EncodedData, movies: Int32) -> list[Int32]:
    """Return users' movies, the newest first, each once, as places in `movies`.

    Args:
        data: for the train ratings.
        movies: `movie_index` of the movies that take part, ascending; others are skipped.
    """
    train, offsets = data.train, data.offsets
    places = np.full(len(data.catalogue), -1, np.int32)
    places[movies] = np.arange(len(movies), dtype=np.int32)
    pairs = train.user_index.astype(np.int64) * len(data.catalogue) + train.movie_index
    first = np.zeros(len(train), np.bool_)
    first[np.unique(pairs, return_index=True)[1]] = True
    place = np.where(first, places[train.movie_index], np.int32(-1))
    newest_first = (
        place[start:end][::-1]
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    )
    return [own[own >= 0][:LATEST] for own in newest_first]


def _sums(users: Sequence[Int32], movies: int) -> tuple[Float32, Float32]:
    """Return X'X and X'Y, rows weighted by 1 / sqrt(movies of their user).

    A user's part depends on the number of movies alone, so it is a corner of one table.

    Returns:
        float32 [half-lives * movies, half-lives * movies] and [half-lives * movies, movies].
    """
    kinds, length = len(HALF_LIVES), max(map(len, users), default=0)
    decays = np.exp2(-1.0 / np.array(HALF_LIVES))
    age = np.arange(length)
    least = np.minimum(age[:, None], age[None, :])
    gram = np.zeros((kinds * movies, kinds * movies), np.float32)
    following = np.zeros((kinds * movies, movies), np.float32)
    for p, one in enumerate(decays):
        # Row i, counted from the newest: each row k <= i, not older, has it with one^(i - k).
        after = np.tril(one ** (age[:, None] - age[None, :]).clip(0)).astype(np.float32)
        for q, other in enumerate(decays):
            both = one ** (age[:, None] - least) * other ** (age[None, :] - least)
            both *= (1 - (one * other) ** (least + 1)) / (1 - one * other)
            part = both.astype(np.float32)
            block = gram[p * movies : (p + 1) * movies, q * movies : (q + 1) * movies]
            for own in users:
                n = len(own) - 1
                if n > 0 and q >= p:
                    weight = np.float32((n + 1) ** -0.5)
                    block[np.ix_(own[1:], own[1:])] += weight * part[:n, :n]
                    if p == q:
                        rows = following[p * movies : (p + 1) * movies]
                        rows[np.ix_(own[1:], own[:-1])] += weight * after[:n, :n]
            if q > p:
                gram[q * movies : (q + 1) * movies, p * movies : (p + 1) * movies] = block.T
    return gram, following

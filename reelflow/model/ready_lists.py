"""Lists of users of whom a request says nothing new, computed once when the model is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf

from reelflow.model.ranking import LOWEST
from reelflow.saved_model.contract import BY_STARS, RECOMMEND, RETRIEVAL, SIGNATURES

LENGTH = 100
"""Movies of a list, at most."""
BATCH_CELLS = 1 << 23
"""Scores in memory while lists are computed: 32 MiB of float32."""

Columns = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
"""Final scores, float32, movies, int32, and predicted stars, float32, [batch, k] each."""


@dataclass(frozen=True)
class Request:
    """Inputs of requests for lists beside users and length, as the contract has them."""

    history: tf.Tensor
    stars: tf.Tensor
    exclusions: tf.Tensor
    order: tf.Tensor
    min_rating: tf.Tensor
    include_seen: tf.Tensor
    allowed: tf.Tensor
    as_judged: tf.Tensor

    @classmethod
    def usual(cls) -> Request:
        """Return the contract's defaults."""
        inputs = SIGNATURES[RECOMMEND].inputs
        return cls(
            **{
                one.name: tf.constant(inputs[one.name].default, inputs[one.name].dtype)
                for one in fields(cls)
            }
        )

    def says_nothing_new(self) -> tf.Tensor:
        """Return True if all is as by default, bool, a scalar."""
        return (
            tf.reduce_all(self.history == "")
            & tf.reduce_all(self.exclusions == "")
            & tf.reduce_all((self.order != RETRIEVAL) & (self.order != BY_STARS))
            & tf.reduce_all(self.min_rating <= LOWEST)
            & ~tf.reduce_any(self.include_seen)
            & tf.reduce_all(self.allowed)
            & ~tf.reduce_any(self.as_judged)
        )


class ReadyLists(tf.Module):
    """The heads of all users' lists, as `FinalOrder.lists` returns them."""

    def __init__(
        self, compute: Callable[[tf.Tensor], Columns], users: int, movies: int, candidates: int
    ) -> None:
        """Compute every list.

        Args:
            compute: returns lists of `candidates` movies, of users by number, int32 [batch].
            users: number of timelines.
            movies: size of the catalogue.
            candidates: movies that are put into the final order, so that longer lists begin alike.
        """
        super().__init__()
        self._length = min(candidates, movies, LENGTH)
        parts = [
            [column[:, : self._length].numpy() for column in compute(batch)]
            for batch in _batches(users, max(1, BATCH_CELLS // movies))
        ]
        self._scores, self._movies, self._stars = (
            tf.Variable(np.concatenate(column), trainable=False)
            for column in zip(*parts, strict=True)
        )

    def hold(self, k: tf.Tensor) -> tf.Tensor:
        """Return True if lists of k movies are there, bool, a scalar."""
        return k <= self._length

    def __call__(self, users: tf.Tensor, k: tf.Tensor) -> Columns:
        """Return lists of users, which is what computing them would give."""
        k = tf.clip_by_value(k, 1, self._length)
        scores, movies, stars = (
            tf.gather(table, users)[:, :k] for table in (self._scores, self._movies, self._stars)
        )
        return scores, movies, stars


def _batches(users: int, size: int) -> Iterator[tf.Tensor]:
    for first in range(0, users, size):
        yield tf.range(first, min(first + size, users))

"""Lists of users of whom a request says nothing new, computed once when the model is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import tensorflow as tf

from reelflow.base.columns import MOVIE_ID, USER_ID
from reelflow.model.layers import rows_of
from reelflow.model.ranking import LOWEST
from reelflow.saved_model.client import Arrays
from reelflow.saved_model.contract import BY_STARS, EXPLAIN, RECOMMEND, RETRIEVAL, SIGNATURES
from reelflow.saved_model.reasons import MOST, candidates, choose

LENGTH = 100
"""Movies of a list, at most."""
EXPLAINED = 10
"""Movies of a list whose reasons are ready, at most."""
AT_ONCE = 32
"""Users whose lists are explained at once."""
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
        # Public: the server reads lists from these variables of the SavedModel.
        self.scores, self.movies, self.stars = (
            tf.Variable(np.concatenate(column), trainable=False)
            for column in zip(*parts, strict=True)
        )

    def explain(
        self, ask: Callable[[str, Mapping[str, Any]], Arrays], users: list[str], movies: list[str]
    ) -> None:
        """Keep the reasons of the first movies of all lists, as a server chooses them.

        Args:
            ask: asks the model's signatures.
            users: ids by timeline, the unknown user's among them.
            movies: ids, the vocabulary in order.
        """
        numbers = {movie: number for number, movie in enumerate(movies)}
        most = min(EXPLAINED, self._length)
        shape = len(users), most, MOST
        named, weights, stars = (np.full(shape, one, np.float32) for one in (-1, 0.0, np.nan))
        heads = self.movies[:, :most].numpy()
        for first in range(0, len(users), AT_ONCE):
            rows, places = np.nonzero(heads[first : first + AT_ONCE] >= 0)
            rows += first
            ids = [movies[movie] for movie in heads[rows, places]]
            answer = ask(EXPLAIN, {USER_ID: [users[row] for row in rows], MOVIE_ID: ids})
            found = candidates(answer)
            ends = np.searchsorted(rows, np.arange(first, first + AT_ONCE), side="right")
            for start, end in zip([0, *ends], ends, strict=False):
                for at, reasons in zip(range(start, end), choose(found[start:end]), strict=True):
                    cell = rows[at], places[at], slice(len(reasons))
                    named[cell] = [numbers[one.movie_id] for one in reasons]
                    weights[cell] = [one.weight for one in reasons]
                    stars[cell] = [one.rating for one in reasons]
        self.reasons = tf.Variable(named.astype(np.int32), trainable=False)
        """Movies that speak for the first ones of a list, int32 [timelines, m, n], -1 for none."""
        self.reason_weights = tf.Variable(weights, trainable=False)
        self.reason_stars = tf.Variable(stars, trainable=False)

    def hold(self, k: tf.Tensor) -> tf.Tensor:
        """Return True if lists of k movies are there, bool, a scalar."""
        return k <= self._length

    def __call__(self, users: tf.Tensor, k: tf.Tensor) -> Columns:
        """Return lists of users, which is what computing them would give."""
        k = tf.clip_by_value(k, 1, self._length)
        scores, movies, stars = (
            rows_of(table, users)[:, :k] for table in (self.scores, self.movies, self.stars)
        )
        return scores, movies, stars


def _batches(users: int, size: int) -> Iterator[tf.Tensor]:
    for first in range(0, users, size):
        yield tf.range(first, min(first + size, users))

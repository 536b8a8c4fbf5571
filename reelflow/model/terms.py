"""Terms of retrieval: each scores the whole catalogue for a request, and says by what.

The towers are one term; others are solved in closed form. `reelflow.model.rankers.MixRanker` adds
them up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.timelines import Past

Settings = Mapping[str, float]
"""Settings of a closed-form term by name, such as its ridge."""


@dataclass(frozen=True)
class Asked:
    """Knowledge of the users of a batch of requests, the requests' own histories included."""

    users: tf.Tensor
    """`user_index`, int32 [batch]; that of the unknown user also for new users."""
    recent: Past
    """Last movies, the newest last, [batch, history_length], padded on the left."""
    rated_rows: tf.Tensor
    """Row of the batch of each rated movie, int32 [n], in any order."""
    rated_movies: tf.Tensor
    """`movie_index`, int32 [n]; padding counts for nothing."""
    rated_opinions: tf.Tensor
    """float32 [n]."""
    rated_ages: tf.Tensor
    """Number of movies that the same user has rated since, int32 [n]: 0 for the newest. A request's
    own history is newer than the timeline."""
    is_known: tf.Tensor
    """True for users of train, bool [batch]."""
    has_rated: tf.Tensor
    """True where there is any rated movie, bool [batch]."""

    @property
    def batch(self) -> tf.Tensor:
        """The number of requests, a scalar."""
        return tf.size(self.users)

    @property
    def by_popularity(self) -> tf.Tensor:
        """True where nothing is known of the user, bool [batch]: the answer is what is popular."""
        return ~(self.is_known | self.has_rated)


class Term(tf.Module):
    """One part of the retrieval score; `name` is its key in `model.mix` and in `model.json`."""

    history_length: int = 0
    """Number of last movies that `Asked.recent` must have at least; 0 if scores need none."""
    uses_histories: bool = True
    """True if a history alone gives scores of its own."""

    @abstractmethod
    def scores(self, asked: Asked) -> tf.Tensor:
        """Score every movie, float32 [batch, movies], on any scale."""


class ProjectedTerm(Term):
    """A term whose scores are products of a query and of factors of the movies."""

    factors: tf.Tensor
    """float32 [movies, size]; the ranker exports them, in one table with those of other terms."""

    @abstractmethod
    def queries(self, asked: Asked) -> tf.Tensor:
        """Return what the factors are multiplied with, float32 [batch, size]."""

    @abstractmethod
    def shares(self, asked: Asked, rated: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
        """Return what rated movies add to the scores of others.

        Args:
            asked: the requests.
            rated: `movie_index` of rated movies, int32 [batch, n], each once a row, padded.
            factors: of each request's scored movies, float32 [batch, m, size].

        Returns:
            float32 [batch, m, n], in the scale of `scores`: where a score is a sum over the
            history, exactly what each movie adds.
        """

    def scores(self, asked: Asked) -> tf.Tensor:
        """Multiply."""
        return tf.matmul(self.queries(asked), self.factors, transpose_b=True)


class Learner(ABC):
    """Learns a closed-form term from the train ratings, for any of its settings."""

    name: ClassVar[str]
    """Of the term."""
    by_time: ClassVar[bool | None] = None
    """True for a term of splits by time alone, False for one of others, of which the order of
    ratings is known; None: of all splits."""
    options: Mapping[str, Sequence[float]]
    """Name of a setting to its values, from which validation ratings choose, one setting after the
    other; the first ones where nothing can be chosen."""

    @abstractmethod
    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Prepare what all settings share, from the train ratings, by the section `model`."""

    @property
    def default(self) -> Settings:
        """The first value of each setting."""
        return {name: values[0] for name, values in self.options.items()}

    @abstractmethod
    def learn(self, settings: Settings) -> Term:
        """Solve for the term's weights."""

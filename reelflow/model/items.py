"""The linear item model: weights between movies in closed form, beside the towers.

EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data") on the whole history: the
score of a movie is the sum of the weights from the movies that the user has rated. What the towers
learn from the order of a history, and what these weights learn from all of it, add up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf
from scipy import sparse

from reelflow.base.columns import ITEMS
from reelflow.baselines.ease import products, ridge_inverse
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32
from reelflow.model.terms import Asked, Learner, Settings, Term

RIDGE = "ridge"
"""Name of the setting: L2 regularisation."""


@dataclass(frozen=True)
class ItemWeights:
    """Learned weights between the most rated movies."""

    movies: Int32
    """`movie_index` of those that take part, ascending, [kept]."""
    weights: Float32
    """Weight of a rated movie (row) for the score of another (column), [kept, kept], diagonal 0."""


class ItemLearner(Learner):
    """Numbers of users that have rated both of two movies, from which weights are solved."""

    name: ClassVar[str] = ITEMS

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Count.

        Args:
            data: for the train ratings; stars do not matter.
            config: the section `model`; time grows with the cube of `item_movies`, memory with its
                square.
        """
        self.settings = tuple({RIDGE: ridge} for ridge in config.item_ridge)
        self._opinion, self._movie_count = config.item_opinion, len(data.catalogue)
        self._movies = most_rated(data, config.item_movies)
        train = data.train
        ones = np.ones(len(train), np.float32)
        shape = (data.sizes.users, len(data.catalogue))
        rated = sparse.csr_matrix((ones, (train.user_index, train.movie_index)), shape=shape)
        rated = rated[:, self._movies]
        rated.data[:] = 1.0  # where a pair is there twice
        self._gram = products(rated.T.tocsr())

    def learn(self, settings: Settings) -> LinearItems:
        """Solve with a ridge."""
        return LinearItems(self.solve(settings[RIDGE]), self._movie_count, self._opinion)

    def solve(self, ridge: float) -> ItemWeights:
        """Return -P / diag(P) of P = (X'X + ridge I)^-1, column by column, with a diagonal of 0."""
        inverse = ridge_inverse(self._gram.copy(order="F"), ridge)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return ItemWeights(self._movies, weights.astype(np.float32))


def most_rated(data: EncodedData, count: int) -> Int32:
    """Return `movie_index` of at most `count` movies, those with the most train ratings.

    Ascending, int32 [kept]; movies without ratings are none of them.
    """
    counts = data.rating_counts
    most = np.argsort(-counts, kind="stable")[:count]
    return np.sort(most[counts[most] > 0]).astype(np.int32)


class LinearTerm(Term):
    """Scores that are sums over the history: of values of its movies times learned weights."""

    def __init__(
        self, name: str, movies: Int32, weights: Sequence[Float32], catalogue: int
    ) -> None:
        """Make the tables.

        Args:
            name: of the term.
            movies: `movie_index` of the movies that take part, ascending, [kept].
            weights: for each kind of value, of a rated movie (row) for the score of another
                (column), [kept, kept].
            catalogue: number of movies; also the index of padding.
        """
        super().__init__(name=name)
        kept = len(movies)
        self._kept, self._padding = kept, catalogue
        # One more row and column of zeros, of the movies that take no part.
        self._weights = [
            tf.Variable(np.pad(one, [(0, 1), (0, 1)]), trainable=False) for one in weights
        ]
        places = np.full(catalogue + 1, kept, np.int32)
        places[movies] = np.arange(kept, dtype=np.int32)
        self._places = tf.Variable(places, trainable=False)

    @abstractmethod
    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Return a value of each rated movie for each matrix of weights, float32 [n] each."""

    def scores(self, asked: Asked) -> tf.Tensor:
        """Sum over all rated movies."""
        places = tf.gather(self._places, asked.rated_movies)
        cells = tf.cast(tf.stack([asked.rated_rows, places], axis=1), tf.int64)
        shape = tf.cast(tf.stack([asked.batch, self._kept + 1]), tf.int64)
        known = tf.add_n(
            [
                tf.sparse.sparse_dense_matmul(tf.SparseTensor(cells, values, shape), weights)
                for values, weights in zip(self.values(asked), self._weights, strict=True)
            ]
        )
        return tf.gather(known, self._places[:-1], axis=1)

    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the terms of the sum; of a movie that is there twice, both together."""
        places = tf.gather(self._places, asked.rated_movies)
        cells = asked.rated_rows * (self._kept + 1) + places
        size = asked.batch * (self._kept + 1)
        rows, columns = tf.gather(self._places, rated), tf.gather(self._places, movies)
        pairs = tf.stack([rows, tf.broadcast_to(columns[:, None], tf.shape(rows))], axis=2)
        shares = tf.zeros_like(rated, tf.float32)
        for values, weights in zip(self.values(asked), self._weights, strict=True):
            of_movies = tf.math.unsorted_segment_sum(values, cells, size)
            of_movies = tf.reshape(of_movies, [asked.batch, self._kept + 1])
            shares += tf.gather(of_movies, rows, batch_dims=1) * tf.gather_nd(weights, pairs)
        return shares


class LinearItems(LinearTerm):
    """EASE on the whole history."""

    def __init__(self, learned: ItemWeights, catalogue: int, opinion: float) -> None:
        """Make the tables.

        Args:
            learned: the weights.
            catalogue: number of movies; also the index of padding.
            opinion: by how much a rated movie counts more for each standard deviation that the user
                rated it above the user's own mean, and less below.
        """
        super().__init__(ITEMS, learned.movies, [learned.weights], catalogue)
        self._opinion = opinion

    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Return 1 with the opinion's part."""
        return [1.0 + self._opinion * asked.rated_opinions]

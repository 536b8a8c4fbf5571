"""The linear item model: weights between movies in closed form, beside the towers.

EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data") on the whole history: the
score of a movie is the sum of the weights from the movies that the user has rated. What the towers
learn from the order of a history, and what these weights learn from all of it, add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import sparse

from reelflow.baselines.ease import products, ridge_inverse
from reelflow.encoding.encoded import EncodedData, Float32, Int32


@dataclass(frozen=True)
class ItemWeights:
    """Learned weights between the most rated movies."""

    movies: Int32
    """`movie_index` of those that take part, ascending, [kept]."""
    weights: Float32
    """Weight of a rated movie (row) for the score of another (column), [kept, kept], diagonal 0."""


class ItemGram:
    """Numbers of users that have rated both of two movies, from which weights are solved."""

    def __init__(self, data: EncodedData, movies_max: int) -> None:
        """Count.

        Args:
            data: for the train ratings; stars do not matter.
            movies_max: movies that take part at most, the most rated ones; time grows with its
                cube, memory with its square.
        """
        train, counts = data.train, data.rating_counts
        most = np.argsort(-counts, kind="stable")[:movies_max]
        self._movies = np.sort(most[counts[most] > 0]).astype(np.int32)
        ones = np.ones(len(train), np.float32)
        shape = (data.sizes.users, len(data.catalogue))
        rated = sparse.csr_matrix((ones, (train.user_index, train.movie_index)), shape=shape)
        rated = rated[:, self._movies]
        rated.data[:] = 1.0  # where a pair is there twice
        self._gram = products(rated.T.tocsr())

    def solve(self, ridge: float) -> ItemWeights:
        """Return -P / diag(P) of P = (X'X + ridge I)^-1, column by column, with a diagonal of 0."""
        inverse = ridge_inverse(self._gram.copy(order="F"), ridge)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return ItemWeights(self._movies, weights.astype(np.float32))


class LinearItems(tf.Module):
    """Scores of the whole catalogue by the weights; part of the exported model."""

    def __init__(self, learned: ItemWeights, movies: int, opinion: float) -> None:
        """Make the tables.

        Args:
            learned: the weights.
            movies: size of the catalogue; also the index of padding.
            opinion: by how much a rated movie counts more for each standard deviation that the user
                rated it above the user's own mean, and less below.
        """
        super().__init__()
        kept = len(learned.movies)
        self._movies, self._kept, self._opinion = movies, kept, opinion
        # One more row and column of zeros, of the movies that take no part.
        self._weights = tf.Variable(np.pad(learned.weights, [(0, 1), (0, 1)]), trainable=False)
        places = np.full(movies + 1, kept, np.int32)
        places[learned.movies] = np.arange(kept, dtype=np.int32)
        self._places = tf.Variable(places, trainable=False)

    def scores(
        self, rows: tf.Tensor, movies: tf.Tensor, opinions: tf.Tensor, batch: tf.Tensor
    ) -> tf.Tensor:
        """Score every movie.

        Args:
            rows: row of the batch of each rated movie, int32 [n].
            movies: `movie_index` of rated movies, int32 [n]; padding counts for nothing.
            opinions: of them (`Timelines.recent`), float32 [n].
            batch: number of rows, a scalar.

        Returns:
            float32 [batch, movies].
        """
        places = tf.gather(self._places, movies)
        cells = tf.cast(tf.stack([rows, places], axis=1), tf.int64)
        shape = tf.cast(tf.stack([batch, self._kept + 1]), tf.int64)
        values = 1.0 + self._opinion * opinions
        known = tf.sparse.sparse_dense_matmul(tf.SparseTensor(cells, values, shape), self._weights)
        return tf.gather(known, self._places[:-1], axis=1)

    def shares(self, rated: tf.Tensor, opinions: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return what each rated movie adds to the score of another, float32 [batch, n].

        Args:
            rated: `movie_index`, int32 [batch, n], padded with the unknown movie.
            opinions: of them, float32 [batch, n].
            movies: `movie_index` that is scored, int32 [batch].
        """
        rows, columns = tf.gather(self._places, rated), tf.gather(self._places, movies)
        columns = tf.broadcast_to(columns[:, None], tf.shape(rows))
        weights = tf.gather_nd(self._weights, tf.stack([rows, columns], axis=2))
        return (1.0 + self._opinion * opinions) * weights

"""Interface of the rating heads: as they are trained, and as they are exported."""

from __future__ import annotations

from abc import abstractmethod

import tensorflow as tf
import tf_keras as keras

from reelflow.model.layers import rows_of
from reelflow.model.weights import Weight
from reelflow.saved_model.files import CrossWeights


class RatingHead(keras.layers.Layer):
    """A trainable design of the rating model; subclasses define `call` as below.

    `call(users, movies, training)` maps known pairs, int [batch] each, to their utilities less the
    output's intercept, float32 [batch]. In training it adds its L2 losses.
    """

    @abstractmethod
    def freeze(self) -> FrozenHead:
        """Return the trained head in the form that is exported."""

    @abstractmethod
    def named_weights(self) -> dict[str, Weight]:
        """Return the weights that a later model can start with."""

    def cross_weights(self) -> CrossWeights | None:
        """Return the cross weights of a deep & cross network; None for other heads."""
        return None


class FrozenHead(tf.Module):
    """An exported head: utilities of pairs less the output's intercept.

    Users are int [batch], 0 to users (the unknown one); movies likewise.
    """

    @abstractmethod
    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the utilities of pairs, float32 [batch]."""

    def lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the utilities of several movies, int [batch, n], for each user."""
        pairs = tf.repeat(users, tf.shape(movies)[1]), tf.reshape(movies, [-1])
        return tf.reshape(self.pairs(*pairs), tf.shape(movies))

    @abstractmethod
    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Return the utilities of users with every movie, float32 [batch, movies]."""

    @property
    @abstractmethod
    def directions(self) -> tf.Tensor:
        """Movie embeddings whose cosine is similarity, float32 [movies, size]."""


class Factors(FrozenHead):
    """An exported head that is one dot product."""

    def __init__(self, users: tf.Tensor, movies: tf.Tensor, directions: tf.Tensor) -> None:
        """Keep the tables.

        Args:
            users: float32 [users + 1, width]; the last row is the unknown user's.
            movies: float32 [movies + 1, width]; the last row is the unknown movie's.
            directions: float32 [movies, size].
        """
        super().__init__()
        self.users = tf.Variable(users, trainable=False)
        self.movies = tf.Variable(movies, trainable=False)
        self._directions = directions

    def pairs(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the products of rows, float32 [batch]."""
        user, movie = rows_of(self.users, users), rows_of(self.movies, movies)
        return tf.reduce_sum(user * movie, axis=1)

    def lists(self, users: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the products of each user's row with several, float32 [batch, n]."""
        return tf.linalg.matvec(rows_of(self.movies, movies), rows_of(self.users, users))

    def catalogue(self, users: tf.Tensor) -> tf.Tensor:
        """Return the products with all movies, float32 [batch, movies]."""
        return tf.matmul(rows_of(self.users, users), self.movies[:-1], transpose_b=True)

    @property
    def directions(self) -> tf.Tensor:
        """Movie embeddings, float32 [movies, size]."""
        return self._directions

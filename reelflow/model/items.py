"""Linear models between movies in closed form, beside the towers: what is rated by the same users.

EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data") on the whole history: the
score of a movie is the sum of the weights from the movies that the user has rated, of which late
ones may count more. What the towers learn from the order of a history, and what these weights learn
from all of it, add up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import tensorflow as tf
from scipy import sparse

from reelflow.base.columns import ITEMS
from reelflow.baselines.ease import products, ridge_inverse
from reelflow.baselines.histories import most_rated
from reelflow.config import ModelConfig
from reelflow.encoding.encode import is_split_by_time
from reelflow.encoding.encoded import EncodedData, Float32, Int32
from reelflow.model.terms import Asked, Learner, Settings, Term

RIDGE: Final = "ridge"
"""Name of a setting: L2 regularisation."""
HALF_LIFE: Final = "half_life"
"""Name of a setting: movies rated since, at which a rated movie counts half; 0: all count alike."""
OPINION: Final = "opinion"
"""Name of a setting: by how much a rated movie counts more for each standard deviation that the
user rated it above the user's own mean, and less below."""
FLOOR: Final = 0.05
"""Weight that even the oldest movie of a history has, with a half-life."""


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
        self.options = {**history_options(data, config), RIDGE: config.item_ridge}
        self._movie_count = len(data.catalogue)
        self._movies = most_rated(data, config.item_movies)
        self._gram = products(rated_by_users(data)[:, self._movies].T.tocsr())
        self._solved: dict[float, ItemWeights] = {}

    def solve(self, ridge: float) -> ItemWeights:
        """Return -P / diag(P) of P = (X'X + ridge I)^-1, column by column, with a diagonal of 0."""
        if ridge not in self._solved:
            inverse = ridge_inverse(self._gram.copy(order="F"), ridge)
            weights = inverse / -np.diag(inverse)
            np.fill_diagonal(weights, 0.0)
            self._solved[ridge] = ItemWeights(self._movies, weights.astype(np.float32))
        return self._solved[ridge]

    def learn(self, settings: Settings) -> LinearItems:
        """Solve with a ridge."""
        learned = self.solve(settings[RIDGE])
        return LinearItems(learned, self._movie_count, settings[OPINION], settings[HALF_LIFE])


def rated_by_users(data: EncodedData) -> sparse.csr_matrix:
    """Return ones for train ratings, float32 [users, movies]."""
    train = data.train
    ones = np.ones(len(train), np.float32)
    shape = (data.sizes.users, len(data.catalogue))
    rated = sparse.csr_matrix((ones, (train.user_index, train.movie_index)), shape=shape)
    rated.data[:] = 1.0  # where a pair is there twice
    return rated


def history_options(data: EncodedData, config: ModelConfig) -> dict[str, Sequence[float]]:
    """Return what histories may be weighed by; not by age if the next movie is not predicted."""
    by_time = data.sizes.has_timestamps and is_split_by_time(data)
    return {
        HALF_LIFE: config.item_half_life if by_time else (0.0,),
        OPINION: config.item_opinion,
    }


def history_values(asked: Asked, half_life: float, opinion: float) -> tf.Tensor:
    """Return how much each rated movie counts, float32 [n].

    Args:
        asked: for ages and opinions.
        half_life: see `HALF_LIFE`.
        opinion: see `OPINION`.
    """
    values = 1.0 + opinion * asked.rated_opinions
    if not half_life:
        return values
    ages = tf.cast(asked.rated_ages, tf.float32)
    return values * (tf.exp(ages * (-np.log(2.0) / half_life)) + FLOOR)


class HistoryTerm(Term):
    """Scores that are sums over the history: each rated movie adds its value times its weights."""

    def __init__(self, name: str, movies: Int32, catalogue: int) -> None:
        """Make the table of places.

        Args:
            name: of the term.
            movies: `movie_index` of the movies that take part, ascending, [kept].
            catalogue: number of movies; also the index of padding.
        """
        super().__init__(name=name)
        self._kept = len(movies)
        places = np.full(catalogue + 1, self._kept, np.int32)
        places[movies] = np.arange(self._kept, dtype=np.int32)
        self._places = tf.Variable(places, trainable=False)

    @abstractmethod
    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Return values of each rated movie, float32 [n], one for each kind of weights."""

    @abstractmethod
    def sums(self, histories: Sequence[tf.SparseTensor]) -> tf.Tensor:
        """Multiply values and weights.

        Args:
            histories: values of rated movies, float32 [batch, kept + 1], for each kind of weights;
                the last column is of movies that take no part.

        Returns:
            Scores of the movies that take part, float32 [batch, kept + 1], the last column 0.
        """

    @abstractmethod
    def pairs(self, kind: int, rated: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
        """Return weights of rated movies for a scored one.

        Args:
            kind: of weights.
            rated: places of movies, int32 [batch, n].
            scored: places of movies, int32 [batch].
        """

    def scores(self, asked: Asked) -> tf.Tensor:
        """Sum over all rated movies."""
        places = tf.gather(self._places, asked.rated_movies)
        cells = tf.cast(tf.stack([asked.rated_rows, places], axis=1), tf.int64)
        shape = tf.cast(tf.stack([asked.batch, self._kept + 1]), tf.int64)
        histories = [tf.SparseTensor(cells, values, shape) for values in self.values(asked)]
        return tf.gather(self.sums(histories), self._places[:-1], axis=1)

    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the terms of the sum; of a movie that is there twice, both together."""
        places = tf.gather(self._places, asked.rated_movies)
        cells = asked.rated_rows * (self._kept + 1) + places
        rows, scored = tf.gather(self._places, rated), tf.gather(self._places, movies)
        shares = tf.zeros_like(rated, tf.float32)
        for kind, values in enumerate(self.values(asked)):
            of_movies = tf.math.unsorted_segment_sum(values, cells, asked.batch * (self._kept + 1))
            of_movies = tf.reshape(of_movies, [asked.batch, self._kept + 1])
            shares += tf.gather(of_movies, rows, batch_dims=1) * self.pairs(kind, rows, scored)
        return shares


class MatrixTerm(HistoryTerm):
    """A sum over the history by weights between all pairs of movies."""

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
        super().__init__(name, movies, catalogue)
        # One more row and column of zeros, of the movies that take no part.
        self._weights = [
            tf.Variable(np.pad(one, [(0, 1), (0, 1)]), trainable=False) for one in weights
        ]

    def sums(self, histories: Sequence[tf.SparseTensor]) -> tf.Tensor:
        """Multiply with each matrix."""
        pairs = zip(histories, self._weights, strict=True)
        return tf.add_n([tf.sparse.sparse_dense_matmul(one, weights) for one, weights in pairs])

    def pairs(self, kind: int, rated: tf.Tensor, scored: tf.Tensor) -> tf.Tensor:
        """Look the weights up."""
        scored = tf.broadcast_to(scored[:, None], tf.shape(rated))
        return tf.gather_nd(self._weights[kind], tf.stack([rated, scored], axis=2))


class LinearItems(MatrixTerm):
    """One matrix on the whole history, of EASE for one."""

    def __init__(
        self,
        learned: ItemWeights,
        catalogue: int,
        opinion: float,
        half_life: float = 0.0,
        name: str = ITEMS,
    ) -> None:
        """Make the tables.

        Args:
            learned: the weights.
            catalogue: number of movies; also the index of padding.
            opinion: as for `history_values`.
            half_life: as for `history_values`.
            name: of the term.
        """
        super().__init__(name, learned.movies, [learned.weights], catalogue)
        self._opinion, self._half_life = opinion, half_life

    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Weigh by opinion and age."""
        return [history_values(asked, self._half_life, self._opinion)]

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
WIDE: Final = 2
"""Movies of the catalogue for each one that takes part, up to which weights have a column for
each."""


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
        rated = rated_by_users(data)[:, self._movies]
        by_users = rated.shape[0] < rated.shape[1]
        self._rated = rated.toarray() if by_users else None
        self._gram = products(rated if by_users else rated.T.tocsr())
        self._solved: dict[float, ItemWeights] = {}

    def solve(self, ridge: float) -> ItemWeights:
        """Return -P / diag(P) of P = (X'X + ridge I)^-1, column by column, with a diagonal of 0.

        Of fewer users than movies the inverse is one over users, as in `baselines.ease.EASE`:
        ridge P = I - X'KX of K = (XX' + ridge I)^-1.
        """
        if ridge not in self._solved:
            inverse = ridge_inverse(self._gram.copy(order="F"), ridge)
            if self._rated is None:
                weights = inverse / -np.diag(inverse)
            else:
                weights = self._rated.T @ (inverse.astype(np.float32) @ self._rated)
                weights /= 1.0 - np.diag(weights)
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


class Places(tf.Module):
    """Places of the movies that take part in a term, and values of histories by place."""

    def __init__(self, movies: Int32, catalogue: int) -> None:
        """Make the table.

        Args:
            movies: `movie_index` of the movies that take part, ascending, [kept].
            catalogue: number of movies; also the index of padding.
        """
        super().__init__()
        self.kept = len(movies)
        places = np.full(catalogue + 1, self.kept, np.int32)
        places[movies] = np.arange(self.kept, dtype=np.int32)
        self._places = tf.Variable(places, trainable=False)

    def __call__(self, movies: tf.Tensor) -> tf.Tensor:
        """Return places, int32 of the same shape; `kept` of movies that take no part."""
        return tf.gather(self._places, movies)

    def histories(self, asked: Asked, values: Sequence[tf.Tensor]) -> tf.SparseTensor:
        """Return values of rated movies by request and place, float32 [batch, kinds * (kept + 1)].

        Args:
            asked: the requests.
            values: of each rated movie, float32 [n], for each kind of weights.
        """
        places = self(asked.rated_movies)
        width = self.kept + 1
        columns = [places + kind * width for kind in range(len(values))]
        rows = tf.tile(asked.rated_rows, [len(values)])
        cells = tf.stack([rows, tf.concat(columns, axis=0)], axis=1)
        shape = tf.stack([asked.batch, len(values) * width])
        return tf.SparseTensor(
            tf.cast(cells, tf.int64), tf.concat(values, axis=0), tf.cast(shape, tf.int64)
        )

    def of(self, asked: Asked, values: tf.Tensor, rated: tf.Tensor) -> tf.Tensor:
        """Return the values of movies that requests rated, int32 [batch, n], all times together."""
        width = self.kept + 1
        cells = asked.rated_rows * width + self(asked.rated_movies)
        sums = tf.math.unsorted_segment_sum(values, cells, asked.batch * width)
        sums = tf.reshape(sums, [asked.batch, width])
        return tf.gather(sums, self(rated), batch_dims=1)


class KeptTerm(Term):
    """A term of the most rated movies; the others have scores of 0."""

    def __init__(self, name: str, movies: Int32, catalogue: int) -> None:
        """Make the tables.

        Args:
            name: of the term.
            movies: `movie_index` of the movies that take part, ascending, [kept].
            catalogue: number of movies; also the index of padding.
        """
        super().__init__(name=name)
        self._places = Places(movies, catalogue)
        self._catalogue = catalogue
        self.wide = is_wide(len(movies), catalogue)
        """True if centred scores are of the whole catalogue; False: of `movies` alone."""
        self.movies = movies
        """`movie_index` of the movies that take part, ascending, int32 [kept]."""

    @abstractmethod
    def centred(self, asked: Asked) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Score.

        Returns:
            Scores less their mean over the catalogue, float32 [batch, movies or kept], the mean and
            the variance over the catalogue, float32 [batch, 1].
        """

    @abstractmethod
    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Return the terms of the sum, as `ProjectedTerm.shares`; of a movie twice both together.

        Args:
            asked: the requests.
            rated: as there.
            movies: `movie_index` of the scored movies, int32 [batch, m].
        """

    def scores(self, asked: Asked) -> tf.Tensor:
        """Put mean and differences together; movies that take no part have 0."""
        scores, mean, _ = self.centred(asked)
        if self.wide:
            return scores + mean
        scores = tf.pad(scores + mean, [[0, 0], [0, 1]])
        return tf.gather(scores, self._places(tf.range(self._catalogue)), axis=1)

    def at(self, sums: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Select movies' columns of what has the shape of centred scores, float32 [batch, m].

        Args:
            sums: float32 [batch, movies or kept].
            movies: `movie_index`, int32 [batch, m]; those that have no column get 0.
        """
        if not self.wide:
            sums, movies = tf.pad(sums, [[0, 0], [0, 1]]), self._places(movies)
        return tf.gather(sums, movies, axis=1, batch_dims=1)

    def _variance(self, centred: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
        """Return the variance over the catalogue, float32 [batch, 1], with those that have 0."""
        squares = tf.linalg.matvec(centred[:, None, :], centred)
        others = self._catalogue - centred.shape[1]
        return (squares + others * tf.square(mean)) / self._catalogue


def is_wide(kept: int, catalogue: int) -> bool:
    """Return True where nearly all movies take part in a term."""
    return catalogue <= WIDE * kept


class MatrixTerm(KeptTerm):
    """A sum over the history by weights between all pairs of movies."""

    def __init__(
        self, name: str, movies: Int32, weights: Sequence[Float32], catalogue: int
    ) -> None:
        """Make the tables.

        Weights are kept less their mean over the catalogue, so that scores come out centred. In a
        catalogue of few others than the movies that take part they have a column for each movie.

        Args:
            name: as for `KeptTerm`.
            movies: as for `KeptTerm`.
            weights: for each kind of value, of a rated movie (row) for the score of another
                (column), [kept, kept].
            catalogue: as for `KeptTerm`.
        """
        super().__init__(name, movies, catalogue)
        columns = catalogue if self.wide else len(movies)
        # Zeros are of movies that take no part; the last column has the mean.
        table = np.zeros([len(weights), len(movies) + 1, columns + 1], np.float32)
        for kind, one in zip(table, weights, strict=True):
            means = one.sum(axis=1, keepdims=True, dtype=np.float64) / catalogue
            kind[:-1, movies if self.wide else slice(len(movies))] = one
            kind[:-1, :-1] -= means
            kind[:-1, -1:] = means
        self._weights = tf.Variable(np.concatenate(table), trainable=False)

    @abstractmethod
    def values(self, asked: Asked) -> Sequence[tf.Tensor]:
        """Return values of each rated movie, float32 [n], one for each kind of weights."""

    def centred(self, asked: Asked) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sum over all rated movies."""
        histories = self._places.histories(asked, self.values(asked))
        sums = tf.sparse.sparse_dense_matmul(histories, self._weights)
        scores, mean = sums[:, :-1], sums[:, -1:]
        return scores, mean, self._variance(scores, mean)

    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Multiply values by weights."""
        width, shares = self._places.kept + 1, tf.zeros([])
        weighed, scored = self._places(rated)[:, None], self._places(movies)[:, :, None]
        takes_part = (weighed < self._places.kept) & (scored < self._places.kept)
        columns = tf.broadcast_to(movies[:, :, None] if self.wide else scored, tf.shape(takes_part))
        table = self._weights.value()
        last = tf.fill(tf.shape(weighed), table.shape[1] - 1)
        for kind, values in enumerate(self.values(asked)):
            own = weighed + kind * width
            rows = tf.broadcast_to(own, tf.shape(takes_part))
            means = tf.gather_nd(table, tf.stack([own, last], axis=3))
            weights = tf.gather_nd(table, tf.stack([rows, columns], axis=3)) + means
            shares += self._places.of(asked, values, rated)[:, None] * weights
        return tf.where(takes_part, shares, 0.0)


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

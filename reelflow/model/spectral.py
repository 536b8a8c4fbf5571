"""A spectral model between movies: the main directions in which users differ.

The low-pass filter of graph convolutions in closed form (Shen et al. 2021, "How powerful is graph
convolution for recommendation?"): with the ratings normalised by user and movie, the scores are the
projection of a history on the leading eigenvectors. It generalises over movies that EASE tells
apart, so that the two add up; a few columns in place of a matrix.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from reelflow.base.columns import SPECTRAL
from reelflow.baselines.histories import most_rated
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32
from reelflow.model.items import (
    HALF_LIFE,
    OPINION,
    KeptTerm,
    Places,
    history_options,
    history_values,
    is_wide,
    rated_by_users,
)
from reelflow.model.layers import rows_of
from reelflow.model.terms import Asked, Learner, ProjectedTerm, Settings

SIZE: Final = "size"
"""Name of a setting: number of directions."""
FEWER: Final = 4
"""Movies for each direction, at least."""
DENSE: Final = 1024
"""Movies up to which all eigenvectors are computed."""
BY_USER: Final = 0.5
"""Ratings are divided by this power of the number of ratings of their user."""
BY_MOVIE: Final = 0.375
"""Ratings are divided by this power of the number of ratings of their movie."""


class SpectralLearner(Learner):
    """Leading eigenvectors of the normalised numbers of users that rated both of two movies."""

    name: ClassVar[str] = SPECTRAL

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        """Find the directions.

        Args:
            data: for the train ratings; stars do not matter.
            config: the section `model`.
        """
        self._movies, self._movie_count = most_rated(data, config.item_movies), len(data.catalogue)
        rated = rated_by_users(data)
        by_user = np.maximum(np.diff(rated.indptr), 1.0) ** -BY_USER
        rated = rated[:, self._movies]
        # Of a train split every movie that is kept has ratings.
        self._scale = np.bincount(rated.indices, minlength=len(self._movies)) ** BY_MOVIE
        rated = sparse.diags(by_user) @ rated @ sparse.diags(1.0 / self._scale)
        # All directions together say nothing: each movie would be like itself alone.
        most = max(1, len(self._movies) // FEWER)
        sizes = dict.fromkeys(min(size, most) for size in config.spectral_size)
        self._vectors = _leading(rated.tocsr(), max(sizes))
        self.options = {**history_options(data, config), SIZE: tuple(sizes)}

    def learn(self, settings: Settings) -> Spectral | KeptSpectral:
        """Take as many directions as the settings say."""
        vectors = self._vectors[:, : int(settings[SIZE])]
        left, right = vectors / self._scale[:, None], vectors * self._scale[:, None]
        kept, catalogue = len(self._movies), self._movie_count
        return (Spectral if is_wide(kept, catalogue) else KeptSpectral)(
            self._movies,
            (left.astype(np.float32), right.astype(np.float32)),
            catalogue,
            settings[OPINION],
            settings[HALF_LIFE],
        )


class _Projecting:
    """Projections of histories, weighed by opinion and age, for both forms of the term."""

    _places: Places
    _rated: tf.Variable
    _opinion: float
    _half_life: float

    def _project(self, asked: Asked) -> tf.Tensor:
        """Return those of whole histories, float32 [batch, size]."""
        histories = self._places.histories(asked, [self._values(asked)])
        return tf.sparse.sparse_dense_matmul(histories, self._rated)

    def _project_each(self, asked: Asked, rated: tf.Tensor) -> tf.Tensor:
        """Return those of single rated movies, int32 [batch, n], as float32 [batch, n, size]."""
        of_movies = self._places.of(asked, self._values(asked), rated)[:, :, None]
        return of_movies * rows_of(self._rated, self._places(rated))

    def _values(self, asked: Asked) -> tf.Tensor:
        return history_values(asked, self._half_life, self._opinion)


class Spectral(_Projecting, ProjectedTerm):
    """Scores by the projection of a history on a few directions."""

    def __init__(
        self,
        movies: Int32,
        factors: tuple[Float32, Float32],
        catalogue: int,
        opinion: float,
        half_life: float,
    ) -> None:
        """Make the tables.

        Args:
            movies: `movie_index` of the movies that take part, ascending, [kept].
            factors: of rated and of scored movies, [kept, size] each.
            catalogue: number of movies; also the index of padding.
            opinion: as for `history_values`.
            half_life: as for `history_values`.
        """
        super().__init__(SPECTRAL)
        rated, scored = factors
        self._places = Places(movies, catalogue)
        # One more row of zeros, of the movies that take no part.
        self._rated = tf.Variable(np.pad(rated, [(0, 1), (0, 0)]), trainable=False)
        whole = np.zeros([catalogue, scored.shape[1]], np.float32)
        whole[movies] = scored
        self.factors = tf.constant(whole)
        self._opinion, self._half_life = opinion, half_life

    def queries(self, asked: Asked) -> tf.Tensor:
        """Project histories, weighed by opinion and age."""
        return self._project(asked)

    def shares(self, asked: Asked, rated: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
        """Return the terms of the sum; of a movie that is there twice, both together."""
        return tf.matmul(factors, self._project_each(asked, rated), transpose_b=True)


class KeptSpectral(_Projecting, KeptTerm):
    """The same of a catalogue of which few movies take part, without factors of the others."""

    def __init__(
        self,
        movies: Int32,
        factors: tuple[Float32, Float32],
        catalogue: int,
        opinion: float,
        half_life: float,
    ) -> None:
        """Make the tables, as `Spectral`."""
        super().__init__(SPECTRAL, movies, catalogue)
        rated, scored = (np.pad(one, [(0, 1), (0, 0)]) for one in factors)
        self._rated, self._scored = (tf.Variable(one, trainable=False) for one in (rated, scored))
        self._opinion, self._half_life = opinion, half_life

    def centred(self, asked: Asked) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Multiply the projected histories with the factors."""
        scores = tf.matmul(self._project(asked), self._scored.value()[:-1], transpose_b=True)
        mean = tf.reduce_sum(scores, axis=1, keepdims=True) / self._catalogue
        return scores - mean, mean, self._variance(scores - mean, mean)

    def shares(self, asked: Asked, rated: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
        """Multiply the projections of single movies with the factors."""
        scored = rows_of(self._scored, self._places(movies))
        return tf.matmul(scored, self._project_each(asked, rated), transpose_b=True)


def _leading(rated: sparse.csr_matrix, count: int) -> npt.NDArray[np.float64]:
    """Return the leading eigenvectors of R'R, float64 [movies, count or fewer], largest first."""
    movies = rated.shape[1]
    # Lanczos needs more dimensions than vectors, and is unsure where eigenvalues are equal, as in
    # small worlds.
    if movies <= max(DENSE, count + 1):
        _, vectors = np.linalg.eigh((rated.T @ rated).toarray())
        leading: npt.NDArray[np.float64] = vectors[:, ::-1][:, :count]
        return leading
    flipped = rated.T.tocsr()
    operator = LinearOperator((movies, movies), lambda x: flipped @ (rated @ x), dtype=np.float64)
    values, vectors = eigsh(operator, k=count, v0=np.ones(movies), tol=1e-6)
    largest_first: npt.NDArray[np.float64] = vectors[:, np.argsort(-values)]
    return largest_first

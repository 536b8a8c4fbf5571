"""EASE: linear weights between movies, in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from reelflow.baselines.base import HistoryBaseline, block_rows, everything
from reelflow.encoding.encoded import Float32, Int32, Int64

RIDGE = 300.0
"""L2 regularisation of the weights."""
MOVIES_MAX = 20_000
"""Size of the largest system of equations: 3.2 GB in float64."""

Float64 = npt.NDArray[np.float64]


class EASE(HistoryBaseline):
    """Embarrassingly shallow autoencoder.

    Steck 2019, "Embarrassingly shallow autoencoders for sparse data".

    With X the ones [users, movies] and P = (X'X + ridge I)^-1, the weights are B = I - P / diag(P)
    (column by column), and the scores X B = X - X P / diag(P).

    The smaller of two systems is solved:
    - over movies, P itself, [movies, movies];
    - over users, K = (X X' + ridge I)^-1, [users, users], for X P = K X and
      diag(P)_j = (1 - x_j' K x_j) / ridge (Woodbury), so that P is never formed.

    Where there are more than `movies_max` of both, only the most rated movies take part; the others
    share the lowest score.
    """

    candidates = tuple({"ridge": ridge} for ridge in (RIDGE, 30.0, 100.0, 1000.0, 3000.0))

    def __init__(self, ridge: float = RIDGE, movies_max: int = MOVIES_MAX) -> None:
        self._ridge = ridge
        self._movies_max = movies_max

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        users, movies = ratings.shape
        self._kept: Int64 = np.arange(movies)
        if min(users, movies) > self._movies_max:
            most = np.argsort(-self._popularity, kind="stable")[: self._movies_max]
            self._kept = np.sort(most)
        known: sparse.csr_matrix = ratings[:, self._kept]
        self._matrix = known
        self._by_users = users < len(self._kept)
        if self._by_users:
            inverse = ridge_inverse(products(known), self._ridge)
            self._left = inverse.astype(np.float32)
            self._diagonal = (1.0 - _quadratic(known, self._left)) / np.float32(self._ridge)
        else:
            inverse = ridge_inverse(products(known.T.tocsr()), self._ridge)
            self._diagonal = inverse.diagonal().astype(np.float32)
            self._left = inverse.astype(np.float32)

    def _score(self, users: Int32) -> Float32:
        seen = self._matrix[users]
        if self._by_users:
            projected = np.asarray(self._matrix.T @ self._left[:, users]).T
        else:
            projected = np.asarray(seen @ self._left)
        scores: Float32 = seen.toarray() - projected / self._diagonal
        return everything(scores, self._kept, self._rated.shape[1])

    @property
    def parameters(self) -> int:
        """Number of weights between movies."""
        return len(self._kept) * (len(self._kept) - 1)


def products(rows: sparse.csr_matrix) -> Float64:
    """Return R R' of R, sparse [n, m], as float64 [n, n] in Fortran order."""
    size = rows.shape[0]
    gram = np.empty((size, size), np.float64, order="F")
    step = block_rows(size)
    for start in range(0, size, step):
        gram[start : start + step] = (rows[start : start + step] @ rows.T).toarray()
    return gram


def ridge_inverse(gram: Float64, ridge: float) -> Float64:
    """Return (G + ridge I)^-1, float64 [n, n], by Cholesky in the place of G."""
    size = len(gram)
    gram.flat[:: size + 1] += ridge
    factor, _ = linalg.lapack.dpotrf(gram, lower=1, overwrite_a=1, clean=0)
    inverse, _ = linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    step = block_rows(size)
    for start in range(0, size, step):  # LAPACK leaves the upper triangle as it was
        inverse[start : start + step, start:size] = _mirrored(inverse, start, step)
    full: Float64 = inverse
    return full


def _mirrored(lower: Float64, start: int, step: int) -> Float64:
    """Complete rows of a symmetric matrix, from the diagonal on, by its lower triangle."""
    block = lower[start:, start : start + step].T.copy()
    width = block.shape[0]
    corner = block[:, :width]
    corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return block


def _quadratic(ratings: sparse.csr_matrix, kernel: Float32) -> Float32:
    """Return x_j' K x_j of every column x_j, float32 [movies]."""
    columns = ratings.T.tocsr()
    movies, users = columns.shape
    step = block_rows(users)
    parts = [
        np.asarray(
            columns[i : i + step].multiply(columns[i : i + step] @ kernel).sum(axis=1)
        ).ravel()
        for i in range(0, movies, step)
    ]
    joined: Float32 = np.concatenate(parts).astype(np.float32)
    return joined

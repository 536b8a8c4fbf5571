"""Item-based nearest neighbours by cosine."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from reelflow.baselines.base import HistoryBaseline, block_rows
from reelflow.encoding.encoded import Float32, Int32

NEIGHBOURS = 100
"""Neighbours that each movie is scored by."""
SHRINKAGE = 10.0
"""Added to the cosine's denominator, which lowers similarities that few users support."""


class ItemKNN(HistoryBaseline):
    """Sum of similarities to the rated movies among a movie's neighbours.

    Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms"; as a top-N
    recommender Deshpande & Karypis 2004. Similarity is the cosine of the movies' raters, shrunk:
    both / (sqrt(raters_i raters_j) + shrinkage).
    """

    candidates = tuple(
        {"neighbours": neighbours, "shrinkage": shrinkage}
        for neighbours in (NEIGHBOURS, 30, 300)
        for shrinkage in (SHRINKAGE, 1.0, 100.0)
    )

    def __init__(self, neighbours: int = NEIGHBOURS, shrinkage: float = SHRINKAGE) -> None:
        self._neighbours = neighbours
        self._shrinkage = np.float32(shrinkage)

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        """Find the neighbours, a dense block of movies at a time."""
        raters = ratings.T.tocsr()
        movies = raters.shape[0]
        size = block_rows(movies)
        blocks = [self._nearest(raters[i : i + size] @ ratings, i) for i in range(0, movies, size)]
        # Row j: the weights of movie j's neighbours. Scoring needs them by the rated movie.
        self._weights = sparse.vstack(blocks).T.tocsr()

    def _nearest(self, both: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
        """Find the neighbours of a block of movies, with similarities, sparse [block, movies].

        Args:
            both: number of users who rated both movies, [block, movies].
            first: the block's first movie.
        """
        root = np.sqrt(self._popularity)
        block = np.arange(first, first + both.shape[0])
        similar = both.toarray()
        similar /= root[block, None] * root[None, :] + self._shrinkage
        similar[np.arange(len(block)), block] = 0.0
        count = min(self._neighbours, similar.shape[1] - 1)
        if count < 1:
            return sparse.csr_matrix(similar.shape, dtype=np.float32)
        nearest = np.argpartition(similar, -count, axis=1)[:, -count:]
        weights = np.take_along_axis(similar, nearest, axis=1)
        starts = np.arange(0, nearest.size + 1, count)
        matrix = sparse.csr_matrix((weights.ravel(), nearest.ravel(), starts), shape=similar.shape)
        matrix.eliminate_zeros()
        return matrix

    def _score(self, users: Int32) -> Float32:
        scores: Float32 = (self._rated[users] @ self._weights).toarray()
        return scores

    @property
    def parameters(self) -> int:
        """Number of similarities."""
        return int(self._weights.nnz)

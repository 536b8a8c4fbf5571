"""Implicit-feedback matrix factorisation by alternating least squares."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from reelflow.baselines.base import HistoryBaseline
from reelflow.encoding.encoded import Float32, Int32


class IALS(HistoryBaseline):
    """Weighted matrix factorisation of implicit feedback.

    Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets".

    A rating is a preference of 1 with confidence `alpha`, everything else one of 0 with confidence
    1, fitted by the `implicit` library. L2 is `regularization` times sqrt(ratings / users) +
    sqrt(ratings / movies), as far as the singular values of such a matrix of chance reach, so that
    one setting does for small data and for big ones.
    """

    candidates = tuple(
        {"factors": factors, "regularization": regularization, "alpha": alpha}
        for factors in (64, 32)
        for regularization in (4.0, 1.0)
        for alpha in (10.0, 3.0)
    )

    def __init__(
        self,
        factors: int = 64,
        regularization: float = 4.0,
        alpha: float = 10.0,
        iterations: int = 15,
        seed: int = 42,
    ) -> None:
        self._factors = factors
        self._regularization = regularization
        self._alpha = alpha
        self._iterations = iterations
        self._seed = seed

    def _learn(self, ratings: sparse.csr_matrix) -> None:
        # Imported here, as only gates with this baseline need it.
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        sides = np.count_nonzero(~self._without_ratings), np.count_nonzero(self._popularity)
        chance = sum(np.sqrt(ratings.nnz / max(side, 1)) for side in sides)
        # Each of implicit's threads calls BLAS: with BLAS's own threads they would fight for cores.
        with threadpool_limits(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=self._factors,
                regularization=self._regularization * chance,
                alpha=self._alpha,
                iterations=self._iterations,
                dtype=np.float32,
                random_state=self._seed,
            )
            model.fit(ratings, show_progress=False)
        self._users: Float32 = np.asarray(model.user_factors)
        self._movies: Float32 = np.asarray(model.item_factors)

    def _score(self, users: Int32) -> Float32:
        scores: Float32 = self._users[users] @ self._movies.T
        return scores

    @property
    def parameters(self) -> int:
        """Number of factors of both sides."""
        return int(self._users.size + self._movies.size)

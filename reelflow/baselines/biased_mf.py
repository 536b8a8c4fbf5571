"""Matrix factorisation of stars with biases, by alternating least squares."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from reelflow.baselines.base import Baseline, block_rows, popularity, rated
from reelflow.baselines.biases import Biases
from reelflow.encoding.encoded import EncodedData, Float32, Int32


class BiasedMF(Baseline):
    """mean + b_u + b_i + p_u . q_i (Koren, Bell & Volinsky 2009, "Matrix factorization", eq. 4).

    Solved side by side in closed form, all users at once, then all movies (Zhou et al. 2008,
    "Large-scale parallel collaborative filtering for the Netflix prize"), so that there is no step
    size.

    Ranking by predicted stars would fall far below popularity: movies with a handful of enthusiasts
    lead every list (Cremonesi, Koren & Turrin 2010, "Performance of recommender algorithms on top-N
    recommendation tasks"). So the score is log(1 + raters) + p_u . q_i, popularity shifted by the
    user's own taste. Stars say little about what is watched next: expect little more.
    """

    candidates = tuple({"l2": l2} for l2 in (15.0, 5.0, 50.0))

    def __init__(
        self,
        factors: int = 16,
        l2: float = 15.0,
        bias_l2: float = 5.0,
        iterations: int = 15,
        seed: int = 42,
    ) -> None:
        self._factors = factors
        self._penalty = np.diag([l2] * factors + [bias_l2]).astype(np.float32)
        self._iterations = iterations
        self._seed = seed

    def fit(self, data: EncodedData) -> None:
        """Solve for users and movies in turn."""
        users, movies = data.sizes.users, len(data.catalogue)
        self._biases = Biases.of(data)
        rows = data.train
        stars = (rows.rating - np.float32(self._biases.mean)).astype(np.float32)
        # Sums of stars and numbers of ratings: a pair that is there twice counts twice.
        by_user = [
            sparse.csr_matrix((values, (rows.user_index, rows.movie_index)), shape=(users, movies))
            for values in (stars, np.ones_like(stars))
        ]
        by_movie = [matrix.T.tocsr() for matrix in by_user]
        random = np.random.default_rng(self._seed)
        user = np.zeros((users, self._factors + 1), np.float32)
        movie = random.normal(0.0, 0.1, (movies, self._factors + 1)).astype(np.float32)
        movie[:, -1] = self._biases.movies[:movies]
        # BLAS's threads cost more than they give on systems of so few equations.
        with threadpool_limits(limits=1, user_api="blas"):
            for _ in range(self._iterations):
                user = self._solve(movie, *by_user)
                movie = self._solve(user, *by_movie)
        # The unknown user and the unknown movie have neither bias nor factors.
        self._users = np.vstack([user, np.zeros_like(user[:1])])
        self._movies = np.vstack([movie, np.zeros_like(movie[:1])])
        self._popularity = np.log1p(popularity(rated(data)))

    def _solve(
        self, other: Float32, stars: sparse.csr_matrix, counts: sparse.csr_matrix
    ) -> Float32:
        """Solve for factors and biases of one side, given the other's.

        Args:
            other: factors, then the bias, [others, size + 1].
            stars: sums of stars less the mean, sparse [owners, others].
            counts: of ratings, the same shape.

        Returns:
            The same for the owners, [owners, size + 1].
        """
        width = other.shape[1]
        design = other.copy()
        design[:, -1] = 1.0
        products = (design[:, :, None] * design[:, None, :]).reshape(-1, width * width)
        weighted = design * other[:, -1:]
        step = block_rows(width * width)
        solved = np.empty((stars.shape[0], width), np.float32)
        for start in range(0, stars.shape[0], step):
            block = slice(start, start + step)
            gram = (counts[block] @ products).reshape(-1, width, width) + self._penalty
            target = stars[block] @ design - counts[block] @ weighted
            solved[block] = np.linalg.solve(gram, target[:, :, None])[:, :, 0]
        return solved

    def scores(self, users: Int32) -> Float32:
        """Return popularity plus taste; users without train ratings have no factors."""
        taste = self._users[users, :-1] @ self._movies[:-1, :-1].T
        scores: Float32 = taste + self._popularity
        return scores

    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Predict stars inside the scale, float32 [batch]."""
        user, movie = self._users[users], self._movies[movies]
        stars = np.sum(user[:, :-1] * movie[:, :-1], axis=1) + user[:, -1] + movie[:, -1]
        return self._biases.clip(stars + np.float32(self._biases.mean))

    @property
    def parameters(self) -> int:
        """Number of factors and biases of both sides."""
        return int(self._users.size + self._movies.size)

"""Gibbs draws of the vectors of users or of movies, with features behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from reelflow.encoding.encoded import Float32

Floats = npt.NDArray[np.float64]

STEPS: Final = 8
"""Steps of conjugate gradients that a draw of feature weights takes; each draw begins at the one
before, and more change nothing that could be measured."""
CELLS: Final = 1 << 19
"""Cells of products of coordinates in memory at a time, 4 MiB of float64: few, as fresh memory
costs more than the products."""
START: Final = 0.3
"""Standard deviation of first vectors."""
START_PRECISION: Final = 10.0
"""First precision of vectors around what their features say."""
WEIGHT_PRECISION: Final = 20.0
"""First precision of feature weights."""
MOST_PRECISION: Final = 1e6
"""Precision of vectors at most: that of numbers which are all but equal."""
JITTER: Final = 1e-10
"""Share of its trace that is added to the diagonal of a small matrix."""
ROUNDING: Final = 1e-6
"""Share of its trace that is added to the diagonal of a product in float32, whose rounding must not
make it negative."""
SHAPE: Final = 0.5
"""Shape of the gamma priors of precisions."""
RATE: Final = 0.05
"""Rate of the gamma priors of precisions."""
SCALE_PRECISION: Final = 0.01
"""Precision of the priors of scales: nearly none."""


class Features(Protocol):
    """Features of owners, as a linear map; `count` columns."""

    count: int

    def of(self, weights: Floats) -> Floats:
        """Return features times weights, [owners, size]."""

    def back(self, vectors: Floats) -> Floats:
        """Return transposed features times vectors, [count, size]."""

    def squares(self) -> Floats:
        """Return the sum of the squares of each column, [count]."""


class Table:
    """Features in a dense table."""

    def __init__(self, values: Float32) -> None:
        """Keep the table, [owners, count]."""
        self.count = values.shape[1]
        self._values = values.astype(np.float64)

    def of(self, weights: Floats) -> Floats:
        """Return features times weights, [owners, size]."""
        return self._values @ weights

    def back(self, vectors: Floats) -> Floats:
        """Return transposed features times vectors, [count, size]."""
        return self._values.T @ vectors

    def squares(self) -> Floats:
        """Return the sum of the squares of each column, [count]."""
        squares: Floats = (self._values**2).sum(axis=0)
        return squares


class Bag:
    """The implicit feedback: 1 / sqrt(n) for each of an owner's n members, as in SVD++.

    Sums are taken in float32, which halves the time: their rounding is far below the noise that is
    put into them.
    """

    def __init__(self, members: sparse.csr_matrix, owners: sparse.csr_matrix) -> None:
        """Keep both orders of the pairs.

        Args:
            members: ones, [owners, members].
            owners: its transpose.
        """
        self.count = members.shape[1]
        self._members, self._owners = members, owners
        self.share = 1.0 / np.sqrt(np.maximum(np.diff(members.indptr), 1.0))
        """1 / sqrt(n) of each owner, of one member where there are none, float64 [owners]."""

    def of(self, weights: Floats) -> Floats:
        """Return features times weights, [owners, size]."""
        sums: Floats = self.share[:, None] * (self._members @ weights.astype(np.float32))
        return sums

    def back(self, vectors: Floats) -> Floats:
        """Return transposed features times vectors, [count, size]."""
        sums = self._owners @ (self.share[:, None] * vectors).astype(np.float32)
        return sums.astype(np.float64)

    def squares(self) -> Floats:
        """Return the sum of the squares of each column, [count]."""
        squares: Floats = self._owners @ self.share**2
        return squares


class Vectors:
    """Vectors w of owners, of which each sees some of the other side's vectors x in ratings.

    rating = x . w + noise; w = features . weights + mean + deviation. Each coordinate has its own
    precision of deviations, and for each group of features one of weights, so that what is not
    needed shrinks to nothing. Draws of w are exact, of a whole vector at once (Salakhutdinov & Mnih
    2008, "Bayesian probabilistic matrix factorization using MCMC"); those of feature weights are
    solutions of least squares with noise put in (Simm et al. 2015, "Macau", section 3.2). Scales of
    deviations and of groups are redundant parameters that are drawn too, without which precisions
    hardly move from draw to draw (Gelman et al. 2008, "Using redundant parameterizations to fit
    hierarchical models").
    """

    def __init__(
        self,
        pairs: sparse.csr_matrix,
        features: Sequence[Features],
        size: int,
        random: np.random.Generator,
    ) -> None:
        """Draw first vectors around 0.

        Args:
            pairs: ones at the ratings, [owners, others], in the order in which draws get them.
            features: groups of features of the owners, at least one.
            size: coordinates of a vector.
            random: of all draws.
        """
        owners = pairs.shape[0]
        self._pairs, self._random, self._size = pairs, random, size
        self.rated = (np.diff(pairs.indptr) > 0)[:, None]
        """True for owners with ratings, bool [owners, 1]."""
        self._features = list(features)
        self._squares = [group.squares()[:, None] for group in features]
        self.value: Floats = START * random.normal(size=(owners, size))
        """The last draw, float64 [owners, size]."""
        self.expected: Floats = np.zeros_like(self.value)
        """Its expectation, given the other side."""
        self.prior_shares: Floats = np.ones_like(self.value)
        """By how much a coordinate would move with what its features say, float64 [owners, size]:
        1 without ratings, near 0 with many."""
        self.weights = [np.zeros((group.count, size)) for group in features]
        """Weights of each group of features, float64 [count, size]."""
        self._by_features = np.zeros_like(self.value)
        self._mean = np.zeros(size)
        self._precision = np.full(size, START_PRECISION)
        self._weight_precisions = [np.full(size, WEIGHT_PRECISION) for _ in features]

    def draw(self, other: Floats, targets: Floats, precisions: Floats) -> None:
        """Draw all vectors, given the other side's, then all that is behind them.

        Args:
            other: the other side's vectors, float64 [others, size].
            targets: what x . w is to be, float64 [ratings].
            precisions: of each rating's noise, float64 [ratings].
        """
        prior = self._by_features + self._mean
        size = self._size
        of_scales, towards = SCALE_PRECISION * np.eye(size), np.full(size, SCALE_PRECISION)
        others = other.astype(np.float32)
        for rows in self._blocks():
            grams = self._grams(rows, others, targets, precisions)
            squares, pulls = grams[:, :-1, :-1], grams[:, :-1, -1]
            rounded = ROUNDING * np.trace(squares, axis1=1, axis2=2)[:, None, None]
            squares = squares + rounded * np.eye(size)
            precision = squares + np.diag(self._precision)
            right = pulls + prior[rows] * self._precision
            diagonal = np.einsum("ndd->nd", precision)
            self.prior_shares[rows] = self._precision / diagonal
            factors = np.linalg.cholesky(precision)
            half = forward(factors, right)
            noise = self._random.normal(size=half.shape)
            self.expected[rows] = backward(factors, half)
            self.value[rows] = self.expected[rows] + backward(factors, noise)
            away = self.value[rows] - prior[rows]
            of_scales += (away[:, :, None] * away[:, None, :] * squares).sum(axis=0)
            rest = pulls - np.matmul(squares, prior[rows][:, :, None])[:, :, 0]
            towards += (away * rest).sum(axis=0)
        [scales] = self._normal(of_scales[None], towards[None])
        self.value = np.where(self.rated, prior + scales * (self.value - prior), prior)
        self._precision = np.minimum(self._precision / scales**2, MOST_PRECISION)
        self._draw_weights()
        deviations = (self.value - self._by_features)[self.rated[:, 0]]
        count = len(deviations)
        noise = self._random.normal(size=size) / np.sqrt(count * self._precision)
        self._mean = deviations.mean(axis=0) + noise
        self._precision = self._gamma(count, ((deviations - self._mean) ** 2).sum(axis=0))

    def _blocks(self) -> Iterator[slice]:
        count = self.value.shape[0]
        rows = max(1, CELLS // (self._size + 1) ** 2)
        return (slice(at, min(at + rows, count)) for at in range(0, count, rows))

    def _grams(self, rows: slice, others: Float32, targets: Floats, precisions: Floats) -> Floats:
        """Return the products of what owners see, the targets as one more column of it.

        Products are in float32, as in `Bag`, owner by owner: matrices are multiplied many times
        faster than sparse rows of all pairs of coordinates.

        Returns:
            float64 [owners, size + 1, size + 1].
        """
        ends = self._pairs.indptr[rows.start : rows.stop + 1]
        at = slice(ends[0], ends[-1])
        roots = np.sqrt(precisions[at]).astype(np.float32)
        seen = np.empty((len(roots), self._size + 1), np.float32)
        seen[:, :-1] = np.take(others, self._pairs.indices[at], axis=0)
        seen[:, -1] = targets[at]
        seen *= roots[:, None]
        grams = np.empty((len(ends) - 1, self._size + 1, self._size + 1), np.float32)
        firsts, counts = ends[:-1] - ends[0], np.diff(ends)
        for count in np.unique(counts):
            # Owners of few ratings are many: those with as many as each other go together.
            alike = np.flatnonzero(counts == count)
            some = seen[firsts[alike][:, None] + np.arange(count)]
            grams[alike] = some.transpose(0, 2, 1) @ some
        return grams.astype(np.float64)

    def _draw_weights(self) -> None:
        """Draw the weights of all features, then a scale and the precision of each group."""
        random, precision = self._random, self._precision
        wanted = self.rated * (self.value - self._mean)
        noise = self.rated * random.normal(size=wanted.shape) / np.sqrt(precision)
        right = [
            precision * group.back(wanted + noise) + np.sqrt(own) * random.normal(size=w.shape)
            for group, own, w in zip(
                self._features, self._weight_precisions, self.weights, strict=True
            )
        ]
        self._solve(right)
        parts = np.stack([g.of(w) for g, w in zip(self._features, self.weights, strict=True)])
        rated = parts * self.rated
        of_scales = np.einsum("gnd,hnd->dgh", rated, parts, optimize=True)
        of_scales *= precision[:, None, None]
        of_scales += SCALE_PRECISION * np.eye(len(parts))
        towards = np.einsum("gnd,nd->dg", rated, wanted, optimize=True) * precision[:, None]
        scales = self._normal(of_scales, towards + SCALE_PRECISION).T
        self._by_features = (parts * scales[:, None, :]).sum(axis=0)
        self.weights = [w * scale for w, scale in zip(self.weights, scales, strict=True)]
        self._weight_precisions = [self._gamma(len(w), (w**2).sum(axis=0)) for w in self.weights]

    def _solve(self, right: list[Floats]) -> None:
        """Take steps of preconditioned conjugate gradients, each coordinate on its own."""
        owns, precision = self._weight_precisions, self._precision

        def image(weights: Sequence[Floats]) -> list[Floats]:
            sums = [g.of(w) for g, w in zip(self._features, weights, strict=True)]
            sight = precision * self.rated * np.sum(sums, axis=0)
            back = zip(self._features, owns, weights, strict=True)
            return [group.back(sight) + own * w for group, own, w in back]

        def dot(a: Sequence[Floats], b: Sequence[Floats]) -> Floats:
            dots: Floats = np.sum(
                [np.einsum("pd,pd->d", x, y) for x, y in zip(a, b, strict=True)], axis=0
            )
            return dots

        usual = [
            1.0 / (precision * squares + own)
            for squares, own in zip(self._squares, owns, strict=True)
        ]
        left = [r - i for r, i in zip(right, image(self.weights), strict=True)]
        near = [u * r for u, r in zip(usual, left, strict=True)]
        way, now = near, dot(left, near)
        for _ in range(STEPS):
            seen = image(way)
            length = now / np.maximum(dot(way, seen), 1e-30)
            self.weights = [w + length * d for w, d in zip(self.weights, way, strict=True)]
            left = [r - length * s for r, s in zip(left, seen, strict=True)]
            near = [u * r for u, r in zip(usual, left, strict=True)]
            then, now = now, dot(left, near)
            turn = now / np.maximum(then, 1e-30)
            way = [n + turn * d for n, d in zip(near, way, strict=True)]

    def _normal(self, precisions: Floats, pulls: Floats) -> Floats:
        """Draw from N(P^-1 h, P^-1) for each P, [n, k, k], and h, [n, k]."""
        # Features that say the same make them singular, but for rounding.
        size = precisions.shape[1]
        ridges = JITTER * np.trace(precisions, axis1=1, axis2=2)
        factors = np.linalg.cholesky(precisions + ridges[:, None, None] * np.eye(size))
        half = forward(factors, pulls)
        return backward(factors, half + self._random.normal(size=half.shape))

    def _gamma(self, count: int, squares: Floats) -> Floats:
        """Draw the precisions of so many normal numbers with these sums of squares."""
        return self._random.gamma(SHAPE + count / 2, 1.0 / (RATE + squares / 2))


def forward(factors: Floats, right: Floats) -> Floats:
    """Solve L x = b for many lower triangles, [n, k, k], and right sides, [n, k]."""
    solved = np.empty_like(right)
    for at in range(right.shape[1]):
        known = np.einsum("nk,nk->n", factors[:, at, :at], solved[:, :at])
        solved[:, at] = (right[:, at] - known) / factors[:, at, at]
    return solved


def backward(factors: Floats, right: Floats) -> Floats:
    """Solve L' x = b for many lower triangles, [n, k, k], and right sides, [n, k]."""
    solved = right.copy()
    for at in range(right.shape[1] - 1, -1, -1):
        solved[:, at] /= factors[:, at, at]
        solved[:, :at] -= factors[:, at, :at] * solved[:, at, None]
    return solved

"""Bayesian matrix factorisation with implicit feedback and features, by Gibbs sampling."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass
from threading import Event
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.model.candidates import genre_shares
from reelflow.model.rating.frozen import FrozenModel
from reelflow.model.rating.heads import Factors
from reelflow.model.rating.outputs import MeanOutput
from reelflow.model.rating.svdpp import TRAIT_SCALE, movie_traits, usual_count
from reelflow.model.rating.vectors import Bag, Features, Table, Vectors

Floats = npt.NDArray[np.float64]

WARM_UP: Final = 4
"""One draw in so many that are kept is made before, and thrown away."""
USER_NOISE: Final = 5.0
"""Shape and rate of the gamma prior of users' precisions, around 1."""
BLOCK: Final = 4
"""Draws whose factors are kept before they are compressed."""
RANK: Final = 4
"""Exported factors for each factor of a draw."""
ROWS: Final = 1 << 15
"""Ratings whose errors are computed at a time."""
MANY: Final = 500_000
"""Ratings beyond which draws are larger and fewer."""
USUAL_DRAWS: Final = 100
"""Draws that are kept where `model.rating_draws` does not say, of up to so many ratings."""
LEAST_DRAWS: Final = 30
"""Draws of more ratings, at least."""


def usual_draws(ratings: int) -> int:
    """Return the draws to keep of so many ratings: in proportion fewer where they are many."""
    return max(LEAST_DRAWS, min(USUAL_DRAWS, USUAL_DRAWS * MANY // max(ratings, 1)))


def draw_size(config: ModelConfig, ratings: int) -> int:
    """Return the factors of a draw, by the section `model` and the number of ratings."""
    return config.rating_draw_size or (16 if ratings <= MANY else 32)


def draws(config: ModelConfig, ratings: int) -> int:
    """Return the draws to keep, 0 for none, by the section `model` and the number of ratings."""
    if not config.rating_weight:
        return 0
    if config.rating_draws is not None:
        return config.rating_draws
    suits = config.rating_head == "svdpp" and config.rating_output == "mean"
    return usual_draws(ratings) if suits else 0


@dataclass
class Posterior:
    """The sum of predictions over draws, as factors of bounded rank.

    A sum of products of factors is the product of the factors side by side; whenever they are too
    many, they are replaced by the nearest ones of `rank` (Eckart & Young 1936).
    """

    rank: int
    users: Floats
    """Factors, float64 [users, any]."""
    movies: Floats
    """Factors, float64 [movies, any]."""

    def add(self, users: Floats, movies: Floats) -> None:
        """Add a draw's predictions, users . movies'."""
        self.users = np.hstack([self.users, users])
        self.movies = np.hstack([self.movies, movies])
        if self.users.shape[1] >= self.rank + BLOCK * users.shape[1]:
            self.compress()

    def compress(self) -> None:
        """Replace the factors by the nearest ones of `rank`."""
        if self.users.shape[1] <= self.rank:
            return
        (half_u, back_u), (half_m, back_m) = (_root(s.T @ s) for s in (self.users, self.movies))
        left, values, right = np.linalg.svd(half_u.T @ half_m, full_matrices=False)
        root = np.sqrt(values[: self.rank])
        self.users = self.users @ (back_u @ left[:, : self.rank] * root)
        self.movies = self.movies @ (back_m @ right[: self.rank].T * root)


def _root(square: Floats) -> tuple[Floats, Floats]:
    """Return L with L L' = `square`, [n, n], and the inverse of L', both without null space."""
    values, vectors = np.linalg.eigh(square)
    kept = values > 1e-12 * max(values[-1], 1e-300)
    roots = np.sqrt(values[kept])
    return vectors[:, kept] * roots, vectors[:, kept] / roots


def bayesian_ratings(
    data: EncodedData, config: ModelConfig, count: int, seed: int, given_up: Event | None = None
) -> FrozenModel:
    """Return the posterior mean of a Bayesian matrix factorisation, as one dot product.

    In standard deviations of the train ratings,

    rating - mean = b_u + b_i + p_u . q_i + noise of the user's own size

    where the vectors (b_u, p_u) lie around what the movies say that the user has rated, and (b_i,
    q_i) around what raters, genres, popularity and year say: `Vectors`. This is the model of
    Freudenthaler, Schmidt-Thieme & Rendle 2011, "Bayesian factorization machines", with the
    features that Rendle, Zhang & Koren 2019, "On the difficulty of evaluating baselines", found
    best, drawn by whole vectors, and with users of different noise (Lakshminarayanan, Bouchard &
    Archambeau 2011, "Robust Bayesian matrix factorisation"). Nothing has to be tuned or stopped,
    and no rating is held out.

    Each draw counts with the expectation of the users' vectors given the movies' (Rao-Blackwell).
    A rated pair is in its own user's and movie's implicit feedback, as one to predict is not: what
    it would add to both vectors, x_i / sqrt(n_u) and z_u / sqrt(n_i) as far as they still follow
    their features, is added.

    Time and memory are linear in the ratings.

    Args:
        data: trains on train.
        config: the section `model`, for the size of draws.
        count: draws to keep, at least 1.
        seed: of all draws.
        given_up: set by another thread that has no more use for the draws.

    Raises:
        CancelledError: they were given up.
    """
    size = draw_size(config, len(data.train))
    # Threads would wait for each other at each of the many small matrices.
    with threadpool_limits(limits=1, user_api="blas"):
        chain = _Chain(data, size, np.random.default_rng(seed), given_up or Event())
        return _posterior_mean(chain, data, size, count)


def _posterior_mean(chain: _Chain, data: EncodedData, size: int, count: int) -> FrozenModel:
    for _ in range(count // WARM_UP + 1):
        chain.draw()
    users, movies = data.sizes.users, len(data.catalogue)
    sums = Posterior(RANK * size, np.zeros((users, 0)), np.zeros((movies, 0)))
    biases = [np.zeros((users, 1)), np.zeros((movies, 1))]
    for _ in range(count):
        chain.draw()
        sides = chain.predictors()
        sums.add(*(factors for _, factors in sides))
        for mean, (bias, _) in zip(biases, sides, strict=True):
            mean += bias / count
    sums.compress()
    # b_u . 1 + 1 . b_i + factors
    of_users = [biases[0], np.ones((users, 1)), sums.users / count]
    of_movies = [np.ones((movies, 1)), biases[1], sums.movies]
    tables = [np.hstack(parts).astype(np.float32) for parts in (of_users, of_movies)]
    # Unknown ones are the mean of all, each counted once.
    tables = [np.vstack([table, table.mean(axis=0)]) for table in tables]
    factors = Factors(users=tables[0], movies=tables[1], directions=tables[1][:-1, 2:])
    return FrozenModel(factors, MeanOutput(data.train.rating), None)


class _Chain:
    """The Markov chain of all draws."""

    def __init__(
        self, data: EncodedData, size: int, random: np.random.Generator, given_up: Event
    ) -> None:
        train = data.train
        self._given_up = given_up
        users, movies = data.sizes.users, len(data.catalogue)
        self._random, self._size = random, size
        self._user, self._movie = train.user_index, train.movie_index
        rating = train.rating.astype(np.float64)
        self._rating = (rating - rating.mean()) / (rating.std() or 1.0)
        self._by_movie = np.argsort(self._movie, kind="stable")
        ends = np.searchsorted(self._user, np.arange(users + 1))
        ones = np.ones(len(rating), np.float32)
        rated = sparse.csr_matrix((ones, self._movie, ends), (users, movies))
        ends = np.searchsorted(self._movie[self._by_movie], np.arange(movies + 1))
        raters = sparse.csr_matrix((ones, self._user[self._by_movie], ends), (movies, users))
        bags = Bag(rated, raters), Bag(raters, rated)
        self._user_share, self._movie_share = (bag.share for bag in bags)
        of_users: list[Features] = [bags[0]]
        of_movies: list[Features] = [bags[1], Table(_traits(data))]
        if data.sizes.genres:
            of_movies.append(Table(genre_shares(data.catalogue, data.sizes.genres).numpy()))
        self._users = Vectors(rated, of_users, size + 1, random)
        self._movies = Vectors(raters, of_movies, size + 1, random)
        for side in (self._users, self._movies):
            side.value[:, size] = 0.0
        self._precision = 1.0
        self._user_precision = np.ones(users)

    def draw(self) -> None:
        """Draw movies, users and noise, one after the other.

        Raises:
            CancelledError: draws were given up.
        """
        if self._given_up.is_set():
            raise CancelledError
        users, movies, size = self._users, self._movies, self._size
        precisions = self._precision * self._user_precision[self._user]
        order = self._by_movie
        targets = self._rating - users.value[self._user, size]
        movies.draw(_with_one(users.value), targets[order], precisions[order])
        users.draw(
            _with_one(movies.value), self._rating - movies.value[self._movie, size], precisions
        )
        squares = self._squared_errors()
        own = self._user_precision[self._user]
        rate = 1.0 + (squares * own).sum() / 2
        self._precision = self._random.gamma(1.0 + len(squares) / 2, 1.0 / rate)
        counts = np.bincount(self._user, minlength=len(users.value))
        errors = self._precision * np.bincount(self._user, squares, len(users.value))
        self._user_precision = self._random.gamma(
            USER_NOISE + counts / 2, 1.0 / (USER_NOISE + errors / 2)
        )

    def predictors(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Return the biases, [owners, 1], and factors, [owners, any], of users and of movies."""
        size = self._size
        user, movie = self._users.expected, self._movies.value
        # What the pair would add to the user's vector, and to the movie's.
        # Weights of movies without ratings are drawn of nothing, around 0.
        known = self._movies.rated
        of_users = [
            self._users.prior_shares * self._user_share[:, None],
            self._movies.weights[0] * _with_one(user),
        ]
        of_movies = [
            known * self._users.weights[0] * _with_one(movie),
            self._movies.prior_shares * self._movie_share[:, None],
        ]
        return (
            (user[:, size:], np.hstack([user[:, :size], *of_users])),
            (movie[:, size:], np.hstack([movie[:, :size], *of_movies])),
        )

    def _squared_errors(self) -> Floats:
        """Return the squared error of each rating, float64 [ratings]."""
        size, squares = self._size, np.empty(len(self._rating))
        users, movies = (side.value.astype(np.float32) for side in (self._users, self._movies))
        for at in range(0, len(squares), ROWS):
            rows = slice(at, at + ROWS)
            user, movie = users[self._user[rows]], movies[self._movie[rows]]
            found = np.einsum("nk,nk->n", user[:, :size], movie[:, :size])
            squares[rows] = (self._rating[rows] - found - user[:, size] - movie[:, size]) ** 2
        return squares


def _with_one(vectors: Floats) -> Floats:
    """Return vectors with 1 in the place of the bias."""
    seen = vectors.copy()
    seen[:, -1] = 1.0
    return seen


def _traits(data: EncodedData) -> Float32:
    """Return popularity, year and whether the year is missing of movies, float32 [movies, 3].

    A trait that all rated movies have alike is 0: nothing tells its weight, which a movie without
    ratings would be rated by.
    """
    counts, years = data.rating_counts, data.catalogue.year_scaled
    traits = movie_traits(counts, years, usual_count(counts, data.train.movie_index))
    missing = np.array([year is None for year in data.catalogue.year], np.float32)
    traits = np.hstack([traits, TRAIT_SCALE * missing[:, None]]).astype(np.float32)
    return np.where(np.ptp(traits[counts > 0], axis=0) > 0, traits, np.float32(0))

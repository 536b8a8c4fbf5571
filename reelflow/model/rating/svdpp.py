"""The head `svdpp`: matrix factorisation with biases, genres and implicit feedback."""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData, Float32, Int32, Int64
from reelflow.model.candidates import genre_shares
from reelflow.model.layers import Bags
from reelflow.model.rating.heads import Factors, RatingHead
from reelflow.model.weights import GENRES, MOVIES, USERS, Weight

TRAITS: Final = 2
"""Traits of a movie: how often it has been rated, and its year."""
TRAIT_SCALE: Final = 0.5
"""Factor of traits, so that they vary about as much as shares of genres do."""


class SvdPlusPlus(RatingHead):
    """SVD++ with genres, popularity, year and the implicit feedback of both sides.

    SVD++ (Koren 2008, "Factorization meets the neighborhood", eq. 15) with the same implicit term
    for movies (their raters) and a bias of each user for each genre and each trait (what the user
    thinks of hits, and of old movies), a_i being both:

    b_u + b_i + g_u . a_i + (p_u + bag_u(y)) . (q_i + bag_i(x) + W a_i)

    L2 is taken on the rows of the batch, so that often seen users and movies are shrunk no more
    than rare ones in total.
    """

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        super().__init__(name="svdpp")
        users, movies, size = data.sizes.users, len(data.catalogue), config.rating_embedding_size
        train = data.train
        most = config.rating_bag
        self._rated = Bags(train.user_index, train.movie_index, users + 1, most)
        self._raters = Bags(train.movie_index, train.user_index, movies, most)
        self._genres = genre_shares(data.catalogue, data.sizes.genres)
        counts = data.rating_counts
        usual = usual_count(counts, train.movie_index)
        years = data.catalogue.year_scaled
        self._traits = tf.constant(movie_traits(counts, years, usual))
        # A pair that is to be predicted is not counted: that of training is, less one.
        self._traits_in_training = tf.constant(
            movie_traits(np.maximum(counts - 1, 0), years, usual)
        )
        self._l2 = config.rating_l2
        self._bias_l2 = config.rating_bias_l2
        self.user_bias = self._table("user_bias", users + 1, 1, stddev=0.0)
        self.movie_bias = self._table("movie_bias", movies, 1, stddev=0.0)
        self.user_genres = self._table("user_genres", users + 1, data.sizes.genres, stddev=0.0)
        self.user_traits = self._table("user_traits", users + 1, TRAITS, stddev=0.0)
        self.user = self._table("user", users + 1, size)
        self.movie = self._table("movie", movies, size)
        self.rated = self._table("rated", movies, size)
        self.raters = self._table("raters", users + 1, size)
        self.genres = self._table("genres", data.sizes.genres, size)
        self.traits = self._table("traits", TRAITS, size)

    def _table(self, name: str, rows: int, size: int, stddev: float = 0.02) -> tf.Variable:
        initializer = keras.initializers.RandomNormal(stddev=stddev)
        return self.add_weight(name=name, shape=[rows, size], initializer=initializer)

    def call(self, users: tf.Tensor, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return utilities less the intercept of known `users` and `movies`, int [batch] each.

        In training the pair itself is left out of both bags, and L2 losses are added.

        Returns:
            float32 [batch].
        """
        genres = tf.gather(self._genres, movies)
        traits = tf.gather(self._traits_in_training if training else self._traits, movies)
        tables = self.user_bias, self.user_genres, self.user_traits, self.user
        user_bias, user_genres, user_traits, user = (tf.gather(t, users) for t in tables)
        movie_bias, movie = tf.gather(self.movie_bias, movies), tf.gather(self.movie, movies)
        if training:
            rated = tf.gather(self.rated, movies)
            raters = tf.gather(self.raters, users)
            self.add_loss(self._l2 * _mean_square([user, movie, user_genres, rated, raters]))
            self.add_loss(self._l2 * _mean_square([user_traits]))
            self.add_loss(self._l2 * tf.reduce_mean(tf.square(self.genres)))
            self.add_loss(self._l2 * tf.reduce_mean(tf.square(self.traits)))
            self.add_loss(self._bias_l2 * _mean_square([user_bias, movie_bias]))
        user += self._rated.sums(users, self.rated, movies if training else None)
        movie += self._raters.sums(movies, self.raters, users if training else None)
        movie += tf.matmul(genres, self.genres) + tf.matmul(traits, self.traits)
        return (
            tf.squeeze(user_bias + movie_bias, axis=1)
            + tf.reduce_sum(user_genres * genres, axis=1)
            + tf.reduce_sum(user_traits * traits, axis=1)
            + tf.reduce_sum(user * movie, axis=1)
        )

    def named_weights(self) -> dict[str, Weight]:
        """Return all weights, for a later model to start with."""
        return {
            "user_bias": Weight(self.user_bias, USERS),
            "movie_bias": Weight(self.movie_bias, MOVIES),
            "user_genres": Weight(self.user_genres, USERS, GENRES),
            "user_traits": Weight(self.user_traits, USERS),
            "user": Weight(self.user, USERS),
            "movie": Weight(self.movie, MOVIES),
            "rated": Weight(self.rated, MOVIES),
            "raters": Weight(self.raters, USERS),
            "genres": Weight(self.genres, GENRES),
            "traits": Weight(self.traits),
        }

    def freeze(self) -> Factors:
        """Take all sums once, for export and for scoring many pairs.

        The unknown user is the mean of all users, each counted once, so that a movie has the stars
        that it would get if all users rated it; the movies' biases alone, which come from those
        that did, predict worse. The unknown movie has only the user's bias.
        """
        users, movies = self.user_bias.shape[0] - 1, self.movie_bias.shape[0]
        user = self.user[:-1] + self._rated.sums(tf.range(users), self.rated)
        movie = (
            self.movie
            + self._raters.sums(tf.range(movies), self.raters)
            + tf.matmul(self._genres, self.genres)
            + tf.matmul(self._traits, self.traits)
        )
        slopes = tf.concat([self.user_genres, self.user_traits], axis=1)[:-1]
        user_side = tf.concat([self.user_bias[:-1], tf.ones([users, 1]), slopes, user], axis=1)
        movie_side = tf.concat(
            [tf.ones([movies, 1]), self.movie_bias, self._genres, self._traits, movie], axis=1
        )
        unknown_user = tf.reduce_mean(user_side, axis=0, keepdims=True)
        unknown_movie = tf.one_hot([0], user_side.shape[1])
        return Factors(
            users=tf.concat([user_side, unknown_user], axis=0),
            movies=tf.concat([movie_side, unknown_movie], axis=0),
            directions=movie,
        )


def usual_count(counts: Int64, movies: Int32) -> float:
    """Return the mean over ratings of the logarithm of 1 + their movies' numbers of ratings.

    Args:
        counts: int64 [movies].
        movies: the movie of each rating, int32 [ratings].
    """
    return float(np.log1p(counts[movies]).mean()) if len(movies) else 0.0


def movie_traits(counts: Int64, years: Float32, usual: float) -> Float32:
    """Return the traits of movies, float32 [movies, TRAITS].

    Args:
        counts: number of ratings of each movie, int64 [movies].
        years: z-scores of release years, float32 [movies].
        usual: `usual_count`.
    """
    traits = TRAIT_SCALE * np.stack([np.log1p(counts) - usual, years], axis=1)
    return traits.astype(np.float32)


def _mean_square(rows: list[tf.Tensor]) -> tf.Tensor:
    """Return the mean over the batch of squared norms, summed over tensors [batch, size]."""
    return tf.add_n([tf.reduce_mean(tf.reduce_sum(tf.square(r), axis=1)) for r in rows])

"""The candidate tower: a movie's vector from its id, genres, year, features and words."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedCatalogue, EncodedData
from reelflow.model.layers import Bags, blocks, dense_layers, small
from reelflow.model.movie_words import MovieWords
from reelflow.model.weights import GENRES, MOVIES, WORDS, Weight, numbered


class CandidateTower(keras.layers.Layer):
    """Embeds a movie: the sum of embeddings of its id, genres, year and features, and a bias.

    Dense layers (`model.candidate_layers`) may follow the sum. A movie without train ratings has no
    embedding of its own, which only its role as a negative could have trained: its genres, year and
    features place it, and as it is served its words (`model.movie_words`), with a bias that all
    such movies share.
    """

    def __init__(self, data: EncodedData, config: ModelConfig) -> None:
        super().__init__(name="candidate_tower")
        catalogue, genres = data.catalogue, data.sizes.genres
        movies, size = len(catalogue), config.embedding_size
        rated = (data.rating_counts > 0).astype(np.float32)
        self._rated = tf.constant(rated[:, None])
        self._movie = self.add_weight("movie", [movies, size], initializer=small())
        self._biases = None
        if config.movie_bias:
            self._biases = (
                self.add_weight("bias", [movies, 1], initializer="zeros"),
                self.add_weight("unrated_bias", [1, 1], initializer="zeros"),
            )
        self._sides = {}
        if config.genres:
            weights = self.add_weight("genres", [genres, size], initializer=small())
            self._sides[GENRES] = genre_shares(catalogue, genres), weights
        if config.year:
            weights = self.add_weight("year", [1, size], initializer=small())
            self._sides["year"] = tf.constant(catalogue.year_scaled)[:, None], weights
        self._features = None
        features = data.movie_features if config.movie_features else None
        if features is not None and features.words:
            bags = Bags(features.owners, features.indices, movies)
            weights = self.add_weight("features", [len(features.words), size], initializer=small())
            self._features = bags, weights
        self._words = MovieWords(data, features, config.movie_words) if config.movie_words else None
        self._layers = dense_layers(
            config.candidate_layers, config.layer_dropout, config.tower_l2, "candidate_layers"
        )

    def call(self, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Embed candidates.

        Args:
            movies: `movie_index` of known movies, int [batch].
            training: True applies dropout.

        Returns:
            float32 [batch, size + 1]; the last column is the bias.
        """
        rated = tf.gather(self._rated, movies)
        # A gather returns the rows of a sharded table in the order of its shards.
        embedding = rated * tf.nn.embedding_lookup(self._movie, movies)
        for table, weights in self._sides.values():
            embedding += tf.matmul(tf.gather(table, movies), weights)
        if self._features is not None:
            bags, weights = self._features
            embedding += bags.sums(movies, weights)
        bias = None
        if self._biases is not None:
            own, unrated = self._biases
            bias = rated * tf.nn.embedding_lookup(own, movies) + (1 - rated) * unrated
        return self._with_bias(embedding, bias, training)

    def served(self) -> tf.Tensor:
        """Embed every movie as `catalogue`, those with few ratings by their words as well."""
        own = None if self._words is None else self._words.place(self._movie.numpy())
        parts = []
        for rows in blocks(self._movie.shape[0]):
            part = self._rated[rows] * self._movie[rows] if own is None else tf.constant(own[rows])
            parts.append(self._with_sides(part, rows))
        return tf.concat(parts, axis=0)

    def catalogue(self, training: bool | None = None) -> tf.Tensor:
        """Embed every movie as trained, float32 [movies, size + 1], in vocabulary order.

        Without gathering, so that the gradient of the whole table stays dense.

        Args:
            training: True applies dropout.
        """
        return self._with_sides(self._rated * self._movie, None, training)

    def _with_sides(
        self, own: tf.Tensor, rows: slice | None, training: bool | None = None
    ) -> tf.Tensor:
        """Add genres, year, features and bias to what some movies, or all, are by themselves."""

        def of(table: tf.Tensor) -> tf.Tensor:
            return table if rows is None else table[rows]

        sides = (tf.matmul(of(table), weights) for table, weights in self._sides.values())
        embedding = own + sum(sides)
        if self._features is not None:
            bags, weights = self._features
            embedding += bags.sums(of(tf.range(self._movie.shape[0])), weights)
        bias = None
        if self._biases is not None:
            biases, unrated = self._biases
            rated = of(self._rated)
            bias = rated * of(biases) + (1 - rated) * unrated
        return self._with_bias(embedding, bias, training)

    def named_weights(self) -> dict[str, Weight]:
        """Return all weights, for a later model to start with."""
        named = numbered("layers", [] if self._layers is None else self._layers.weights)
        named["movie"] = Weight(self._movie, MOVIES)
        if self._biases is not None:
            named["bias"] = Weight(self._biases[0], MOVIES)
            named["unrated_bias"] = Weight(self._biases[1])
        for name, (_, weights) in self._sides.items():
            named[name] = Weight(weights, GENRES if name == GENRES else None)
        if self._features is not None:
            named["features"] = Weight(self._features[1], WORDS)
        return named

    def _with_bias(
        self, embedding: tf.Tensor, bias: tf.Tensor | None, training: bool | None
    ) -> tf.Tensor:
        if self._layers is not None:
            embedding = self._layers(embedding, training=training)
        bias = tf.zeros_like(embedding[:, :1]) if bias is None else bias
        return tf.concat([embedding, bias], axis=1)


def genre_shares(catalogue: EncodedCatalogue, genres: int) -> tf.Tensor:
    """Share 1 among a movie's genres, float32 [movies, genres]; rows without genres are 0."""
    counts = tf.constant(catalogue.genre_counts)
    rows = tf.repeat(tf.range(len(catalogue)), counts)
    shares = 1.0 / tf.cast(tf.gather(counts, rows), tf.float32)
    cells = tf.stack([rows, tf.constant(catalogue.genre_indices)], axis=1)
    return tf.scatter_nd(cells, shares, [len(catalogue), genres])

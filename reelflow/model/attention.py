"""Causal self-attention over a timeline: each movie sees those before it, by place and by stars.

SASRec (Kang & McAuley 2018, "Self-attentive sequential recommendation") with the relative position
biases of HSTU (Zhai et al. 2024, "Actions speak louder than words"), so that all positions of a
window are trained in one pass and the last one of any window is served.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig

_HIDDEN = -1e9


class TimelineEncoder(keras.layers.Layer):
    """Blocks of causal attention and position-wise dense layers, each behind a residual."""

    def __init__(self, config: ModelConfig, length: int) -> None:
        """Make the blocks.

        Args:
            config: for sizes, blocks, heads and dropout.
            length: movies that a movie sees, itself included.
        """
        super().__init__(name="timeline")
        self._blocks = [
            _Block(config.embedding_size, config.attention_heads, length, config.layer_dropout, i)
            for i in range(config.attention_blocks)
        ]
        self._norm = keras.layers.LayerNormalization(name="norm")

    def call(
        self,
        movies: tf.Tensor,
        known: tf.Tensor,
        owners: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Encode timelines.

        Args:
            movies: embeddings with what the stars add, the oldest first, float32 [rows, n, size].
            known: False for padding, which nothing sees, bool [rows, n].
            owners: user of each, int [rows, n], where a row has timelines of several, one after the
                other; None: of one.
            training: True applies dropout.

        Returns:
            float32 [rows, n, size], of each movie and all that it sees.
        """
        # Of padding in front of a timeline no place counts.
        places = tf.cumsum(tf.cast(known, tf.int32), axis=1)
        ages = places[:, :, None] - places[:, None, :]
        seen = known[:, None, :] & (ages >= 0)
        if owners is not None:
            seen &= owners[:, :, None] == owners[:, None, :]
        # Padding sees itself, as a softmax over nothing is no number.
        count = tf.shape(movies)[1]
        seen = tf.linalg.set_diag(seen, tf.ones([tf.shape(movies)[0], count], tf.bool))
        for block in self._blocks:
            movies = block(movies, seen, ages, training=training)
        return self._norm(movies)


class _Block(keras.layers.Layer):
    def __init__(self, size: int, heads: int, length: int, dropout: float, number: int) -> None:
        super().__init__(name=f"block_{number}")
        self._heads, self._width, self._length = heads, size // heads, length
        dense = keras.layers.Dense
        self._norms = [keras.layers.LayerNormalization(name=f"norm_{i}") for i in range(2)]
        self._projection = dense(3 * size, use_bias=False, name="projection")
        self._output = dense(size, name="output")
        self._wide, self._narrow = dense(2 * size, "relu", name="wide"), dense(size, name="narrow")
        self._dropout = keras.layers.Dropout(dropout)
        self._biases = self.add_weight("biases", [length, heads], initializer="zeros")

    def call(
        self,
        movies: tf.Tensor,
        seen: tf.Tensor,
        ages: tf.Tensor,
        training: bool | None = None,
    ) -> tf.Tensor:
        shape = tf.shape(movies)
        split = [shape[0], shape[1], 3, self._heads, self._width]
        parts = tf.reshape(self._projection(self._norms[0](movies)), split)
        queries, keys, values = tf.unstack(parts, axis=2)
        scores = tf.einsum("bihd,bjhd->bhij", queries, keys) * self._width**-0.5
        near = seen & (ages < self._length)
        biases = tf.gather(self._biases, tf.clip_by_value(ages, 0, self._length - 1))
        scores += tf.transpose(biases, [0, 3, 1, 2])
        weights = tf.nn.softmax(tf.where(near[:, None], scores, _HIDDEN), axis=3)
        felt = tf.einsum("bhij,bjhd->bihd", weights, values)
        felt = self._output(tf.reshape(felt, shape))
        movies += self._dropout(felt, training=training)
        changed = self._narrow(self._wide(self._norms[1](movies)))
        return movies + self._dropout(changed, training=training)

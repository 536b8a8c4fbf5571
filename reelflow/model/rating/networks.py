"""Networks from the embedded fields of a pair to its utility."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from reelflow.saved_model.files import CrossWeights


class Mlp(keras.layers.Layer):
    """Fields side by side, dropout, dense layers with ReLU, one output.

    With 256 and 128 units on user and movie it is the rating model of TFRS's tutorials; with 10
    units on user, movie, two genres and year it is the like classifier.
    """

    def __init__(self, layers: Sequence[int], dropout: float) -> None:
        super().__init__(name="mlp")
        self._dropout = keras.layers.Dropout(dropout)
        self._layers = [keras.layers.Dense(units, "relu") for units in layers]
        self._last = keras.layers.Dense(1)

    def call(self, fields: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Utilities, float32 [batch], of fields, float32 [batch, fields, size]."""
        hidden = self._dropout(_side_by_side(fields), training=training)
        for layer in self._layers:
            hidden = layer(hidden)
        return tf.squeeze(self._last(hidden), axis=1)


class Dcn(keras.layers.Layer):
    """Cross layers, then dense ones (Wang et al. 2021, "DCN V2", the stacked form).

    A cross layer multiplies every input with a learned mix of all of them, so that each one adds a
    degree to the polynomial of the fields that the network can be.
    """

    def __init__(self, cross_layers: int, layers: Sequence[int], dropout: float) -> None:
        super().__init__(name="dcn")
        self._crosses = [tfrs.layers.dcn.Cross() for _ in range(cross_layers)]
        self._dropout = keras.layers.Dropout(dropout)
        self._layers = [keras.layers.Dense(units, "relu") for units in layers]
        self._last = keras.layers.Dense(1)

    def call(self, fields: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Utilities, float32 [batch], of fields, float32 [batch, fields, size]."""
        start = crossed = self._dropout(_side_by_side(fields), training=training)
        for cross in self._crosses:
            crossed = cross(start, crossed)
        hidden = crossed
        for layer in self._layers:
            hidden = layer(hidden)
        return tf.squeeze(self._last(hidden), axis=1)

    def cross_weights(self, names: Sequence[str]) -> CrossWeights:
        """How much each field's row of the first cross layer takes of each field.

        The Frobenius norm of the weight matrix's blocks, field by field, as in TFRS's tutorial on
        DCN.

        Args:
            names: of the fields, in order.
        """
        kernel = self._crosses[0].weights[0]
        size = kernel.shape[0] // len(names)
        blocks = tf.reshape(kernel, [len(names), size, len(names), size])
        norms = tf.sqrt(tf.reduce_sum(tf.square(blocks), axis=[1, 3]))
        return CrossWeights(features=list(names), norms=norms.numpy().round(4).tolist())


def _side_by_side(fields: tf.Tensor) -> tf.Tensor:
    return tf.reshape(fields, [-1, fields.shape[1] * fields.shape[2]])

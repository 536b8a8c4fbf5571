"""The dense layers on top of a tower's sum of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras


class DenseLayers(keras.layers.Layer):
    """ReLU layers and a linear one, each behind a dropout.

    As in Covington et al. 2016, "Deep neural networks for YouTube recommendations", section 3.2;
    the last layer is linear, because a score needs coordinates of both signs.
    """

    def __init__(self, units: Sequence[int], dropout: float, l2: float, name: str) -> None:
        """Makes the layers.

        Args:
            units: of each layer, at least one layer.
            dropout: share of each layer's input that is dropped in training.
            l2: on the weights of the layers; their biases stay free.
            name: of the whole.
        """
        super().__init__(name=name)
        last = len(units) - 1
        self._dropouts = [keras.layers.Dropout(dropout) for _ in units]
        self._dense = [
            keras.layers.Dense(
                count,
                activation=None if i == last else "relu",
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
                name=f"dense_{i}",
            )
            for i, count in enumerate(units)
        ]

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Maps float32 [rows, any] to float32 [rows, units[-1]]."""
        for dropout, dense in zip(self._dropouts, self._dense, strict=True):
            inputs = dense(dropout(inputs, training=training))
        return inputs


def dense_layers(units: Sequence[int], dropout: float, l2: float, name: str) -> DenseLayers | None:
    """The layers, or none where there are no units."""
    return DenseLayers(units, dropout, l2, name) if units else None

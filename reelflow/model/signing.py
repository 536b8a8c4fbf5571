"""Inputs of signatures: their names and defaults in the graph, their shapes, what is alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import tensorflow as tf

from reelflow.saved_model.contract import SIGNATURES

Outputs = dict[str, tf.Tensor]


def signed(name: str, function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Make a graph with the inputs of the contract, and their defaults."""
    inputs = SIGNATURES[name].inputs
    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty
            if one.default is None
            else tf.constant(one.default, tf.as_dtype(one.dtype)),
        )
        for key, one in inputs.items()
    ]

    # By position from a graph, by name where TensorFlow is told to run functions eagerly.
    def signature(*values: tf.Tensor, **named: tf.Tensor) -> Outputs:
        return function(*values, **named)

    # TensorFlow takes names and defaults of a signature's inputs from the function.
    signature.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    specs = [
        tf.TensorSpec(None if one.rank is None else [None] * one.rank, one.dtype)
        for one in inputs.values()
    ]
    # Without AutoGraph, which would spend seconds on translating code that needs none.
    return tf.function(signature, input_signature=specs, autograph=False)


def each(value: tf.Tensor, users: tf.Tensor) -> tf.Tensor:
    """Return an input of any shape as one value for each request, [batch]."""
    return tf.broadcast_to(tf.reshape(value, [-1]), tf.shape(users))


def select(matrix: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Select rows of a matrix; one that has a single row for all stays as it is."""
    return tf.cond(tf.shape(matrix)[0] == 1, lambda: matrix, lambda: tf.gather(matrix, rows))


def runs(users: tf.Tensor, *matrices: tf.Tensor) -> tf.Tensor:
    """Number neighbouring rows that are the same, int32 [batch]: 0 for the first ones, then 1, ...

    Args:
        users: string [batch].
        matrices: [batch or 1, any]; NaN is the same as NaN.
    """
    changes = users[1:] != users[:-1]
    for one in matrices:
        differ = one[1:] != one[:-1]
        if one.dtype.is_floating:
            differ &= ~tf.math.is_nan(one[1:]) | ~tf.math.is_nan(one[:-1])
        # A single row is the same for all users.
        padding = tf.size(changes) - tf.shape(differ)[0]
        changes |= tf.pad(tf.reduce_any(differ, axis=1), [[0, padding]])
    return tf.concat([[0], tf.cumsum(tf.cast(changes, tf.int32))], axis=0)[: tf.size(users)]


def side_by_side(
    values: tf.Tensor, rows: tf.Tensor, first: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Put the values of each run into one row.

    Args:
        values: int32 [batch].
        rows: number of the run of each value, from `runs`.
        first: place of each run's first value, int32 [runs].

    Returns:
        Cells of the values, int32 [batch, 2], and the rows, int32 [runs, n], padded with 0.
    """
    places = tf.range(tf.size(rows)) - tf.gather(first, rows)
    cells = tf.stack([rows, places], axis=1)
    length = tf.reduce_max(tf.concat([places, [-1]], axis=0)) + 1
    return cells, tf.scatter_nd(cells, values, tf.stack([tf.size(first), length]))

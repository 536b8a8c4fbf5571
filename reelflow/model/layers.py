"""Building blocks that towers and rating models share: ragged ranges, bags, dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.encoding.encoded import Int32, Int64

LARGE: Final = 1 << 21
"""Numbers from which on a table is large, 8 MiB: steps touch the rows of their batch alone, and do
not go through a table that no processor keeps in its cache."""


BLOCK: Final = 1 << 16
"""Rows of a whole table that are worked on at a time: copies of them are small beside it."""


def blocks(rows: int) -> list[slice]:
    """Cut the rows of a table into slices of `BLOCK`; the last one may reach beyond them."""
    return [slice(first, first + BLOCK) for first in range(0, rows, BLOCK)]


def is_large(rows: int, size: int) -> bool:
    """Return True for tables of so many rows that steps should not go through."""
    return rows * size >= LARGE


def ranges(starts: tf.Tensor, ends: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """List the positions `starts[i]` to `ends[i] - 1` of every row i, one row after the other.

    In two kernels; `tf.repeat` would make a matrix of the batch by its longest range.

    Args:
        starts: int64 [batch].
        ends: int64 [batch].

    Returns:
        Rows, int32 [n], ascending, and positions, int64 [n].
    """
    splits, positions = tf.raw_ops.RaggedRange(
        starts=starts, limits=ends, deltas=tf.ones([], tf.int64)
    )
    # A row begins at its split; empty rows share theirs with the next one.
    begins = tf.ones_like(splits[1:-1], tf.int32)
    steps = tf.scatter_nd(splits[1:-1, None], begins, tf.shape(positions, tf.int64) + 1)
    return tf.cumsum(steps)[:-1], positions


def rows_of(table: tf.Variable, indices: tf.Tensor) -> tf.Tensor:
    """Select rows of a table that others read as a whole.

    Once TensorFlow has gathered from a variable, it copies the variable whenever it is read as a
    whole, for fear of updates in between; a frozen table has none, and is read before it gathers.
    """
    return tf.gather(table.value(), indices)


class Bags(tf.Module):
    """Bags of members by owner: the movies that each user rated, or the users of each movie.

    The implicit feedback of SVD++. An export holds the sums of all owners instead of the bags.
    """

    def __init__(
        self, owners: Int32, members: Int32, owner_count: int, most: int | None = None
    ) -> None:
        """Group pairs by owner.

        Args:
            owners: int32 [pairs].
            members: int32 [pairs].
            owner_count: owners are 0 to owner_count - 1.
            most: members that an owner keeps at most, always the same ones; this bounds the cost of
                a batch.
        """
        super().__init__()
        if most is not None and len(owners):
            kept = _draw(owners, most)
            owners, members = owners[kept], members[kept]
        order = np.argsort(owners, kind="stable")
        offsets = np.searchsorted(owners[order], np.arange(owner_count + 1))
        self._members = tf.constant(members[order])
        self._offsets = tf.constant(offsets, tf.int64)
        self._stride = int(members.max(initial=0)) + 1
        pairs, copies = np.unique(
            owners.astype(np.int64) * self._stride + members, return_counts=True
        )
        once = most is None and len(pairs) == len(members)
        # Another one at the end, so that whatever is looked up has a place.
        self._pairs = None if once else tf.constant(np.append(pairs, np.iinfo(np.int64).max))
        self._pair_copies = None if once else tf.constant(np.append(copies, 0), tf.float32)

    def sums(
        self, owners: tf.Tensor, embeddings: tf.Tensor, without: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Sum the members' embeddings, over the square root of their number.

        Args:
            owners: int [batch]; repeated ones are summed once.
            embeddings: float32 [members, size].
            without: int [batch], a member to leave out of each bag, as often as it occurs (the
                target, which would leak otherwise).

        Returns:
            float32 [batch, size].
        """
        unique, where = tf.unique(owners)
        starts, ends = tf.gather(self._offsets, unique), tf.gather(self._offsets, unique + 1)
        bags, positions = ranges(starts, ends)
        members = tf.concat([tf.gather(self._members, positions), [0]], axis=0)
        table = embeddings
        if is_large(*embeddings.shape):
            # The gradient of a sum has as many rows as what is summed.
            distinct, members = tf.unique(members)
            table = tf.nn.embedding_lookup(embeddings, distinct)
        # One more bag, unused: TensorFlow defines no gradient if all bags are empty.
        sums = tf.raw_ops.SparseSegmentSumWithNumSegments(
            data=table,
            indices=members,
            segment_ids=tf.concat([bags, tf.size(unique)[None]], axis=0),
            num_segments=tf.size(unique) + 1,
        )
        sums, sizes = tf.gather(sums, where), tf.gather(tf.cast(ends - starts, tf.float32), where)
        if without is not None:
            copies = self._copies(owners, without)
            sums -= copies[:, None] * tf.nn.embedding_lookup(embeddings, without)
            sizes -= copies
        return sums * tf.math.rsqrt(tf.maximum(sizes, 1.0))[:, None]

    def _copies(self, owners: tf.Tensor, members: tf.Tensor) -> tf.Tensor:
        """Count the occurrences of each pair in its bag, float32 [batch]."""
        if self._pairs is None:
            return tf.ones_like(owners, tf.float32)
        pairs = tf.cast(owners, tf.int64) * self._stride + tf.cast(members, tf.int64)
        at = tf.searchsorted(self._pairs, pairs)
        found = tf.gather(self._pairs, at) == pairs
        return tf.where(found, tf.gather(self._pair_copies, at), 0.0)


def _draw(owners: Int32, most: int) -> Int64:
    """Draw positions of at most `most` pairs of each owner, in ascending order."""
    counts = np.bincount(owners)
    if counts.max() <= most:
        return np.arange(len(owners))
    shuffled = np.random.default_rng(0).permutation(len(owners))
    order = shuffled[np.argsort(owners[shuffled], kind="stable")]
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept: Int64 = np.sort(order[within < most])
    return kept


class DenseLayers(keras.layers.Layer):
    """The dense layers on top of a tower: ReLU ones and a last linear one, each behind a dropout.

    As in Covington et al. 2016, "Deep neural networks for YouTube recommendations", section 3.2;
    the last layer is linear, because a score needs coordinates of both signs.
    """

    def __init__(self, units: Sequence[int], dropout: float, l2: float, name: str) -> None:
        """Make the layers.

        Args:
            units: output size of each layer; at least one layer.
            dropout: share of each layer's input that is dropped in training.
            l2: penalty on the layers' kernels; biases are free.
            name: of the Keras layer.
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
        """Map float32 [rows, any] to float32 [rows, units[-1]]."""
        for dropout, dense in zip(self._dropouts, self._dense, strict=True):
            inputs = dense(dropout(inputs, training=training))
        return inputs


def dense_layers(units: Sequence[int], dropout: float, l2: float, name: str) -> DenseLayers | None:
    """Make the layers; None if there are no units."""
    return DenseLayers(units, dropout, l2, name) if units else None


def small() -> keras.initializers.Initializer:
    """Make the initial values of embeddings."""
    return keras.initializers.RandomNormal(stddev=0.05)

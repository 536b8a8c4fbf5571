"""Approximate search of the best products in plain operations: an inverted file.

Vectors are stored bucket by bucket, each around a centroid (Sivic & Zisserman 2003, "Video Google";
Jégou, Douze & Schmid 2011, "Product quantization for nearest neighbor search", section IV); a query
is compared with the centroids, and then with the vectors of the best buckets alone, by operations
that every TensorFlow Serving has.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf

from reelflow.encoding.encoded import Float32, Int32, Int64
from reelflow.model.ranking import LOWEST, mask

BUCKET: Final = 192
"""Vectors in a bucket, at most; larger ones are split."""
USUAL: Final = 128
"""Vectors for each centroid, on average."""
SAMPLE: Final = 32
"""Vectors for each centroid that centroids are learned from."""
ROUNDS: Final = 6
"""Rounds of k-means."""
BLOCK: Final = 1 << 13
"""Vectors that are compared with all centroids at a time."""


class InvertedFile(tf.Module):
    """Some vectors, searched for the largest products with queries."""

    def __init__(
        self, vectors: Float32, ids: Int32, count: int, probed: int, scale: Float32
    ) -> None:
        """Put vectors into buckets.

        Args:
            vectors: float32 [n, size], at least one.
            ids: their numbers, ascending, int32 [n], below `count`.
            count: of all ids, those without a vector included.
            probed: buckets that a query is compared with.
            scale: usual size of each column of queries, by which distances are weighed, float32
                [size].
        """
        super().__init__()
        buckets = _buckets(vectors * scale)
        self._count = len(buckets)
        self.probed = min(probed, len(buckets))
        rows = np.concatenate(buckets)
        sizes = np.array([len(bucket) for bucket in buckets])
        starts = np.cumsum(sizes) - sizes
        self.most = len(rows) * self.probed // (2 * len(buckets))
        """Vectors of which a search is more than a guess."""
        places = np.full(count, -1, np.int32)
        places[ids[rows]] = np.arange(len(rows))
        owners = np.full(count, 0, np.int32)
        owners[ids[rows]] = np.repeat(np.arange(len(buckets)), sizes)
        vectors = vectors[rows]
        centroids = np.add.reduceat(vectors, starts, axis=0) / sizes[:, None]
        self._vectors = tf.Variable(vectors, trainable=False)
        self._ids = tf.Variable(ids[rows], trainable=False)
        self._starts = tf.Variable(starts, dtype=tf.int64, trainable=False)
        self._sizes = tf.Variable(sizes, dtype=tf.int64, trainable=False)
        self._places = tf.Variable(places, trainable=False)
        self._owners = tf.Variable(owners, trainable=False)
        self._centroids = tf.Variable(centroids, dtype=tf.float32, trainable=False)

    def __call__(self, queries: tf.Tensor, left_out: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the products with all vectors of the best buckets.

        Args:
            queries: float32 [batch, size].
            left_out: coordinates (query, id) of vectors that are not looked for, int32 [n, 2].

        Returns:
            Products, float32 [batch, any], `LOWEST` for what is left out and for padding; and ids,
            int32 of the same shape.
        """
        near = tf.matmul(queries, self._centroids, transpose_b=True)
        chosen = tf.math.top_k(near, self.probed, sorted=False).indices
        starts, sizes = tf.gather(self._starts, chosen), tf.gather(self._sizes, chosen)
        first = tf.reshape(starts, [-1])
        _, positions = tf.raw_ops.RaggedRange(
            starts=first,
            limits=first + tf.reshape(sizes, [-1]),
            deltas=tf.ones([], tf.int64),
        )
        lengths = tf.reduce_sum(sizes, axis=1)
        at = tf.RaggedTensor.from_row_lengths(positions, lengths, validate=False).to_tensor()
        vectors = tf.gather(self._vectors, at)
        inside = tf.sequence_mask(lengths, tf.shape(at)[1])
        products = tf.where(inside, tf.linalg.matvec(vectors, queries), LOWEST)
        cells = self._cells(chosen, tf.cumsum(sizes, axis=1, exclusive=True) - starts, left_out)
        return mask(products, cells), tf.gather(self._ids, at)

    def _cells(self, chosen: tf.Tensor, shifts: tf.Tensor, left_out: tf.Tensor) -> tf.Tensor:
        """Return where vectors are among those of the chosen buckets, int32 [n, 2].

        Args:
            chosen: buckets, int32 [batch, probed].
            shifts: from places of vectors to their columns, int64 [batch, probed].
            left_out: as for a call.
        """
        rows = tf.shape(chosen)[0]
        every = tf.repeat(tf.range(rows), self.probed)
        cells = tf.stack([every, tf.reshape(chosen, [-1])], axis=1)
        # Counted from 1, as 0 is of buckets that are not chosen.
        orders = tf.tile(tf.range(1, self.probed + 1), [rows])
        orders = tf.scatter_nd(cells, orders, [rows, self._count])
        query, vector = left_out[:, 0], left_out[:, 1]
        order = tf.gather_nd(orders, tf.stack([query, tf.gather(self._owners, vector)], axis=1))
        places = tf.gather(self._places, vector)
        shift = tf.gather_nd(shifts, tf.stack([query, tf.maximum(order - 1, 0)], axis=1))
        columns = places + tf.cast(shift, tf.int32)
        found = tf.where((order > 0) & (places >= 0))[:, 0]
        return tf.gather(tf.stack([query, columns], axis=1), found)


def _buckets(vectors: Float32) -> list[Int64]:
    """Return rows of vectors, in buckets of at most `BUCKET` neighbours."""
    count = max(1, len(vectors) // USUAL)
    random = np.random.default_rng(0)
    sample = vectors
    if len(vectors) > SAMPLE * count:
        sample = vectors[np.sort(random.choice(len(vectors), SAMPLE * count, replace=False))]
    centroids = sample[random.choice(len(sample), count, replace=False)]
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centroids)
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=count)
        some = np.flatnonzero(sizes)
        starts = (np.cumsum(sizes) - sizes)[some]
        centroids[some] = np.add.reduceat(sample[order], starts, axis=0) / sizes[some, None]
    nearest = _nearest(vectors, centroids)
    order = np.argsort(nearest, kind="stable")
    ends = np.cumsum(np.bincount(nearest, minlength=count))
    parts = (_split(vectors, rows) for rows in np.split(order, ends[:-1]) if len(rows))
    return [bucket for several in parts for bucket in several]


def _nearest(vectors: Float32, centroids: Float32) -> Int64:
    """Return the centroid at the least distance of each vector, int64 [n]."""
    halves = tf.constant(0.5 * np.square(centroids).sum(axis=1))
    found = [
        tf.argmax(
            tf.matmul(vectors[at : at + BLOCK], centroids, transpose_b=True) - halves, axis=1
        ).numpy()
        for at in range(0, len(vectors), BLOCK)
    ]
    nearest: Int64 = np.concatenate(found)
    return nearest


def _split(vectors: Float32, rows: Int64) -> list[Int64]:
    """Halve a bucket along the direction in which it is longest, until its parts fit."""
    if len(rows) <= BUCKET:
        return [rows]
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ directions[:, -1], kind="stable")
    halves = np.array_split(rows[order], 2)
    return [bucket for half in halves for bucket in _split(vectors, half)]

"""Sums of embeddings over who rated what: the implicit feedback of SVD++."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Int32 = npt.NDArray[np.int32]


class Bags(tf.Module):
    """For each owner (a user) the bag of its members (the films it rated), or the other way round.

    Not part of the exported model: at export the sums are taken once for all owners.
    """

    def __init__(self, owners: Int32, members: Int32, owner_count: int) -> None:
        """Groups the pairs by owner.

        Args:
            owners: int32 [pairs].
            members: int32 [pairs].
            owner_count: owners are 0 to owner_count - 1.
        """
        super().__init__()
        order = np.argsort(owners, kind="stable")
        offsets = np.searchsorted(owners[order], np.arange(owner_count + 1))
        self._members = tf.constant(members[order])
        self._offsets = tf.constant(offsets, tf.int64)

    def sums(
        self, owners: tf.Tensor, embeddings: tf.Tensor, without: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Sums of the members' embeddings over the square root of their number.

        Args:
            owners: int [batch]; repeated ones are summed once.
            embeddings: float32 [members, size].
            without: int [batch], a member to leave out of each bag (the target, so that it does not
                give itself away).

        Returns:
            float32 [batch, size].
        """
        unique, where = tf.unique(owners)
        starts = tf.gather(self._offsets, unique)
        counts = tf.gather(self._offsets, unique + 1) - starts
        rows = tf.repeat(tf.range(tf.size(unique, tf.int64)), counts)
        within = tf.range(tf.reduce_sum(counts)) - tf.gather(
            tf.cumsum(counts, exclusive=True), rows
        )
        members = tf.gather(self._members, tf.gather(starts, rows) + within)
        matrix = tf.SparseTensor(
            tf.stack([rows, tf.cast(members, tf.int64)], axis=1),
            tf.ones_like(members, tf.float32),
            [tf.size(unique, tf.int64), tf.cast(tf.shape(embeddings)[0], tf.int64)],
        )
        sums = tf.gather(tf.sparse.sparse_dense_matmul(matrix, embeddings), where)
        sizes = tf.gather(tf.cast(counts, tf.float32), where)
        if without is not None:
            sums -= tf.gather(embeddings, without)
            sizes -= 1.0
        return sums * tf.math.rsqrt(tf.maximum(sizes, 1.0))[:, None]

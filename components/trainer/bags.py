"""Sums of embeddings over who rated what: the implicit feedback of SVD++."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.trainer.slices import slices

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


class Bags(tf.Module):
    """For each owner (a user) the bag of its members (the films it rated), or the other way round.

    Not part of the exported model: at export the sums are taken once for all owners.
    """

    def __init__(
        self, owners: Int32, members: Int32, owner_count: int, most: int | None = None
    ) -> None:
        """Groups the pairs by owner.

        Args:
            owners: int32 [pairs].
            members: int32 [pairs].
            owner_count: owners are 0 to owner_count - 1.
            most: of an owner with more members than this, that many, always the same ones; or else
                the cost of a batch would grow with the number of pairs.
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
        pairs = np.sort(owners.astype(np.int64) * self._stride + members)
        once = most is None and bool((pairs[1:] != pairs[:-1]).all())
        self._pairs = None if once else tf.constant(pairs)

    def sums(
        self, owners: tf.Tensor, embeddings: tf.Tensor, without: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Sums of the members' embeddings over the square root of their number.

        Args:
            owners: int [batch]; repeated ones are summed once.
            embeddings: float32 [members, size].
            without: int [batch], a member to leave out of each bag, as often as it is there (the
                target, so that it does not give itself away).

        Returns:
            float32 [batch, size].
        """
        unique, where = tf.unique(owners)
        starts, ends = tf.gather(self._offsets, unique), tf.gather(self._offsets, unique + 1)
        bags, positions = slices(starts, ends)
        # One more bag that nobody asks for: of no members at all the gradient is not defined.
        sums = tf.raw_ops.SparseSegmentSumWithNumSegments(
            data=embeddings,
            indices=tf.concat([tf.gather(self._members, positions), [0]], axis=0),
            segment_ids=tf.concat([bags, tf.size(unique)[None]], axis=0),
            num_segments=tf.size(unique) + 1,
        )
        sums, sizes = tf.gather(sums, where), tf.gather(tf.cast(ends - starts, tf.float32), where)
        if without is not None:
            copies = self._copies(owners, without)
            sums -= copies[:, None] * tf.gather(embeddings, without)
            sizes -= copies
        return sums * tf.math.rsqrt(tf.maximum(sizes, 1.0))[:, None]

    def _copies(self, owners: tf.Tensor, members: tf.Tensor) -> tf.Tensor:
        """How often the pair is in its bag, float32 [batch]."""
        if self._pairs is None:
            return tf.ones_like(owners, tf.float32)
        wanted = tf.cast(owners, tf.int64) * self._stride + tf.cast(members, tf.int64)
        ends = [tf.searchsorted(self._pairs, wanted, side) for side in ("left", "right")]
        return tf.cast(ends[1] - ends[0], tf.float32)


def _draw(owners: Int32, most: int) -> Int64:
    """Positions of at most `most` pairs of each owner, in ascending order."""
    counts = np.bincount(owners)
    if counts.max() <= most:
        return np.arange(len(owners))
    shuffled = np.random.default_rng(0).permutation(len(owners))
    order = shuffled[np.argsort(owners[shuffled], kind="stable")]
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept: Int64 = np.sort(order[within < most])
    return kept

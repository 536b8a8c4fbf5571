"""The trained towers as a term of retrieval."""

from __future__ import annotations

import tensorflow as tf

from reelflow.base.columns import TOWERS
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Asked, ProjectedTerm


class Towers(ProjectedTerm):
    """Score by the trained towers: the product of query and candidate embedding.

    Whom the query tower knows nothing of gets popularity in its place.
    """

    def __init__(self, joint: JointModel) -> None:
        """Freeze the towers."""
        super().__init__(name=TOWERS)
        # Log popularity is one more column, selected by the queries of users without history.
        popular = tf.math.log(joint.popularity)
        served = joint.candidate_tower.served()
        self.factors = tf.concat([served, popular[:, None]], axis=1)
        joint.query_tower.freeze()
        self._query_tower = joint.query_tower
        self.history_length = joint.query_tower.history_length
        self.uses_histories = joint.query_tower.uses_histories

    def queries(self, asked: Asked) -> tf.Tensor:
        """Embed queries; the last column selects popularity."""
        bag = None
        if self._query_tower.uses_bag:
            rated = asked.rated_rows, asked.rated_movies
            bag = self._query_tower.sums_at(*rated, asked.batch)
        queries = self._query_tower(asked.users, asked.recent, bag)
        blind = self._blind(asked)
        queries = tf.where(blind[:, None], 0.0, queries)
        return tf.concat([queries, tf.cast(blind, tf.float32)[:, None]], axis=1)

    def shares(self, asked: Asked, rated: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
        """Split the scores as `QueryTower.parts` and `QueryTower.bag_parts` split queries."""
        tower, parts = self._query_tower, []
        if tower.splits_bag:
            ones = tf.ones_like(asked.rated_rows, tf.float32)
            counts = tf.math.unsorted_segment_sum(ones, asked.rated_rows, asked.batch)
            parts.append(tower.bag_parts(rated, counts))
        if tower.history_length:
            recent = tower.parts(asked.users, asked.recent)
            same = tf.cast(rated[:, :, None] == asked.recent.movies[:, None, :], tf.float32)
            parts.append(tf.matmul(same, recent))
        if not parts:
            return tf.zeros([*tf.unstack(tf.shape(factors)[:2]), tf.shape(rated)[1]])
        whole = tf.where(self._blind(asked)[:, None, None], 0.0, tf.add_n(parts))
        return tf.matmul(factors[:, :, :-2], whole, transpose_b=True)

    def _blind(self, asked: Asked) -> tf.Tensor:
        """Return True where the query tower knows nothing, bool [batch]."""
        if not self._query_tower.uses_histories:
            return ~asked.is_known
        return ~asked.is_known & ~asked.has_rated

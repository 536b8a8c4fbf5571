"""Both stages of a list with what is known of users, as the exported model has them.

The search for a model's mixture ranks by the same parts, without the rest of the export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reelflow.base.columns import TOWERS
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.final_order import FinalOrder
from reelflow.model.rankers import MixRanker, Ranker, RatingRanker
from reelflow.model.rating import FrozenRatings
from reelflow.model.requests import Knowledge
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Term
from reelflow.model.timelines import Timelines


@dataclass(frozen=True)
class Mixture:
    """Parts that are added to a trained joint model before it is exported."""

    terms: Mapping[str, Term] = field(default_factory=dict)
    """Closed-form terms of retrieval by name."""
    weights: Mapping[str, float] = field(default_factory=lambda: {TOWERS: 1.0})
    """Weight of each term in the retrieval score by name, `TOWERS` included; their sum is 1."""
    blend: float = 0.0
    """Weight of the predicted like in the final order."""


class Stages(NamedTuple):
    """The parts that turn users into lists."""

    knowledge: Knowledge
    ranker: Ranker
    ratings: FrozenRatings
    final: FinalOrder

    @classmethod
    def of(
        cls,
        joint: JointModel,
        data: EncodedData,
        users: list[str],
        mixture: Mixture,
        config: ModelConfig,
        timelines: Timelines,
    ) -> Stages:
        """Freeze a trained model.

        Args:
            joint: the trained model.
            data: the training data, with the ratings held out from it.
            users: the user vocabulary, in order.
            mixture: the closed-form terms, and the weights of all parts.
            config: the section `model`.
            timelines: of all ratings; those that a model is judged by are hidden.
        """
        ratings = joint.frozen_ratings()
        ranker: Ranker = (
            MixRanker(joint, mixture.terms, mixture.weights)
            if joint.has_retrieval
            else RatingRanker(joint, ratings)
        )
        knowledge = Knowledge(data, users, timelines, ranker.history_length, ranker.uses_histories)
        final = FinalOrder(
            ratings,
            (timelines.star_mean, timelines.star_deviation),
            mixture.blend if joint.has_retrieval and joint.has_rating else 0.0,
            config.candidates,
            len(data.catalogue),
            ranker.block,
        )
        return cls(knowledge, ranker, ratings, final)

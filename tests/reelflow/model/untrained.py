"""Serving models with random weights: their promises do not depend on what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.histories import Histories
from reelflow.model.mixing import LEARNERS
from reelflow.model.signatures import ServingModel
from reelflow.model.stages import Mixture
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Timelines
from reelflow.saved_model.client import Signatures

SMALL = {"embedding_size": 4, "rating_embedding_size": 3, "history_length": 5, "candidates": 10}


def untrained(data: EncodedData, **config: Any) -> JointModel:
    """Both tasks, or those of the configuration, with weights drawn by a fixed seed."""
    keras.utils.set_random_seed(0)
    joint = JointModel(data, ModelConfig(**{**SMALL, **config}))
    some = tf.constant([0])
    if joint.has_retrieval:
        joint.query(some, tf.constant([0], tf.int64))
        joint.candidate_tower.catalogue()
    if joint.has_rating:
        joint.rating_model(some, some)
    random = np.random.default_rng(0)
    for weight in joint.trainable_weights:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    return joint


def served(
    joint: JointModel,
    data: EncodedData,
    users: list[str],
    hidden: Sequence[str] = ("test",),
    **config: Any,
) -> ServingModel:
    """The model with closed-form terms beside it and a blended final order."""
    section = ModelConfig(**{**SMALL, **config})
    learners = [one(data, section) for one in LEARNERS.values()]
    settings = {"half_life": 3.0, "opinion": 0.25, "size": 3, "ridge": 5.0}
    terms = {one.name: one.learn({**one.default, **settings}) for one in learners}
    weights = {"towers": 0.4, "items": 0.3, "spectral": 0.1, "directed": 0.1, "neighbours": 0.1}
    mixture = Mixture(terms, weights, 0.6)
    timelines = Timelines(Histories.of_all(data, hidden))
    return ServingModel(joint, data, users, mixture, section, timelines)


def signatures_of(
    data: EncodedData, users: list[str], hidden: Sequence[str] = ("test",), **config: Any
) -> Signatures:
    """Signatures of such a model of these data."""
    return Signatures(served(untrained(data, **config), data, users, hidden, **config).signatures())

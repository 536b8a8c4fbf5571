"""Lists of ten by themselves: their reach into the catalogue, their novelty, and their stars."""

from __future__ import annotations

from typing import Final

import numpy as np

from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.contest import LIST_LENGTH
from reelflow.evaluation.metrics import coverage, novelty
from reelflow.evaluation.predictions import Texts, recommended
from reelflow.evaluation.results import Lists
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import BLEND, RETRIEVAL, Order
from reelflow.saved_model.files import ModelInfo

USERS: Final = 1_000
"""Users that are asked for, at most, drawn by seed."""


def list_figures(
    signatures: Signatures, info: ModelInfo, user_ids: Texts, data: EncodedData, seed: int
) -> list[Lists]:
    """Measure the lists of users in the final order, and in that of retrieval if it is another.

    The two beside each other show what the blend costs and gives: higher predicted stars, and
    fewer or more movies of the catalogue in reach.

    Args:
        signatures: of the exported model, asked with the test ratings hidden.
        info: of the model.
        user_ids: of the test rows, [rows].
        data: the ratings that the model was trained on.
        seed: of the draw.
    """
    users = np.unique(np.asarray(user_ids))
    if len(users) > USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, USERS, replace=False))
    blended = info.blend is not None and info.blend.weight
    orders: tuple[Order, ...] = (BLEND, RETRIEVAL) if blended else (BLEND,)
    return [_figures(signatures, users, data, order) for order in orders]


def _figures(signatures: Signatures, users: Texts, data: EncodedData, order: Order) -> Lists:
    movies = len(data.catalogue)
    lists, stars = recommended(signatures, users, data, min(LIST_LENGTH, movies), order)
    predicted = stars[(lists >= 0) & np.isfinite(stars)]
    return Lists(
        order,
        len(users),
        coverage(lists, movies),
        novelty(lists, data.rating_counts, data.sizes.users),
        float(predicted.mean()) if len(predicted) else None,
    )

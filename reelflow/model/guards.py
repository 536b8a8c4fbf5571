"""What must hold of the encoded ratings and of what was learned from them.

Each guard is a mistake that has made models look good or be useless without anybody noticing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.base.errors import ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.saved_model.files import Guard


def strictly_past_histories(data: EncodedData) -> Guard:
    """No row of any split knows of a rating of its own time or later, or of another user's.

    Equal times count as later: which of two ratings came first is then not known.
    """
    leaks = {split: _leaks(getattr(data, split), data) for split in f.RATING_SPLITS}
    train = data.train
    same_user = train.user_index[1:] == train.user_index[:-1]
    unsorted = int((same_user & (train.timestamp[1:] < train.timestamp[:-1])).sum())
    found = [f"{count:,} rows of {split}" for split, count in leaks.items() if count]
    found += [f"{unsorted:,} train ratings out of order"] if unsorted else []
    rows = sum(len(getattr(data, split)) for split in f.RATING_SPLITS)
    detail = (
        f"histories reach into the present or the future: {', '.join(found)}."
        if found
        else f"the histories of all {rows:,} rows are strictly earlier."
    )
    return Guard("strictly_past_histories", not found, detail)


def refuse(guards: Iterable[Guard]) -> None:
    """Stop before training.

    Raises:
        ReelflowError: a guard did not pass.
    """
    broken = [guard.refusal() for guard in guards if not guard.passed]
    if broken:
        raise ReelflowError(
            " ".join(broken), "The encoded ratings are wrong: report it with the log."
        )


def loss_below_chance(
    losses: Sequence[float], data: EncodedData, model: ModelConfig, train: TrainConfig
) -> Guard:
    """The retrieval task has learned more than to call every movie equally likely.

    Args:
        losses: training loss of the retrieval task, an epoch each, in nats.
        data: what was trained on.
        model: the section `model`.
        train: the section `train`.
    """
    chance = chance_loss(data, model, train)
    finite = [loss for loss in losses if math.isfinite(loss)]
    lowest = min(finite, default=math.nan)
    passed = lowest < chance
    relation = "below" if passed else "not below"
    detail = f"lowest training loss {lowest:.4f}, {relation} chance, {chance:.4f} nats."
    return Guard("loss_below_chance", passed, detail)


def chance_loss(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
    """Loss of a model that knows nothing, in nats.

    The logarithm of how many movies the target competes with, itself included: those of the batch,
    or all that the user has not rated (`mask_seen`), or the whole catalogue. With logQ correction,
    what a batch's movies are called equally likely by is their popularity. A pair of movies (BPR)
    is called right half of the time.
    """
    if model.loss == "bpr":
        return math.log(2)
    if model.loss == "in_batch_softmax":
        return math.log(max(1, min(train.batch_size, len(data.train))))
    movies = len(data.catalogue)
    if not model.mask_seen:
        return math.log(movies)
    seen = np.bincount(data.train.user_index)[data.train.user_index]
    return float(np.log(np.maximum(movies - seen + 1, 1)).mean())


def finite_weights(weights: Mapping[str, npt.NDArray[np.generic]]) -> Guard:
    """No weight has become infinite or no number at all."""
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    detail = f"not finite: {', '.join(broken)}." if broken else f"{len(weights)} tables."
    return Guard("finite_weights", not broken, detail)


def _leaks(rows: EncodedRatings, data: EncodedData) -> int:
    offsets, times = data.offsets, data.train.timestamp
    starts, stops = offsets[rows.user_index], offsets[rows.user_index + 1]
    outside = (rows.history_end < starts) | (rows.history_end > stops)
    some = (rows.history_end > starts) & ~outside
    newest = times[np.where(some, rows.history_end - 1, 0)] if len(times) else rows.timestamp
    return int((outside | (some & (newest >= rows.timestamp))).sum())

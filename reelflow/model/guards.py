"""Guards: checks for mistakes that make a model look better than it is, or useless, unnoticed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.base.errors import ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.retrieval import RETRIEVAL_LOSSES
from reelflow.saved_model.files import Guard


def strictly_past_histories(data: EncodedData) -> Guard:
    """Check that every history is of the same user, and in train strictly earlier than its row.

    Equal times count as later, as the order of such ratings is unknown. Rows held out have all
    train ratings of their users as history, as served.
    """
    leaks = {split: _leaks(split, data) for split in f.RATING_SPLITS}
    train = data.train
    same_user = train.user_index[1:] == train.user_index[:-1]
    unsorted = int((same_user & (train.timestamp[1:] < train.timestamp[:-1])).sum())
    faults = [f"{count:,} rows of {split}" for split, count in leaks.items() if count]
    faults += [f"{unsorted:,} train ratings out of order"] if unsorted else []
    rows = sum(len(getattr(data, split)) for split in f.RATING_SPLITS)
    detail = (
        f"histories reach into the present or the future: {', '.join(faults)}."
        if faults
        else f"the histories of all {rows:,} rows are what may be known of their users."
    )
    return Guard("strictly_past_histories", not faults, detail)


def refuse(guards: Iterable[Guard]) -> None:
    """Stop before training if a guard does not pass.

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
    """Check that the retrieval task has learned more than a model that knows nothing.

    Args:
        losses: training loss of the retrieval task, an epoch each, in nats.
        data: the training data.
        model: the section `model`.
        train: the section `train`.
    """
    chance = RETRIEVAL_LOSSES[model.loss].chance(data, model, train)
    finite = [loss for loss in losses if math.isfinite(loss)]
    lowest = min(finite, default=math.nan)
    passed = lowest < chance
    relation = "below" if passed else "not below"
    detail = f"lowest training loss {lowest:.4f}, {relation} chance, {chance:.4f} nats."
    return Guard("loss_below_chance", passed, detail)


def finite_weights(weights: Mapping[str, npt.ArrayLike]) -> Guard:
    """Check that no weight is infinite or not a number."""
    broken = [name for name, values in weights.items() if not np.isfinite(np.asarray(values)).all()]
    detail = f"not finite: {', '.join(broken)}." if broken else f"{len(weights)} tables."
    return Guard("finite_weights", not broken, detail)


def _leaks(split: str, data: EncodedData) -> int:
    """Count rows whose history is of another user, or in train reaches to their own time."""
    rows: EncodedRatings = getattr(data, split)
    offsets, times = data.offsets, data.train.timestamp
    starts, stops = offsets[rows.user_index], offsets[rows.user_index + 1]
    outside = (rows.history_end < starts) | (rows.history_end > stops)
    if split != f.TRAIN:
        return int(outside.sum())
    some = (rows.history_end > starts) & ~outside
    newest = times[np.where(some, rows.history_end - 1, 0)] if len(times) else rows.timestamp
    return int((outside | (some & (newest >= rows.timestamp))).sum())

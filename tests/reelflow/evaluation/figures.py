"""Predictions and summaries for the tests of gate and metrics."""

from __future__ import annotations

import numpy as np

from reelflow.base.metrics import all_paths
from reelflow.evaluation.bootstrap import Measured
from reelflow.evaluation.metrics import Predictions

LIKED = 3.5
"""Stars from which on a row counts as a like."""


def predictions(seed: int, rows: int = 60, best: int = 1, worst: int = 300) -> Predictions:
    """Random ranks and stars; the unseen rank is never above the raw one."""
    random = np.random.default_rng(seed)
    raw = random.integers(best, worst, rows).astype(np.int32)
    return Predictions(
        stars=(0.5 + 4.5 * random.random(rows)).astype(np.float32),
        rank_raw=raw,
        rank_unseen=np.maximum(1, raw - random.integers(0, 20, rows)).astype(np.int32),
    )


def stars(seed: int, rows: int = 60) -> np.ndarray:
    """True ratings."""
    return (np.random.default_rng(seed).integers(1, 11, rows) / 2).astype(np.float32)


def certain(
    top_100: float, rmse: float, raw: float | None = None, liked: float | None = None
) -> Measured:
    """A model's figures, the same in every draw; `top_100` is under the unseen protocol."""
    values = dict.fromkeys(all_paths(), 0.0) | {"rmse": rmse, "mae": rmse}
    values["unseen/top_100"] = top_100
    values["raw/top_100"] = top_100 / 2 if raw is None else raw
    values["liked/top_100"] = top_100 if liked is None else liked
    return Measured(values, {path: np.full(1000, value) for path, value in values.items()})

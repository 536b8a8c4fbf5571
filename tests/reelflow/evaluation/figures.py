"""Predictions and summaries for the tests of gate and metrics."""

from __future__ import annotations

import numpy as np

from reelflow.evaluation.metrics import Predictions, row_columns, summarise
from reelflow.evaluation.results import Summary

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


def summary(top_100: float, rmse: float, raw: float | None = None) -> Summary:
    """A model's figures; `top_100` is under the unseen protocol, `raw` under the other."""
    names = (*(f"top_{k}" for k in (1, 5, 10, 50, 100)), "ndcg_10", "mrr")
    both = {p: dict.fromkeys(names, 0.0) for p in ("raw", "unseen", "liked")}
    both["unseen"]["top_100"] = top_100
    both["raw"]["top_100"] = top_100 / 2 if raw is None else raw
    return Summary(**both, rmse=rmse, mae=rmse)


def summary_of(found: Predictions, ratings: np.ndarray) -> Summary:
    """Means over all rows."""
    return summarise(row_columns(found, ratings, LIKED))

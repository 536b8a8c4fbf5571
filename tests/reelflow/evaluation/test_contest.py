"""Metrics of a contestant: names, intervals, likes, and ties with the best."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.evaluation.contest import Entry, as_good, measure
from reelflow.evaluation.metrics import Predictions
from reelflow.evaluation.predictions import TestRows
from tests.encoded_data import encoded

TRAIN = [(f"u{u}", f"m{m}", 4.0, 1) for u in range(4) for m in range(4) if u != m]
TEST = [(f"u{u}", f"m{u}", 4.0 if u % 2 else 2.0, 2) for u in range(4)]
DATA = encoded(TRAIN, test=TEST)
IDS = np.array([row[:2] for row in TEST], object)
ROWS = TestRows(IDS[:, 0], IDS[:, 1], DATA.test)


def _entry(name: str, ranks: list[int], stars: list[float]) -> Entry:
    array = np.array(ranks, np.int32)
    found = Predictions(np.array(stars, np.float32), array + 1, array)
    lists = np.array([[0], [1], [2], [3]], np.int32)
    return measure(name, found, lists, ROWS, DATA, 1, 0.5, 7, liked_from=3.5)


def test_metrics_and_intervals() -> None:
    entry = _entry("one", [1, 1, 1, 1], [3.0, 3.0, 3.0, 3.0])
    assert entry.metrics["unseen/top_1"] == 1
    assert entry.metrics["raw/top_1"] == 0
    assert entry.metrics["rmse"] == entry.metrics["mae"] == 1
    assert entry.metrics["like_accuracy"] == 0.5
    assert entry.metrics["coverage_10"] == 1
    assert entry.metrics["novelty_10"] == pytest.approx(-np.log2(3 / 4))
    assert entry.intervals["unseen/top_1"] == (1, 1)
    low, high = entry.intervals["like_accuracy"]
    assert low < 0.5 < high
    assert set(entry.metrics) - set(entry.intervals) == {"coverage_10", "novelty_10"}
    assert not [name for name in entry.metrics if "squared" in name or "absolute" in name]


def test_who_likes_is_a_matter_of_the_threshold() -> None:
    """All rows are called likes from 3 stars on, and half of them are, unless 2 stars will do."""
    stars = Predictions(*(np.full(4, value) for value in (np.float32(3), np.int32(1), np.int32(1))))
    lists = np.zeros((4, 1), np.int32)
    found = [
        measure("x", stars, lists, ROWS, DATA, 1, None, None, liked_from=threshold)
        for threshold in (3.0, 2.0)
    ]
    assert [entry.metrics["like_accuracy"] for entry in found] == [0.5, 1.0]


def test_as_good_as_the_best() -> None:
    best = _entry("best", [1, 1, 1, 1], [4.0] * 4)
    worse = _entry("worse", [2, 2, 2, 2], [4.0] * 4)
    unclear = _entry("unclear", [1, 1, 1, 2], [4.0] * 4)
    assert as_good(best, best, "unseen/top_1")
    assert not as_good(worse, best, "unseen/top_1")
    assert as_good(unclear, best, "unseen/top_1")
    assert as_good(worse, best, "novelty_10")

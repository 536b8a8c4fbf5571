"""Calibration: bins of predictions beside what was given."""

from __future__ import annotations

import numpy as np

from reelflow.evaluation.metrics import MAX_BINS, calibration
from reelflow.evaluation.results import Bin


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_near_predictions_share_a_bin() -> None:
    found = calibration(_floats(3.0, 3.125, 4.0), _floats(2, 4, 5))
    assert found == [Bin(2, 3.0625, 3.0, 1.0), Bin(1, 4.0, 5.0, 0.0)]


def test_every_row_is_in_one_bin_and_bins_ascend() -> None:
    random = np.random.default_rng(0)
    predicted = random.uniform(0.5, 5, 500).astype(np.float32)
    found = calibration(predicted, predicted)
    assert sum(part.rows for part in found) == 500
    means = [part.predicted for part in found]
    assert means == sorted(means)
    assert np.allclose(means, [part.actual for part in found])


def test_long_scales_have_no_more_bins_than_short_ones() -> None:
    predicted = np.linspace(0, 1000, 5000, dtype=np.float32)
    assert len(calibration(predicted, predicted)) <= MAX_BINS + 1


def test_what_is_no_number_is_left_out() -> None:
    assert calibration(_floats(np.nan, np.inf), _floats(3, 3)) == []

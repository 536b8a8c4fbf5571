"""TFMA on aggregated cells has the rows' figures, and breaks the bounds that the gate breaks."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma

from reelflow.base.metrics import METRICS, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation import tfma_run
from reelflow.evaluation.gate import Bound, bounds, results
from reelflow.evaluation.metrics import WEIGHT, aggregate, row_columns, summarise
from reelflow.evaluation.results import Summary
from reelflow.evaluation.slices import MOVIE_POPULARITY, USER_ACTIVITY
from tests.reelflow.evaluation.figures import LIKED, predictions, stars

ROWS = 500
COLUMNS = row_columns(predictions(0, ROWS), stars(0, ROWS), LIKED)
_RANDOM = np.random.default_rng(0)
SLICES = {
    USER_ACTIVITY: _RANDOM.choice(["0", "1-19", "20-49"], ROWS),
    MOVIE_POPULARITY: _RANDOM.choice(["0", "100+"], ROWS, p=[0.02, 0.98]),
}
KEYS = tuple(SLICES)
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def _evaluate(cells: pa.RecordBatch, limits: list[Bound], folder: Path) -> dict[str, float]:
    """Names of the bounds that TFMA's validation calls broken, with its values."""
    config = tfma_run.eval_config(limits, KEYS)
    with beam.Pipeline(runner=RUNNER) as pipeline:
        tfma_run.evaluate(pipeline, cells, config, str(folder))
    return {
        failure.metric_key.name: failure.metric_value.double_value.value
        for per_slice in tfma.load_validation_result(str(folder)).metric_validations_per_slice
        for failure in per_slice.failures
    }


def _broken(limits: list[Bound], summary: Summary) -> set[str]:
    """Names of the bounds that the gate calls broken."""
    return {result.bound.name for result in results(limits, summary) if not result.kept}


def test_cells_are_means_and_sizes() -> None:
    cells = aggregate(COLUMNS, SLICES).to_pydict()
    assert sum(size for (size,) in cells[WEIGHT]) == ROWS
    for i, (size,) in enumerate(cells[WEIGHT]):
        names = {key: cells[key][i][0].decode() for key in KEYS}
        inside = np.logical_and.reduce([SLICES[key] == name for key, name in names.items()])
        assert size == inside.sum()
        for name in ("raw/top_10", "unseen/mrr"):
            assert cells[name][i][0] == pytest.approx(COLUMNS[name][inside].mean(), rel=1e-6)
        mean = COLUMNS["squared_error"][inside].mean()
        assert cells["rmse"][i][0] == pytest.approx(np.sqrt(mean), rel=1e-6)
    assert len(cells[WEIGHT]) == len(set(zip(*SLICES.values(), strict=True)))


def _bound(name: str, metric: str, limit: float) -> Bound:
    return Bound(GateMetric(METRICS[metric], name, "", ""), "unseen", "configuration", limit)


@pytest.mark.slow
def test_tfma_agrees_with_the_rows(tmp_path: Path) -> None:
    whole = summarise(COLUMNS)
    accuracy, rmse = whole.unseen["top_100"], whole.rmse
    # A candidate exactly as good as its champion, with no margin at all, must pass.
    equal = GateConfig(
        top_100_accuracy_min=0, rmse_max=99, top_100_accuracy_margin=0, rmse_margin=0
    )
    limits = [
        *bounds(equal, whole, {"popularity": whole}),
        _bound("lower kept", "top_100", accuracy - 1e-3),
        _bound("lower broken", "top_100", accuracy + 1e-3),
        _bound("upper kept", "rmse", rmse + 1e-3),
        _bound("upper broken", "rmse", rmse - 1e-3),
    ]
    broken = _evaluate(aggregate(COLUMNS, SLICES), limits, tmp_path)
    assert set(broken) == {"lower broken", "upper broken", "top_100_accuracy_against_popularity"}
    assert _broken(limits, whole) == set(broken)
    assert broken["lower broken"] == pytest.approx(accuracy, rel=1e-5)
    assert broken["upper broken"] == pytest.approx(rmse, rel=1e-5)

    result = tfma.load_eval_result(str(tmp_path))
    seen = set()
    for slice_key, metrics in result.slicing_metrics:
        inside = np.ones(ROWS, bool)
        for key, value in slice_key:
            inside &= SLICES[key] == value
        seen.add(slice_key)
        expected = summarise(COLUMNS, inside)
        for output, by_key in metrics.items():
            [value] = [v["doubleValue"] for name, v in by_key[""].items() if name == output]
            if output == "rmse":
                assert value == pytest.approx(expected.rmse, rel=1e-5)
            else:
                protocol, name = output.split("/")
                mean = getattr(expected, protocol)[name]
                assert value == pytest.approx(mean, abs=1e-6)
    assert len(seen) == 1 + 3 + 2


@pytest.mark.slow
def test_predictions_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    found = predictions(1, 40)
    found.stars[3] = np.nan
    columns = row_columns(found, stars(1, 40), LIKED)
    slices = {key: labels[:40] for key, labels in SLICES.items()}
    limits = [_bound("rmse", "rmse", 1e9), _bound("accuracy", "top_100", 0.0)]
    broken = _evaluate(aggregate(columns, slices), limits, tmp_path)
    assert set(broken) == _broken(limits, summarise(columns)) == {"rmse"}
    assert not np.isfinite(broken["rmse"])

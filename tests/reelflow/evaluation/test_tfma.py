"""TFMA on aggregated cells has the rows' figures, and breaks the bounds that the gate breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma

from reelflow.base.metrics import METRICS, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation import tfma_run
from reelflow.evaluation.bootstrap import Measured
from reelflow.evaluation.gate import Against, GateResult, broken, decide
from reelflow.evaluation.metrics import WEIGHT, aggregate, row_columns, summarise, weight_of
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


def _evaluate(cells: pa.RecordBatch, limits: list[GateResult], folder: Path) -> dict[str, float]:
    """Names of the bounds that TFMA's validation calls broken, with its values."""
    config = tfma_run.eval_config(limits, KEYS)
    with beam.Pipeline(runner=RUNNER) as pipeline:
        tfma_run.evaluate(pipeline, cells, config, str(folder))
    return {
        failure.metric_key.name: failure.metric_value.double_value.value
        for per_slice in tfma.load_validation_result(str(folder)).metric_validations_per_slice
        for failure in per_slice.failures
    }


def test_cells_are_means_and_sizes() -> None:
    cells = aggregate(COLUMNS, SLICES).to_pydict()
    assert sum(size for (size,) in cells[WEIGHT]) == ROWS
    for i, (size,) in enumerate(cells[WEIGHT]):
        names = {key: cells[key][i][0].decode() for key in KEYS}
        inside = np.logical_and.reduce([SLICES[key] == name for key, name in names.items()])
        assert size == inside.sum()
        for name in ("raw/top_10", "unseen/mrr", "liked/mrr"):
            counted = COLUMNS[name][inside]
            counted = counted[~np.isnan(counted)]
            assert cells[weight_of(name)][i][0] == len(counted)
            mean = counted.mean() if len(counted) else 0
            assert cells[name][i][0] == pytest.approx(mean, rel=1e-6)
        mean = COLUMNS["squared_error"][inside].mean()
        assert cells["rmse"][i][0] == pytest.approx(np.sqrt(mean), rel=1e-6)
    assert len(cells[WEIGHT]) == len(set(zip(*SLICES.values(), strict=True)))


def _bound(name: str, metric: str, value: float, limit: float) -> GateResult:
    gated = GateMetric(METRICS[metric], name, "", "")
    return GateResult(gated, "unseen", "configuration", value, limit)


def _against(name: str, metric: str, model: Measured, other: Measured, room: float) -> GateResult:
    """A bound on the end of an interval that is kept, or missed, by so much."""
    gated = GateMetric(METRICS[metric], name, "", "")
    path = gated.metric.path("unseen")
    values = model.values[path], other.values[path]
    draws = model.resamples[path] - other.resamples[path]
    against = Against(values[1], 0.0, values[0] - values[1], draws).at(0.95)
    result = GateResult(gated, "unseen", "champion", values[0], against=against)
    return replace(result, against=replace(against, threshold=result.end - room))


@pytest.mark.slow
def test_tfma_agrees_with_the_rows(tmp_path: Path) -> None:
    whole = summarise(COLUMNS)
    accuracy, rmse = whole.unseen["top_100"], whole.rmse
    # A candidate exactly as good as its champion, with no margin at all, must pass.
    equal = GateConfig(
        top_100_accuracy_min=0, rmse_max=99, top_100_accuracy_margin=0, rmse_margin=0
    )
    users = np.repeat(np.arange(50, dtype=np.int32), 10)
    model = Measured.of(COLUMNS, users, seed=0)
    limits = [
        *decide(equal, model, model, {"popularity": model}).results,
        _bound("lower kept", "top_100", accuracy, accuracy - 1e-3),
        _bound("lower broken", "top_100", accuracy, accuracy + 1e-3),
        _bound("upper kept", "rmse", rmse, rmse + 1e-3),
        _bound("upper broken", "rmse", rmse, rmse - 1e-3),
    ]
    # Bounds on intervals amount to bounds on values; half a row more or less decides.
    other = Measured.of(row_columns(predictions(5, ROWS), stars(5, ROWS), LIKED), users, seed=0)
    for name, metric, sign in (("accuracy", "top_100", 1), ("error", "rmse", -1)):
        for words, room in (("kept", 1e-3), ("broken", -1e-3)):
            limits.append(_against(f"{name} {words}", metric, model, other, sign * room))
    refused = _evaluate(aggregate(COLUMNS, SLICES), limits, tmp_path)
    expected = {"accuracy broken_against_champion", "error broken_against_champion"}
    expected |= {"lower broken", "upper broken", "top_100_accuracy_against_popularity"}
    assert set(refused) == expected
    assert {result.name for result in broken(limits)} == set(refused)
    assert refused["lower broken"] == pytest.approx(accuracy, rel=1e-5)
    assert refused["upper broken"] == pytest.approx(rmse, rel=1e-5)

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
            mean = expected.value(output)
            if mean is not None:  # a slice may have no liked row
                assert value == pytest.approx(mean, rel=1e-5, abs=1e-6)
    assert len(seen) == 1 + 3 + 2


@pytest.mark.slow
def test_predictions_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    found = predictions(1, 40)
    found.stars[3] = np.nan
    columns = row_columns(found, stars(1, 40), LIKED)
    slices = {key: labels[:40] for key, labels in SLICES.items()}
    whole = summarise(columns)
    limits = [
        _bound("rmse", "rmse", whole.rmse, 1e9),
        _bound("accuracy", "top_100", whole.unseen["top_100"], 0.0),
    ]
    refused = _evaluate(aggregate(columns, slices), limits, tmp_path)
    assert {result.name for result in broken(limits)} == set(refused) == {"rmse"}
    assert not np.isfinite(refused["rmse"])

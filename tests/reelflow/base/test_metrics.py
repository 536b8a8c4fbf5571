"""The table of metrics."""

from __future__ import annotations

import pytest

from reelflow.base.metrics import (
    GATE_METRICS,
    METRICS,
    all_paths,
    inline,
    label_at,
    metric_at,
    value_at,
)
from reelflow.config import GateConfig


def test_the_gate_configuration_has_the_fields_of_every_gate_metric() -> None:
    for gated in GATE_METRICS.values():
        fields = {gated.limit, gated.champion_margin}
        fields |= {gated.baseline_margin, gated.biases_margin} - {None}
        assert fields <= set(GateConfig.model_fields)


def test_direction() -> None:
    assert METRICS["top_100"].better(0.3, 0.2)
    assert METRICS["rmse"].better(0.8, 0.9)
    assert not METRICS["rmse"].better(0.9, 0.9)


def test_paths() -> None:
    assert all_paths()[0] == "unseen/top_1"
    assert all_paths()[-2:] == ("rmse", "mae")
    assert {metric_at(path).key for path in all_paths()} == set(METRICS)
    with pytest.raises(KeyError):
        metric_at("raw/speed")


def test_labels() -> None:
    assert label_at("unseen/top_100") == "Top-100 accuracy, unseen"
    assert label_at("rmse") == "RMSE"
    assert label_at("raw/mrr", short=True) == "MRR, raw"
    assert inline(METRICS["top_10"].label) == "top-10 accuracy"
    assert inline(METRICS["ndcg_10"].label) == "NDCG@10"
    assert inline("MRR") == "MRR"


def test_values() -> None:
    figures = {"unseen": {"top_1": 1}, "like": {"auc": None}, "rmse": 0.5}
    assert value_at(figures, "unseen/top_1") == 1.0
    assert value_at(figures, "rmse") == 0.5
    assert value_at(figures, "like/auc") is None
    assert value_at(figures, "raw/top_1") is None
    assert value_at(None, "rmse") is None

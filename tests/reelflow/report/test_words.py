"""Numbers and names in words."""

from __future__ import annotations

import pytest

from reelflow.base.metrics import GATE_METRICS, METRICS, GateMetric
from reelflow.config import BASELINES
from reelflow.report import words
from reelflow.report.sections.slices import slices_section
from tests.reelflow.report import world

NAN = float("nan")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("unseen/top_100", 0.1234, "12.3 %"),
        ("raw/ndcg_10", 0.12345, "0.1235"),
        ("rmse", 0.9, "0.900 stars"),
        ("rmse", NAN, "not a number"),
        ("raw/mrr", NAN, "–"),
        ("unseen/top_1", NAN, "–"),
        ("rmse", None, "–"),
    ],
)
def test_metrics_have_their_unit(path: str, value: float | None, text: str) -> None:
    assert words.format_metric(path, value) == text


def test_intervals_give_the_unit_once() -> None:
    assert words.format_interval("unseen/top_100", (0.48, 0.52)) == "48.0 to 52.0 %"
    assert words.format_interval("rmse", (0.87, 0.93)) == "0.870 to 0.930 stars"
    assert words.format_interval("raw/mrr", (0.1, 0.2)) == "0.1000 to 0.2000"
    assert words.format_interval("rmse", (NAN, NAN)) == "not a number to not a number"


def test_every_baseline_has_a_label() -> None:
    assert set(words.BASELINES) == set(BASELINES)


def test_a_further_gate_metric_is_drawn_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    row = GateMetric(METRICS["mrr"], "mrr", "mrr_min", "mrr_margin")
    monkeypatch.setitem(GATE_METRICS, "mrr", row)
    assert words.headline_paths() == ["unseen/top_100", "rmse", "unseen/mrr"]
    titles = [getattr(block, "title", "") for block in slices_section(world.results()).blocks]
    assert "Mean reciprocal rank by genre" in titles

"""Numbers and names in words."""

from __future__ import annotations

import pytest

from reelflow.base.metrics import GATE_METRICS, METRICS, GateMetric, Scope
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
    assert "Mean reciprocal rank, unseen, by genre" in titles


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (4.25, (0.5, 5.0), "4.2"),
        (7.0, (0.0, 10.0), "7.0"),
        (74.96, (0.0, 100.0), "75.0"),
        (0.837, (0.0, 1.0), "0.84"),
        (-3.21, (-10.0, 10.0), "-3.2"),
        (1.0, (1.0, 1.0), "1.0"),
    ],
)
def test_stars_have_the_decimals_of_their_scale(
    value: float, scale: tuple[float, float], text: str
) -> None:
    assert words.format_stars(value, scale) == text


def test_differences_have_a_sign() -> None:
    assert words.format_difference("unseen/top_100", 0.021) == "+2.1 percentage points"
    assert words.format_difference("rmse", -0.02) == "-0.020 stars"
    assert words.format_difference("rmse", NAN) == "not a number"


def test_without_stars_no_metric_of_likes_or_stars_is_left() -> None:
    events = Scope(likes=False, stars=False)
    assert events.protocols == ["unseen", "raw"]
    paths = ["unseen/top_10", "liked/top_10", "stars_of_hits_10", "rmse"]
    assert events.of(paths) == ["unseen/top_10"]
    assert Scope(stars=False).of(paths) == paths[:3]
    assert words.headline_paths(events) == ["unseen/top_100"]


def test_retrieval_alone_has_no_stars_of_its_own() -> None:
    found = {model.label: model for model in words.contestants(world.results())}
    retrieval = found[words.RETRIEVAL_ALONE]
    assert retrieval.value("unseen/top_100") == 0.51
    assert retrieval.value("rmse") is None
    assert retrieval.over_users("rmse") is None

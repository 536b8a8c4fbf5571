"""Bounds and what is said of a broken one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reelflow.base.metrics import GATE_METRICS, METRICS, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation import tfma_run
from reelflow.evaluation.gate import GateResult, bounds, not_gated, refusal, results
from reelflow.evaluation.results import Summary, Verdict
from tests.reelflow.evaluation.figures import summary

GATE = GateConfig(
    top_100_accuracy_min=0.2, rmse_max=1.0, top_100_accuracy_margin=0.02, rmse_margin=0.05
)


def _broken(
    candidate: Summary,
    champion: Summary | None = None,
    baselines: Mapping[str, Summary] | None = None,
    **gate: Any,
) -> set[str]:
    """Names of the bounds that the candidate does not keep."""
    config = GATE.model_copy(update=gate)
    found = bounds(config, champion, baselines or {})
    assert len({bound.name for bound in found}) == len(found)
    for bound in found:
        record = bound.record()
        assert (record.lower is None) != (record.upper is None)
    return {result.bound.name for result in results(found, candidate) if not result.kept}


def test_without_a_champion_the_absolute_bounds_decide() -> None:
    assert _broken(summary(0.2, 1.0)) == set()
    assert _broken(summary(0.19, 1.0)) == {"top_100_accuracy"}
    assert _broken(summary(0.2, 1.01)) == {"rmse"}
    assert _broken(summary(0.1, 2.0)) == {"top_100_accuracy", "rmse"}


def test_a_better_candidate_wins() -> None:
    assert _broken(summary(0.4, 0.8), champion=summary(0.3, 0.9)) == set()


def test_a_little_worse_is_within_the_margin() -> None:
    assert _broken(summary(0.285, 0.94), champion=summary(0.3, 0.9)) == set()


def test_a_candidate_that_loses_by_more_than_the_margin() -> None:
    champion = summary(0.3, 0.9)
    assert _broken(summary(0.279, 0.9), champion) == {"top_100_accuracy_against_champion"}
    assert _broken(summary(0.3, 0.951), champion) == {"rmse_against_champion"}


def test_the_champion_itself_would_pass() -> None:
    for margin in (0.0, 0.02):
        same = summary(0.3, 0.9)
        gate = {"top_100_accuracy_margin": margin, "rmse_margin": margin}
        assert _broken(same, champion=same, **gate) == set()


def test_a_bad_champion_does_not_ask_for_less_than_nothing() -> None:
    assert _broken(summary(0.0, 0.9), summary(0.001, 0.9), top_100_accuracy_min=0.0) == set()


def test_equal_to_a_baseline_is_not_enough() -> None:
    floor = {"popularity": summary(0.25, 9.9)}
    name = "top_100_accuracy_against_popularity"
    assert _broken(summary(0.25, 0.9), baselines=floor) == {name}
    assert _broken(summary(0.2501, 0.9), baselines=floor) == set()
    assert _broken(summary(0.28, 0.9), baselines=floor, baseline_margin=0.05) == {name}


def test_every_baseline_counts() -> None:
    floor = {"popularity": summary(0.25, 1.0), "another": summary(0.35, 1.0)}
    found = _broken(summary(0.3, 0.9), baselines=floor)
    assert found == {"top_100_accuracy_against_another"}


@pytest.mark.parametrize(("protocol", "broken"), [("raw", True), ("unseen", False)])
def test_the_protocol_decides_which_accuracy(protocol: str, broken: bool) -> None:
    found = _broken(summary(0.3, 0.9, raw=0.1), protocol=protocol)
    assert found == ({"top_100_accuracy"} if broken else set())


def test_a_refusal_names_metric_value_bound_distance_and_slice() -> None:
    lower, upper, *_ = bounds(GATE, None, {})
    assert refusal(GateResult(lower, 0.15)) == (
        "top-100 accuracy (unseen) is 0.1500, below the bound of 0.2000 by 0.0500 "
        "on slice 'overall' (gate.top_100_accuracy_min)."
    )
    assert refusal(GateResult(upper, 1.25)) == (
        "RMSE is 1.2500, above the bound of 1.0000 by 0.2500 on slice 'overall' (gate.rmse_max)."
    )


def test_a_refusal_says_whose_figure_it_is() -> None:
    found = bounds(GATE, summary(0.3, 0.9), {"popularity": summary(0.25, 1.0)})
    said = {bound.name: refusal(GateResult(bound, 0.1)) for bound in found}
    assert "the champion's 0.3000" in said["top_100_accuracy_against_champion"]
    assert "below the bound of 0.2800 by 0.1800" in said["top_100_accuracy_against_champion"]
    assert "the popularity baseline's 0.2500" in said["top_100_accuracy_against_popularity"]
    assert "the champion's 0.9000" in said["rmse_against_champion"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_has_a_reason_of_its_own(value: float) -> None:
    bound = bounds(GATE, None, {})[1]
    said = "RMSE is not a number on slice 'overall': training has diverged."
    assert refusal(GateResult(bound, value)) == said


POOR = {"popularity": summary(0.25, 1.0)}


def _names(*tasks: str, champion: Sequence[str] | None = None, **gate: Any) -> set[str]:
    """Names of the bounds that a model of these tasks is held to."""
    best = None if champion is None else summary(0.3, 0.9)
    config = GATE.model_copy(update=gate)
    return {bound.name for bound in bounds(config, best, POOR, tasks, champion or ())}


def test_a_rating_model_has_no_floor_of_accuracy() -> None:
    assert _names("rating") == {"rmse"}
    assert _names("rating", champion=["rating"]) == {"rmse", "rmse_against_champion"}


def test_a_retrieval_model_has_no_ceiling_of_rmse() -> None:
    floors = {"top_100_accuracy", "top_100_accuracy_against_popularity"}
    assert _names("retrieval") == floors


def test_whatever_the_champion_does_its_successor_must_do_as_well() -> None:
    both = {"rmse_against_champion", "top_100_accuracy_against_champion"}
    assert both < _names("rating", champion=["retrieval", "rating"])
    assert both < _names("retrieval", champion=["rating"])


def test_untrained_tasks_can_be_held_to_their_bounds() -> None:
    everything = _names("retrieval", "rating", champion=["rating"])
    assert len(everything) == 5
    assert _names("rating", champion=["rating"], untrained_tasks=True) == everything


def test_what_is_not_gated_is_said() -> None:
    for task, words in {
        "rating": ["Top-100 accuracy (unseen) is not gated: no retrieval task."],
        "retrieval": ["RMSE is not gated: no rating task."],
    }.items():
        assert not_gated(GATE, bounds(GATE, None, POOR, [task])) == words
    assert not_gated(GATE, bounds(GATE, None, POOR)) == []


def test_a_single_row_of_millions_decides() -> None:
    champion, row = summary(1 / 3, 0.9), 1e-8
    margins = {"top_100_accuracy_margin": 0.0, "rmse_margin": 0.0}
    name = "top_100_accuracy_against_champion"
    assert _broken(summary(1 / 3, 0.9), champion, **margins) == set()
    assert _broken(summary(1 / 3 - row, 0.9), champion, **margins) == {name}
    floor = {"popularity": summary(1 / 3, 9.9)}
    assert _broken(summary(1 / 3 + row, 0.9), baselines=floor) == set()


def test_exactly_the_margin_passes_whatever_the_last_digit() -> None:
    for hits in range(250, 1000):  # some of these differences are a last digit off
        champion, candidate = summary(hits / 1000, 0.9), summary((hits - 10) / 1000, 0.9)
        assert _broken(candidate, champion, top_100_accuracy_margin=0.01) == set()
        name = "top_100_accuracy_against_popularity"
        floor = {"popularity": summary((hits - 10) / 1000, 9.9)}
        assert _broken(champion, baselines=floor, baseline_margin=0.01) == {name}


class _WiderGate(GateConfig):
    """The configuration of two more gate metrics."""

    mae_max: float = 0.8
    mae_margin: float = 0.01
    ndcg_10_min: float = 0.1
    ndcg_10_margin: float = 0.02


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch) -> _WiderGate:
    for row in (
        GateMetric(METRICS["mae"], "mae", "mae_max", "mae_margin", "baseline_margin"),
        GateMetric(METRICS["ndcg_10"], "ndcg_10", "ndcg_10_min", "ndcg_10_margin"),
    ):
        monkeypatch.setitem(GATE_METRICS, row.metric.key, row)
    return _WiderGate(**GATE.model_dump())


def test_a_new_gate_metric_is_a_row_of_the_table(wider: _WiderGate) -> None:
    champion = summary(0.3, 0.9)  # its MAE is 0.9 as well, and its NDCG 0
    found = bounds(wider, champion, POOR)
    names = [bound.name for bound in found]
    assert {"mae", "mae_against_popularity", "mae_against_champion"} < set(names)
    assert {"ndcg_10", "ndcg_10_against_champion"} < set(names)

    refused = [r for r in results(found, summary(0.3, 0.85)) if not r.kept]
    assert [refusal(result) for result in refused] == [
        "MAE is 0.8500, above the bound of 0.8000 by 0.0500 on slice 'overall' (gate.mae_max).",
        "NDCG@10 (unseen) is 0.0000, below the bound of 0.1000 by 0.1000 on slice 'overall' "
        "(gate.ndcg_10_min).",
    ]
    reasons = {bound.name: bound.record() for bound in found}
    assert reasons["mae_against_champion"].reason == "the champion's 0.9000 plus gate.mae_margin"
    assert reasons["mae_against_popularity"].upper == pytest.approx(1 - 2e-6, abs=1e-9)
    only_ranks = bounds(wider, None, {}, ["retrieval"])
    assert not_gated(wider, only_ranks) == [
        "RMSE is not gated: no rating task.",
        "MAE is not gated: no rating task.",
    ]
    verdict = Verdict(False, [], ["mae_against_champion", "ndcg_10_against_champion"])
    assert verdict.only_worse_than_champion


def test_tfma_gets_the_bounds_of_a_new_gate_metric(wider: _WiderGate) -> None:
    config = tfma_run.eval_config(bounds(wider, None, POOR), ())
    limits = {
        json.loads(spec.metrics[0].config)["name"]: threshold.threshold.value_threshold
        for spec in config.metrics_specs
        for threshold in spec.metrics[0].per_slice_thresholds
    }
    assert limits["mae"].upper_bound.value == pytest.approx(0.8 + 1e-6)
    assert limits["ndcg_10"].lower_bound.value == pytest.approx(0.1 - 1e-6)
    assert {"mae", "unseen/ndcg_10"} < set(config.model_specs[0].prediction_keys)

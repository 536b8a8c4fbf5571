"""Bounds and what is said of a broken one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reelflow.config import GateConfig
from reelflow.evaluation.gate import Bound, accuracy_of, bounds, not_gated, refusal
from reelflow.evaluation.metrics import Summary
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
    measured = {"top_100": accuracy_of(candidate, config), "rmse": candidate.rmse}
    return {bound.name for bound in found if not _keeps(bound, measured[bound.metric])}


def _keeps(bound: Bound, value: float) -> bool:
    assert (bound.lower is None) != (bound.upper is None)
    if bound.lower is not None:
        return value >= bound.lower
    return bound.upper is not None and value <= bound.upper


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
    assert refusal(lower, 0.15, "unseen") == (
        "top-100 accuracy (unseen) is 0.1500, below the bound of 0.2000 by 0.0500 "
        "on slice 'overall' (gate.top_100_accuracy_min)."
    )
    assert refusal(upper, 1.25, "raw") == (
        "RMSE is 1.2500, above the bound of 1.0000 by 0.2500 on slice 'overall' (gate.rmse_max)."
    )


def test_a_refusal_says_whose_figure_it_is() -> None:
    found = bounds(GATE, summary(0.3, 0.9), {"popularity": summary(0.25, 1.0)})
    said = {bound.name: refusal(bound, 0.1, "unseen") for bound in found}
    assert "the champion's 0.3000" in said["top_100_accuracy_against_champion"]
    assert "below the bound of 0.2800 by 0.1800" in said["top_100_accuracy_against_champion"]
    assert "the popularity baseline's 0.2500" in said["top_100_accuracy_against_popularity"]
    assert "the champion's 0.9000" in said["rmse_against_champion"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_has_a_reason_of_its_own(value: float) -> None:
    bound = bounds(GATE, None, {})[1]
    said = "RMSE is not a number on slice 'overall': training has diverged."
    assert refusal(bound, value, "unseen") == said


POOR = {"popularity": summary(0.25, 1.0)}


def _names(*tasks: str, champion: Sequence[str] | None = None, **gate: Any) -> set[str]:
    """Names of the bounds that a model of these tasks is held to."""
    rival = None if champion is None else summary(0.3, 0.9)
    config = GATE.model_copy(update=gate)
    return {bound.name for bound in bounds(config, rival, POOR, tasks, champion or ())}


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

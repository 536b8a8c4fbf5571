"""Bounds, passes as statements with an interval, and what is said of a broken bound."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from reelflow.base.metrics import GATE_METRICS, METRICS, GateMetric
from reelflow.config import GateConfig
from reelflow.evaluation import tfma_run
from reelflow.evaluation.bootstrap import Measured, interval
from reelflow.evaluation.gate import Decision, GateResult, broken, decide, not_gated, refusal
from reelflow.evaluation.metrics import row_columns
from reelflow.evaluation.results import Verdict
from reelflow.evaluation.slices import CHAMPIONS_USERS
from tests.reelflow.evaluation.figures import LIKED, certain, predictions, stars

GATE = GateConfig(
    top_100_accuracy_min=0.2, rmse_max=1.0, top_100_accuracy_margin=0.02, rmse_margin=0.05
)


def _decided(
    candidate: Measured,
    champion: Measured | None = None,
    baselines: Mapping[str, Measured] | None = None,
    biases: Measured | None = None,
    **gate: Any,
) -> Decision:
    config = GATE.model_copy(update=gate)
    decision = decide(config, candidate, champion, baselines or {}, biases)
    assert len({result.name for result in decision.results}) == len(decision.results)
    for result in decision.results:
        record = result.record()
        assert (record.lower is None) != (record.upper is None)
    return decision


def _broken(
    candidate: Measured,
    champion: Measured | None = None,
    baselines: Mapping[str, Measured] | None = None,
    biases: Measured | None = None,
    **gate: Any,
) -> set[str]:
    """Names of the bounds that the candidate does not keep."""
    decision = _decided(candidate, champion, baselines, biases, **gate)
    return {result.name for result in broken(decision.results)}


def _named(decision: Decision) -> dict[str, GateResult]:
    return {result.name: result for result in decision.results}


def test_without_a_champion_the_absolute_bounds_decide() -> None:
    assert _broken(certain(0.2, 1.0)) == set()
    assert _broken(certain(0.19, 1.0)) == {"top_100_accuracy"}
    assert _broken(certain(0.2, 1.01)) == {"rmse"}
    assert _broken(certain(0.1, 2.0)) == {"top_100_accuracy", "rmse"}


def test_a_better_candidate_wins() -> None:
    assert _broken(certain(0.4, 0.8), champion=certain(0.3, 0.9)) == set()


def test_a_little_worse_is_within_the_margin() -> None:
    assert _broken(certain(0.285, 0.94), champion=certain(0.3, 0.9)) == set()


def test_a_candidate_that_loses_by_more_than_the_margin() -> None:
    champion = certain(0.3, 0.9)
    assert _broken(certain(0.279, 0.9), champion) == {"top_100_accuracy_against_champion"}
    # 5 % of .9, whatever the scale.
    assert _broken(certain(0.3, 0.944), champion) == set()
    assert _broken(certain(0.3, 0.946), champion) == {"rmse_against_champion"}
    percent = certain(0.3, 18.0)
    assert _broken(certain(0.3, 18.8), percent, rmse_max=None) == set()
    assert _broken(certain(0.3, 19.0), percent, rmse_max=None) == {"rmse_against_champion"}


def test_the_champion_itself_would_pass() -> None:
    for margin in (0.0, 0.02):
        same = certain(0.3, 0.9)
        gate = {"top_100_accuracy_margin": margin, "rmse_margin": margin}
        assert _broken(same, champion=same, **gate) == set()


def test_a_bad_champion_does_not_ask_for_less_than_nothing() -> None:
    assert _broken(certain(0.0, 0.9), certain(0.001, 0.9), top_100_accuracy_min=0.0) == set()


def test_a_champion_that_has_diverged_is_no_obstacle() -> None:
    assert _broken(certain(0.3, 0.9), certain(0.3, float("inf"))) == set()


def test_the_champions_own_users_must_not_lose() -> None:
    """New users, many and alike, hide nothing: here they lift both models' figures."""
    champion, candidate = certain(0.3, 0.9), certain(0.4, 0.8)
    own = certain(0.1, 0.95), certain(0.3, 0.9)
    decision = decide(GATE, candidate, champion, {}, on_its_users=own)
    lost = broken(decision.results)
    assert [result.name for result in lost] == [
        "top_100_accuracy_against_champion_for_its_users",
        "rmse_against_champion_for_its_users",
    ]
    assert lost[0].slice == CHAMPIONS_USERS
    assert "is 0.1000 on slice \"the champion's users\", the champion's 0.3000" in refusal(lost[0])
    assert (
        broken(decide(GATE, candidate, champion, {}, on_its_users=(own[1], own[1])).results) == []
    )
    verdict = Verdict(blessed=False, reasons=[], broken=[result.name for result in lost])
    assert verdict.only_worse_than_champion


def test_equal_to_a_baseline_is_not_enough() -> None:
    floor = {"popularity": certain(0.25, 9.9)}
    name = "top_100_accuracy_against_popularity"
    assert _broken(certain(0.25, 0.9), baselines=floor) == {name}
    assert _broken(certain(0.2501, 0.9), baselines=floor) == set()
    assert _broken(certain(0.28, 0.9), baselines=floor, baseline_margin=0.05) == {name}


def test_every_baseline_counts() -> None:
    floor = {"popularity": certain(0.25, 1.0), "another": certain(0.35, 1.0)}
    found = _broken(certain(0.3, 0.9), baselines=floor)
    assert found == {"top_100_accuracy_against_another"}


def test_rmse_is_held_against_the_biases_unless_a_number_is_given() -> None:
    name, biases = "rmse_against_biases", certain(0.0, 10.0)
    assert _broken(certain(0.3, 10.49), biases=biases, rmse_max=None) == set()
    assert _broken(certain(0.3, 10.51), biases=biases, rmse_max=None) == {name}
    assert _broken(certain(0.3, 10.9), biases=biases, rmse_max=None, rmse_biases_margin=0.1) == (
        set()
    )
    given = _decided(certain(0.3, 10.4), biases=biases, rmse_max=11.0)
    assert name not in _named(given)


@pytest.mark.parametrize(
    ("protocol", "is_broken"), [("raw", True), ("unseen", False), ("liked", True)]
)
def test_the_protocol_decides_which_accuracy(protocol: str, is_broken: bool) -> None:
    found = _broken(certain(0.3, 0.9, raw=0.1, liked=0.15), protocol=protocol)
    assert found == ({"top_100_accuracy"} if is_broken else set())


# Passes as statements with an interval.

USERS = np.repeat(np.arange(30, dtype=np.int32), 2)


def _measured(seed: int, best: int = 1, worst: int = 300) -> Measured:
    columns = row_columns(predictions(seed, best=best, worst=worst), stars(99), LIKED)
    return Measured.of(columns, USERS, seed=7)


def test_identical_models_differ_by_nothing_in_every_draw() -> None:
    model, same = _measured(0), _measured(0)
    for margin in (0.0, 0.01):
        gate = {"top_100_accuracy_margin": margin, "rmse_margin": margin, "rmse_max": 9.0}
        decision = _decided(model, same, top_100_accuracy_min=0.0, **gate)
        against = [result.against for result in decision.results if result.against]
        assert [a.interval for a in against] == [(0.0, 0.0), (0.0, 0.0)]
        assert [a.difference for a in against] == [0.0, 0.0]
        assert broken(decision.results) == []


def test_the_end_of_the_interval_decides_not_the_difference() -> None:
    """A difference that is within the margin, and might as well not be."""
    model, champion = _measured(0), _measured(3)
    result = _named(_decided(model, champion))["top_100_accuracy_against_champion"]
    against = result.against
    assert against is not None
    assert against.interval is not None
    draws = model.resamples["unseen/top_100"] - champion.resamples["unseen/top_100"]
    assert against.interval == interval(draws)
    assert against.level == 0.95
    low, high = against.interval
    assert low < against.difference < high
    for margin, kept in ((-low + 1e-6, True), (-low - 1e-6, False)):
        gate = {"top_100_accuracy_margin": margin}
        name = "top_100_accuracy_against_champion"
        assert (name not in _broken(model, champion, **gate)) == kept
        # The same as a bound on the value: with this interval, so much would have been needed.
        record = _named(_decided(model, champion, **gate))[name].record()
        assert record.lower == pytest.approx(record.value - (low + margin))
        assert (record.value >= record.lower) == kept == record.kept


def test_of_an_error_the_upper_end_decides() -> None:
    model, champion = _measured(0), _measured(3)
    result = _named(_decided(model, champion, rmse_margin=0.0))["rmse_against_champion"]
    assert result.against is not None
    assert result.against.interval is not None
    high = result.against.interval[1]
    assert result.end == high
    for room in (1e-6, -1e-6):
        margin = max(high + room, 0.0) / champion.values["rmse"]
        found = _broken(model, champion, rmse_margin=margin)
        assert ("rmse_against_champion" not in found) == (room > 0)


def _draws(low: float, share: float) -> Measured:
    """Means of top-100 accuracy that are `low` in a share of the draws, else 0.9."""
    draws = np.full(1000, 0.9)
    draws[: round(1000 * share)] = low
    return Measured(
        {"unseen/top_100": float(draws.mean()), "rmse": 0.5},
        {"unseen/top_100": draws, "rmse": np.full(1000, 0.5)},
    )


def test_holm_by_hand() -> None:
    """The model leads in all draws but 0.7 %, 1.1 % and 2 %: of three floors each has its level.

    One-sided the levels are .025 / 3 = .0083 for the clearest, .0125 for the next, .025 for the
    last; so all three hold. In another order of clearness none would: 1.1 % alone is too much for
    the clearest of three, and then nothing less clear holds.
    """
    model = _draws(0.5, 0.0)
    constant = {f"floor-{i}": _flipped(share) for i, share in enumerate((0.02, 0.007, 0.011))}
    found = _named(_decided(model, baselines=constant))
    levels = {name: r.against.level for name, r in found.items() if r.against}
    name = "top_100_accuracy_against_floor-"
    assert levels[f"{name}1"] == pytest.approx(1 - 0.05 / 3)
    assert levels[f"{name}2"] == pytest.approx(1 - 0.05 / 2)
    assert levels[f"{name}0"] == pytest.approx(0.95)
    assert _broken(model, baselines=constant) == set()

    worse = {f"floor-{i}": _flipped(share) for i, share in enumerate((0.02, 0.011, 0.012))}
    assert _broken(model, baselines=worse) == {f"{name}{i}" for i in range(3)}
    # Alone each would pass.
    assert _broken(model, baselines={"floor-0": worse["floor-0"]}) == set()


def _flipped(share: float) -> Measured:
    """A floor at 0.4 that is above 0.9 in a share of the draws."""
    draws = np.full(1000, 0.4)
    draws[: round(1000 * share)] = 0.95
    return Measured(
        {"unseen/top_100": 0.4, "rmse": 0.5}, {"unseen/top_100": draws, "rmse": np.full(1000, 0.5)}
    )


def test_biases_bound_the_value_and_are_no_floor_that_is_corrected_for() -> None:
    """They stand in for a number of the configuration, whose interval does not decide either."""
    model, biases = _measured(0), _measured(3)
    difference = model.values["rmse"] - biases.values["rmse"]
    for room in (1e-6, -1e-6):
        margin = (difference + room) / biases.values["rmse"]
        decision = _decided(model, None, POOR, biases, rmse_max=None, rmse_biases_margin=margin)
        result = _named(decision)["rmse_against_biases"]
        assert result.against is not None
        low, high = result.against.interval or (0, 0)
        assert low < difference < high
        assert result.kept == (room > 0)
        assert result.record().upper == pytest.approx(biases.values["rmse"] * (1 + margin))
        assert [r.against.level for r in decision.results if r.against] == [0.95, 0.95]


# What is said.


def test_a_refusal_names_metric_value_bound_distance_and_slice() -> None:
    low = broken(_decided(certain(0.15, 1.25)).results)
    assert [refusal(result) for result in low] == [
        "top-100 accuracy (unseen) is 0.1500, below the bound of 0.2000 by 0.0500 "
        "on slice 'overall' (gate.top_100_accuracy_min).",
        "RMSE is 1.2500, above the bound of 1.0000 by 0.2500 on slice 'overall' (gate.rmse_max).",
    ]


def test_a_refusal_by_an_interval_names_difference_and_interval() -> None:
    model, champion, floor = certain(0.25, 1.0), certain(0.3, 0.9), certain(0.28, 1.0)
    decision = _decided(model, champion, {"popularity": floor}, certain(0, 0.9), rmse_max=None)
    assert [refusal(result) for result in broken(decision.results)] == [
        "RMSE is 1.0000 on slice 'overall', that of mean plus damped biases 0.9000: a difference "
        "of +0.1000, 95 % interval +0.1000 to +0.1000. The difference must be at most +0.0450 "
        "(gate.rmse_biases_margin).",
        "top-100 accuracy (unseen) is 0.2500 on slice 'overall', the popularity baseline's 0.2800: "
        "a difference of -0.0300, 95 % interval -0.0300 to -0.0300. Its lower end must be above "
        "+0.0000 (gate.baseline_margin).",
        "top-100 accuracy (unseen) is 0.2500 on slice 'overall', the champion's 0.3000: a "
        "difference of -0.0500, 95 % interval -0.0500 to -0.0500. Its lower end must be at least "
        "-0.0200 (gate.top_100_accuracy_margin).",
        "RMSE is 1.0000 on slice 'overall', the champion's 0.9000: a difference of +0.1000, 95 % "
        "interval +0.1000 to +0.1000. Its upper end must be at most +0.0450 (gate.rmse_margin).",
    ]
    reasons = {result.name: result.record().reason for result in decision.results}
    assert reasons["top_100_accuracy_against_champion"] == (
        "the champion's 0.3000 less gate.top_100_accuracy_margin, by the lower end of the 95 % "
        "interval of the difference"
    )
    assert "0.2800 plus gate.baseline_margin" in reasons["top_100_accuracy_against_popularity"]
    assert "0.9000 plus gate.rmse_margin" in reasons["rmse_against_champion"]
    assert "0.9000 plus gate.rmse_biases_margin" in reasons["rmse_against_biases"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_has_a_reason_of_its_own(value: float) -> None:
    said = "RMSE is not a number on slice 'overall': training has diverged."
    decision = _decided(certain(0.3, value), certain(0.3, 0.9))
    assert [refusal(result) for result in broken(decision.results)] == [said, said]


POOR = {"popularity": certain(0.25, 1.0)}


def _names(*tasks: str, champion: Sequence[str] | None = None, **gate: Any) -> set[str]:
    """Names of the bounds that a model of these tasks is held to."""
    best = None if champion is None else certain(0.3, 0.9)
    config = GATE.model_copy(update=gate)
    decision = decide(config, certain(0.3, 0.9), best, POOR, None, tasks, champion or ())
    return set(_named(decision))


def test_a_rating_model_has_no_floor_of_accuracy() -> None:
    assert _names("rating") == {"rmse"}
    assert _names("rating", champion=["rating"]) == {"rmse", "rmse_against_champion"}


def test_a_retrieval_model_has_no_ceiling_of_rmse() -> None:
    floors = {"top_100_accuracy", "top_100_accuracy_against_popularity"}
    assert _names("retrieval") == floors
    assert _names("retrieval", rmse_max=None) == floors


def test_whatever_the_champion_does_its_successor_must_do_as_well() -> None:
    both = {"rmse_against_champion", "top_100_accuracy_against_champion"}
    assert both < _names("rating", champion=["retrieval", "rating"])
    assert both < _names("retrieval", champion=["retrieval", "rating"])
    assert "rmse_against_champion" in _names("retrieval", champion=["rating"])


def test_untrained_tasks_can_be_held_to_their_bounds() -> None:
    everything = _names("retrieval", "rating", champion=["rating"])
    assert len(everything) == 5
    assert _names("rating", champion=["rating"], untrained_tasks=True) == everything


def _not_gated(model: Measured, *tasks: str, movies: int = 1000, **gate: Any) -> list[str]:
    config = GATE.model_copy(update=gate)
    tasks = tasks or ("retrieval", "rating")
    decision = decide(config, model, None, POOR, None, tasks, movies=movies)
    return not_gated(config, decision, movies)


def test_what_is_not_gated_is_said() -> None:
    model = certain(0.3, 0.9)
    assert _not_gated(model, "rating") == [
        "Top-100 accuracy (unseen) is not gated: no retrieval task."
    ]
    assert _not_gated(model, "retrieval") == ["RMSE is not gated: no rating task."]
    assert _not_gated(model) == []


def test_a_cutoff_that_is_not_smaller_than_the_catalogue_bounds_nothing() -> None:
    model = certain(1.0, 0.9)
    assert _not_gated(model, movies=101) == []
    for movies in (60, 100):
        assert _not_gated(model, movies=movies) == [
            f"Top-100 accuracy (unseen) is not gated: the catalogue has {movies} movies, so that "
            "any of them is there."
        ]
    decision = decide(GATE, model, model, POOR, None, movies=60)
    assert set(_named(decision)) == {"rmse", "rmse_against_champion"}


def test_without_likes_the_liked_protocol_bounds_nothing() -> None:
    values = {"unseen/top_100": 0.3, "raw/top_100": 0.3, "rmse": 0.9}
    model = Measured(values, {path: np.full(1000, value) for path, value in values.items()})
    assert _not_gated(model, protocol="liked") == [
        "Top-100 accuracy (liked) is not gated: no test rating counts as a like."
    ]


def test_a_single_row_of_millions_decides() -> None:
    champion, row = certain(1 / 3, 0.9), 1e-8
    margins = {"top_100_accuracy_margin": 0.0, "rmse_margin": 0.0}
    name = "top_100_accuracy_against_champion"
    assert _broken(certain(1 / 3, 0.9), champion, **margins) == set()
    assert _broken(certain(1 / 3 - row, 0.9), champion, **margins) == {name}
    floor = {"popularity": certain(1 / 3, 9.9)}
    assert _broken(certain(1 / 3 + row, 0.9), baselines=floor) == set()


def test_exactly_the_margin_passes_whatever_the_last_digit() -> None:
    for hits in range(250, 1000, 7):  # some of these differences are a last digit off
        champion, candidate = certain(hits / 1000, 0.9), certain((hits - 10) / 1000, 0.9)
        assert _broken(candidate, champion, top_100_accuracy_margin=0.01) == set()
        name = "top_100_accuracy_against_popularity"
        floor = {"popularity": certain((hits - 10) / 1000, 9.9)}
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
    champion = certain(0.3, 0.9)  # its MAE is 0.9 as well, and its NDCG 0
    found = decide(wider, certain(0.3, 0.85), champion, POOR)
    names = {result.name for result in found.results}
    assert {"mae", "mae_against_popularity", "mae_against_champion"} < names
    assert {"ndcg_10", "ndcg_10_against_champion"} < names
    assert [refusal(result) for result in broken(found.results)] == [
        "MAE is 0.8500, above the bound of 0.8000 by 0.0500 on slice 'overall' (gate.mae_max).",
        "NDCG@10 (unseen) is 0.0000, below the bound of 0.1000 by 0.1000 on slice 'overall' "
        "(gate.ndcg_10_min).",
    ]
    records = {result.name: result.record() for result in found.results}
    assert "0.9000 plus gate.mae_margin" in records["mae_against_champion"].reason
    assert "1.0000 less gate.baseline_margin" in records["mae_against_popularity"].reason
    assert records["mae_against_popularity"].upper == pytest.approx(1 - 2e-6, abs=1e-9)
    only_ranks = decide(wider, certain(0.3, 0.9), None, {}, None, ["retrieval"])
    assert not_gated(wider, only_ranks) == [
        "RMSE is not gated: no rating task.",
        "MAE is not gated: no rating task.",
    ]
    verdict = Verdict(False, [], ["mae_against_champion", "ndcg_10_against_champion"])
    assert verdict.only_worse_than_champion


def test_tfma_gets_the_bounds_of_a_new_gate_metric(wider: _WiderGate) -> None:
    found = decide(wider, certain(0.3, 0.9), None, POOR).results
    config = tfma_run.eval_config(found, ())
    limits = {
        json.loads(spec.metrics[0].config)["name"]: threshold.threshold.value_threshold
        for spec in config.metrics_specs
        for threshold in spec.metrics[0].per_slice_thresholds
    }
    assert limits["mae"].upper_bound.value == pytest.approx(0.8 + 1e-6)
    assert limits["ndcg_10"].lower_bound.value == pytest.approx(0.1 - 1e-6)
    assert {"mae", "unseen/ndcg_10"} < set(config.model_specs[0].prediction_keys)

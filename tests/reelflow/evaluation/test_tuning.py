"""The search: a function with a known best is searched, failures are noted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras_tuner
import pytest

from reelflow.base.common import notices_to
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.base.metrics import GATE_METRICS, METRICS, GateMetric
from reelflow.config import ModelConfig, Range, Space, TrainConfig, TunerConfig, Value
from reelflow.config.tuning_space import inside, keys
from reelflow.evaluation.tuning import Outcome, Search, lower_is_better, oracle, score

MODEL, TRAIN = ModelConfig(embedding_size=64), TrainConfig()
SPACE = Space(
    model={"embedding_size": (32, 64), "loss": ("sampled_softmax", "in_batch_softmax")},
    train={"learning_rate": Range(min=0.001, max=0.1, log=True)},
)
TUNER = TunerConfig(trials=8, space=SPACE, objective="ndcg_10")


def _worth(values: Mapping[str, Value]) -> Outcome:
    """Best for the smallest learning rate, the larger embedding and the sampled softmax."""
    worth = -float(values["train.learning_rate"])
    worth += (values["model.embedding_size"] == 64) + (values["model.loss"] == "sampled_softmax")
    return Outcome(worth, {"ndcg_10": worth})


def _search(tuner: TunerConfig, folder: Path, lower: bool = False) -> Search:
    search = Search(oracle(tuner, MODEL, TRAIN, lower), _worth, folder)
    search.search()
    return search


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_the_best_trial_is_found_and_told(algorithm: str, tmp_path: Path) -> None:
    heard: list[str] = []
    with notices_to(heard.append):
        search = _search(TunerConfig(**{**dict(TUNER), "algorithm": algorithm}), tmp_path)
    assert [trial.number for trial in search.results] == list(range(1, 9))
    best = max(search.results, key=lambda trial: trial.objective or 0)
    assert search.best == best
    [found] = search.get_best_hyperparameters()
    assert {k: v for k, v in found.values.items() if k in keys(SPACE)} == {
        k: v for k, v in best.hyperparameters.items() if k in keys(SPACE)
    }
    assert heard[0].startswith("trial 1 of 8: ")
    assert heard[-1].endswith(f"best {best.objective:.4f} (trial {best.number})")
    if algorithm == "hyperband":
        assert {trial.hyperparameters["train.epochs"] for trial in search.results} != {20}


def test_the_configuration_in_place_comes_first(tmp_path: Path) -> None:
    first = _search(TUNER, tmp_path).results[0].hyperparameters
    assert first["train.learning_rate"] == TRAIN.learning_rate
    assert first["model.embedding_size"] == MODEL.embedding_size
    outside = Space(model={"embedding_size": (2, 3)}, train={})
    space = TUNER.model_copy(update={"space": outside})
    hyper = oracle(space, MODEL, TRAIN, lower_is_better=False)
    assert hyper.populate_space("0")["values"]["model.embedding_size"] in (2, 3)


def test_the_seed_decides_what_is_tried(tmp_path: Path) -> None:
    def tried(seed: int) -> list[object]:
        tuner = TUNER.model_copy(update={"seed": seed})
        return [trial.hyperparameters for trial in _search(tuner, tmp_path).results]

    assert tried(1) == tried(1) != tried(2)


def test_less_may_be_better(tmp_path: Path) -> None:
    search = _search(TUNER, tmp_path, lower=True)
    assert search.best.objective == min(trial.objective or 0 for trial in search.results)


def test_a_trial_that_fails_is_noted_and_the_search_goes_on(tmp_path: Path) -> None:
    worths = iter([float("nan"), None, *[1.0] * 6])

    def fragile(values: Mapping[str, Value]) -> Outcome:
        worth = next(worths)
        if worth is None:
            raise BadInput("No such thing.")
        return Outcome(worth, {})

    search = Search(oracle(TUNER, MODEL, TRAIN, False), fragile, tmp_path)
    search.search()
    assert len(search.results) == 8
    failures = [trial.failure for trial in search.results]
    assert "not a number" in str(failures[0])
    assert "No such thing" in str(failures[1])
    assert failures[2:] == [None] * 6
    assert search.best.number == 3


def test_nothing_but_failures_is_an_error(tmp_path: Path) -> None:
    def broken(values: Mapping[str, Value]) -> Outcome:
        raise BadInput("Never.")

    search = Search(oracle(TUNER, MODEL, TRAIN, False), broken, tmp_path)
    search.search()
    with pytest.raises(ReelflowError, match=r"None of the tuner's 8 trials .* Never"):
        _ = search.best


def test_a_fault_of_the_program_stops_the_search(tmp_path: Path) -> None:
    def faulty(values: Mapping[str, Value]) -> Outcome:
        raise KeyError("gone")

    search = Search(oracle(TUNER, MODEL, TRAIN, False), faulty, tmp_path)
    with pytest.raises(keras_tuner.errors.FatalError, match="Trial 1: 'gone'"):
        search.search()


def test_values_that_do_not_go_together_are_one_line(tmp_path: Path) -> None:
    def impossible(values: Mapping[str, Value]) -> Outcome:
        ModelConfig(retrieval_weight=0, rating_weight=0)
        raise AssertionError

    search = Search(oracle(TUNER, MODEL, TRAIN, False), impossible, tmp_path)
    search.search()
    assert search.results[0].failure == "retrieval_weight and rating_weight must not both be 0"


def test_an_empty_space_is_refused() -> None:
    tuner = TUNER.model_copy(update={"space": Space(model={}, train={})})
    with pytest.raises(BadInput, match="nothing to try"):
        oracle(tuner, MODEL, TRAIN, lower_is_better=False)


LISTS = {"top_100": 0.64, "liked/ndcg_10": 0.25, "mrr": 0.1}
"""Their geometric mean is 0.4."""


def _objective(name: str) -> TunerConfig:
    return TUNER.model_copy(update={"objective": name})


def test_joint_is_the_objective_of_the_tasks_that_are_on() -> None:
    tuner = TunerConfig()
    metrics = {**LISTS, "rmse": 0.9}
    both, rating = MODEL, MODEL.model_copy(update={"retrieval_weight": 0.0})
    retrieval = MODEL.model_copy(update={"rating_weight": 0.0})
    assert score(metrics, tuner, both) == pytest.approx(-0.5)
    # On a scale ten times as wide the same model has the same objective.
    wide = {**metrics, "rmse": 9.0}
    assert score(wide, tuner, both, deviation=10.0) == pytest.approx(-0.5)
    assert score(wide, tuner, rating, deviation=10.0) == 9.0
    assert score(metrics, tuner, retrieval) == pytest.approx(0.4)
    assert score(metrics, tuner, rating) == 0.9
    assert [lower_is_better(tuner, model) for model in (both, retrieval, rating)] == [
        False,
        False,
        True,
    ]
    assert score(metrics, _objective("mrr"), both) == 0.1
    broken = {**metrics, "rmse": float("inf")}
    assert score(broken, tuner, both) != score(broken, tuner, both)


def test_joint_takes_every_error_of_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    row = GateMetric(METRICS["mae"], "mae", "mae_max", "mae_margin")
    monkeypatch.setitem(GATE_METRICS, "mae", row)
    metrics, tuner = {**LISTS, "rmse": 0.9, "mae": 0.7}, TunerConfig()
    assert score(metrics, tuner, MODEL) == pytest.approx(0.4 - 0.9 - 0.7)
    rating = MODEL.model_copy(update={"retrieval_weight": 0.0})
    assert score(metrics, tuner, rating) == pytest.approx(0.9 + 0.7)


def test_lists_are_judged_nightly_and_live() -> None:
    live = {**LISTS, "live/top_100": 0.98, "live/liked/ndcg_10": 0.75}
    assert score(LISTS, _objective("lists"), MODEL) == pytest.approx(0.4)
    assert score(live, _objective("lists"), MODEL) == pytest.approx((0.5 * 0.81) ** 0.5)
    assert score(live, _objective("liked_ndcg_10"), MODEL) == 0.5
    assert score(live, _objective("top_100"), MODEL) == pytest.approx(0.81)
    assert not lower_is_better(_objective("lists"), MODEL)
    assert not lower_is_better(_objective("liked_ndcg_10"), MODEL)
    assert lower_is_better(_objective("rmse"), MODEL)


def test_without_a_liked_rating_all_of_them_count() -> None:
    assert score({"top_100": 0.64, "ndcg_10": 0.25}, _objective("lists"), MODEL) == 0.4


def test_the_default_space_has_the_configuration_in_place() -> None:
    """So that the first trial is what is configured."""
    now = {f"model.{k}": v for k, v in MODEL.model_dump().items()}
    now |= {f"train.{k}": v for k, v in TRAIN.model_dump().items()}
    assert [key for key, values in keys(Space()).items() if not inside(now[key], values)] == []

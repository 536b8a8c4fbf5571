"""Writing to the registry: versions, aliases, and who was champion before."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from reelflow.base.metrics import Scope
from reelflow.evaluation.results import Live, Results, Summary, Verdict
from reelflow.registry.registration import git_commit, metrics_of, params_of
from reelflow.registry.store import CHALLENGER, CHAMPION, CHAMPIONS, NoAnswer, Registry
from reelflow.saved_model.files import ServingResult
from tests import registries


@pytest.fixture
def registrar(tmp_path: Path) -> Registry:
    return registries.registrar(tmp_path / "registry")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    return folder


@pytest.fixture
def three(registrar: Registry, model: Path) -> Registry:
    """A registry with versions 1, 2, 3."""
    for model_hash in ("a", "b", "c"):
        registries.register(registrar, model, model_hash)
    return registrar


def test_an_empty_registry_is_empty(registrar: Registry) -> None:
    assert registrar.versions() == []
    assert registrar.aliases() == {}
    assert registrar.champions() == []
    assert registrar.find("a") is None


def test_what_is_registered_can_be_read_back(
    registrar: Registry, model: Path, tmp_path: Path
) -> None:
    version = registries.register(registrar, model, "abc", **{"reelflow.run_id": "r1"})
    assert (version.number, version.model_hash) == (1, "abc")
    assert version.tags["reelflow.run_id"] == "r1"
    known = registrar.facts(version)
    assert known.metrics["unseen/top_100"] == 0.5
    assert known.params == {"train.epochs": "0"}
    # Artifacts lie beside the database, not wherever the process was started.
    assert known.artifacts.startswith((tmp_path / "registry" / "artifacts").as_uri())
    registrar.download(1, tmp_path / "copy")
    assert (tmp_path / "copy" / "saved_model.pb").read_bytes() == b"graph"
    assert registrar.find("abc") == registrar.version(1) == version


def test_more_parameters_than_mlflow_takes_at_a_time(registrar: Registry, model: Path) -> None:
    params = {f"section.key{i}": str(i) for i in range(250)}
    version = registrar.register(
        model, "a", run_name="run", description="", metrics={}, params=params, tags={}
    )
    assert registrar.facts(version).params == params


def test_promoting_and_stepping_back(three: Registry) -> None:
    for number in (1, 2, 2, 3, 1):
        three.promote(number)
    assert three.champions() == [1, 2, 3, 1]
    assert three.aliases() == {CHAMPION: 1}
    for number in (3, 2, 1):
        three.step_back()
        assert three.aliases() == {CHAMPION: number}
    with pytest.raises(ValueError, match="no champion to go back to"):
        three.step_back()


def test_a_challenger_that_wins_is_no_challenger_any_more(three: Registry) -> None:
    three.promote(1)
    three.set_alias("challenger", 3)
    assert three.aliases() == {CHAMPION: 1, CHALLENGER: 3}
    three.promote(2)
    assert three.aliases() == {CHAMPION: 2, CHALLENGER: 3}
    three.promote(3)
    assert three.aliases() == {CHAMPION: 3}


def test_an_alias_that_others_moved_has_the_last_word(three: Registry) -> None:
    three.promote(1)
    three.client.set_registered_model_alias(three.name, CHAMPION, "3")
    assert three.champions() == [1, 3]
    three.step_back()
    assert three.champions() == [1]


@pytest.mark.parametrize("broken", ["set_registered_model_tag", "set_registered_model_alias"])
def test_steps_that_are_broken_off_leave_an_order(
    three: Registry, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    from mlflow.exceptions import MlflowException

    def fail(*_: object) -> None:
        raise MlflowException("gone")

    three.promote(1)
    three.promote(2)
    with monkeypatch.context() as patch:
        patch.setattr(three.client, broken, fail)
        with pytest.raises(NoAnswer, match="gone"):
            three.step_back()
    assert three.champions() == [1, 2]
    with monkeypatch.context() as patch:
        patch.setattr(three.client, broken, fail)
        if broken == "set_registered_model_alias":
            with pytest.raises(NoAnswer, match="gone"):
                three.promote(3)
        else:
            three.promote(3)
    assert three.champions() == ([1, 2] if "alias" in broken else [1, 2, 3])


def test_what_fails_on_the_way_registers_nothing(
    registrar: Registry, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(registrar.client, "log_artifacts", fail)
        with pytest.raises(NoAnswer, match="disk full"):
            registries.register(registrar, model, "a")
    assert registrar.versions() == []
    assert registries.register(registrar, model, "a").number == 1


def test_the_history_is_bounded(three: Registry) -> None:
    three.client.set_registered_model_tag(three.name, CHAMPIONS, " ".join(["1", "2"] * 40))
    three.client.set_registered_model_alias(three.name, CHAMPION, "2")
    three.promote(3)
    assert len(three.champions()) == 50
    assert three.champions()[-2:] == [2, 3]


@pytest.mark.parametrize(
    ("broken", "challenger"),
    [
        ([], False),
        (["rmse_against_champion"], True),
        (["rmse_against_champion", "top_100_accuracy_against_champion"], True),
        (["rmse_against_champion", "rmse"], False),
        (["top_100_accuracy_against_popularity"], False),
        (["scores_vary"], False),
    ],
)
def test_a_challenger_keeps_all_but_the_champions_bounds(
    broken: list[str], challenger: bool
) -> None:
    verdict = Verdict(blessed=not broken, reasons=[""] * len(broken), broken=broken)
    assert verdict.only_worse_than_champion is challenger


def _results(**changes: Any) -> Results:
    model = Summary(
        raw={},
        unseen={"top_100": 0.5},
        liked={"top_100": 0.6},
        stars_of_hits_10=4.0,
        over_users={"unseen/top_100": 0.55},
        rmse=0.9,
        mae=float("nan"),
        like={"auc": 0.7, "recall": None},
    )
    values: dict[str, Any] = {
        "rows": 1,
        "all_rows": 1,
        "metrics": model,
        "champion": None,
        "baselines": {"ease": Summary(raw={}, unseen={}, rmse=1.0, mae=0.8)},
        "slices": [],
        "gate": Verdict(blessed=True, reasons=[]),
        "out_of_vocabulary": {},
    }
    return Results(**{**values, **changes})


def test_metrics_by_path() -> None:
    metrics = {
        "unseen/top_100": 0.5,
        "liked/top_100": 0.6,
        "stars_of_hits_10": 4.0,
        "over_users/unseen/top_100": 0.55,
        "rmse": 0.9,
        "like/auc": 0.7,
        "ease/rmse": 1.0,
        "ease/mae": 0.8,
    }
    assert metrics_of(_results(), ServingResult(reasons=("no",)), Scope()) == metrics
    checked = ServingResult(latency_ms={"median": 3.0, "p95": 4.0})
    assert metrics_of(_results(), checked, Scope()) == {**metrics, "latency_ms": 3.0}


def test_live_figures_and_retrieval_alone_are_registered_too() -> None:
    other = Summary(raw={}, unseen={"top_100": 0.6}, rmse=0.9, mae=0.8)
    results = _results(
        live=Live(1, other, {}, other), retrieval=other, out_of_vocabulary={"users": 0.25}
    )
    found = metrics_of(results, ServingResult(), Scope())
    assert (found["live/unseen/top_100"], found["retrieval/unseen/top_100"]) == (0.6, 0.6)
    assert found["known_users"] == 0.75


def test_without_stars_no_figures_of_them_are_registered() -> None:
    found = metrics_of(_results(), ServingResult(), Scope(likes=False, stars=False))
    assert found == {"unseen/top_100": 0.5, "over_users/unseen/top_100": 0.55}


def test_parameters_by_key() -> None:
    config = {"train": {"epochs": 3, "cap": None}, "tuner": {"space": {"model": {"a": [1, 2]}}}}
    assert params_of(config) == {"train.epochs": "3", "tuner.space.model.a": "[1, 2]"}


def test_the_commit_and_whether_files_differ(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert git_commit(tmp_path) == f"{commit}-dirty"

"""What the registry is told: figures, parameters, and which refused models are challengers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reelflow.registry import register


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
    assert register.only_the_champion_is_better({"broken": broken}) is challenger


def test_a_verdict_of_before_names_nothing() -> None:
    assert not register.only_the_champion_is_better({"reasons": ["RMSE is 2."]})


def test_metrics_by_path() -> None:
    figures = {"unseen": {"top_100": 0.5}, "rmse": 0.9, "like": {"auc": None}, "mae": float("nan")}
    evaluation = {"metrics": figures, "baselines": {"ease": {"rmse": 1.0}}}
    assert register.metrics_of(evaluation, {"latency_ms": 3}) == {
        "unseen/top_100": 0.5,
        "rmse": 0.9,
        "ease/rmse": 1.0,
        "latency_ms": 3.0,
    }


def test_parameters_by_key() -> None:
    config = {"train": {"epochs": 3, "cap": None}, "tuner": {"space": {"model": {"a": [1, 2]}}}}
    assert register.params_of(config) == {"train.epochs": "3", "tuner.space.model.a": "[1, 2]"}


def test_the_commit_and_whether_files_differ(tmp_path: Path) -> None:
    assert register.git_commit(tmp_path) is None

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert register.git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert register.git_commit(tmp_path) == f"{commit}-dirty"

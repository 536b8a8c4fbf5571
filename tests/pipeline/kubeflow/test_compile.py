"""The real graph as a package."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("kfp")
runner = pytest.importorskip("pipeline.kubeflow.package")  # imports TFX

from pipeline import SUMMARY  # noqa: E402
from reelflow.config.loading import load  # noqa: E402
from tests.kubeflow import cluster  # noqa: E402
from tests.pipeline.kubeflow.test_package import SECRETS  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]


def test_every_node_has_a_task_after_all_that_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "package.yaml"
    config = load("sample", ["tuner.trials=2"])
    graph = runner.compile_graph(config)
    runner.write_package(graph, config, "reelflow", file)
    tasks = cluster.tasks_of(file, "run-1", {}, SECRETS)
    titles = {name: task.title for name, task in tasks.items()}
    found = {task.title: {titles[up] for up in task.upstream} for task in tasks.values()}
    last = found.pop(SUMMARY)
    assert found == {node: set(up) for node, up in graph.upstream.items()}
    # By order alone, by a resolver, and by the tuner that need not be there.
    assert "DataGate" in found["Transform"]
    assert "ChampionResolver" in found["Evaluator"]
    assert "Tuner" in found["Trainer"]
    needed = {up for upstream in graph.upstream.values() for up in upstream}
    assert last == set(graph.upstream) - needed


def test_where_things_lie_does_not_change_the_graph() -> None:
    plain = runner.compile_graph(load("sample"))
    moved = load("sample", ["data.path=gs://films/ratings", "kubeflow.output=/mnt/films"])
    assert runner.compile_graph(moved).fingerprint == plain.fingerprint
    tuned = runner.compile_graph(load("sample", ["tuner.trials=2"]))
    assert tuned.code == plain.code
    assert tuned.fingerprint != plain.fingerprint

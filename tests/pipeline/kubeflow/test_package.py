"""The package: read back by the kfp SDK and, as a cluster would, by `cluster.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("kfp")

from kfp import components

from pipeline import SUMMARY
from pipeline.kubeflow.parameters import TaskArguments, packaged
from reelflow.base.errors import BadInput
from reelflow.config import Config
from tests.kubeflow import cluster
from tests.kubeflow.graphs import GRAPH, package_in

pytestmark = pytest.mark.kubeflow

SECRETS = {
    "reelflow-metadata": {
        key: f"secret {key}" for key in ("host", "port", "database", "user", "password")
    },
    "reelflow-registry": {"tracking-uri": "secret uri"},
}


def _tasks(package: Path, **parameters: object) -> dict[str, cluster.Task]:
    tasks = cluster.tasks_of(package, "run-1", parameters, SECRETS)
    return {task.title: task for task in tasks.values()}


def _arguments(task: cluster.Task) -> TaskArguments:
    return TaskArguments.parse(task.command[3:])


def test_the_sdk_reads_it(tmp_path: Path) -> None:
    loaded = components.load_component_from_file(str(package_in(tmp_path)))
    assert loaded.pipeline_spec.pipeline_info.name == "reelflow"
    assert set(loaded.component_spec.inputs) == {"config", "data", "span", "overrides"}


def test_one_task_a_node_in_the_graphs_order(tmp_path: Path) -> None:
    package = package_in(tmp_path)
    tasks = _tasks(package)
    assert set(tasks) == {*GRAPH.upstream, SUMMARY}
    titles = {task.name: task.title for task in tasks.values()}
    for node, upstream in GRAPH.upstream.items():
        assert {titles[name] for name in tasks[node].upstream} == set(upstream)
        assert _arguments(tasks[node]).node == node
        assert tasks[node].command[:3] == ["python", "-m", "pipeline.kubeflow.task"]
    assert [titles[name] for name in tasks[SUMMARY].upstream] == ["Evaluator"]
    assert tasks[SUMMARY].command[2] == "pipeline.kubeflow.task"
    assert _arguments(tasks[SUMMARY]).node == SUMMARY
    assert {task.image for task in tasks.values()} == {"reelflow:latest"}
    assert not any(task.cached for task in tasks.values())


def test_a_run_without_parameters_is_what_was_compiled(tmp_path: Path) -> None:
    package = package_in(tmp_path, train={"epochs": 7})
    for task in _tasks(package).values():
        arguments = _arguments(task)
        assert arguments.run_id == "run-1"
        assert arguments.graph == GRAPH.fingerprint
        config = arguments.effective_config()
        expected = {"data": {"path": "/ratings"}, "train": {"epochs": 7}}
        assert config == Config.model_validate(expected)


def test_a_runs_parameters_have_precedence(tmp_path: Path) -> None:
    changes = ["train.epochs=2", 'gate.baselines=["popularity", "ease"]']
    tasks = _tasks(package_in(tmp_path), data="gs://films/ratings", overrides=changes)
    config = _arguments(tasks["Trainer"]).effective_config()
    assert config.data.path == "gs://films/ratings"
    assert config.train.epochs == 2
    assert config.gate.baselines == ("popularity", "ease")


def test_secrets_are_named_and_nothing_more(tmp_path: Path) -> None:
    package = package_in(tmp_path, kubeflow={"secrets": {"KEY": "bucket/key.id"}})
    tasks = cluster.tasks_of(package, "run-1", {}, {**SECRETS, "bucket": {"key.id": "secret key"}})
    for task in tasks.values():
        assert task.environment == {
            "REELFLOW_METADATA_HOST": "secret host",
            "REELFLOW_METADATA_PORT": "secret port",
            "REELFLOW_METADATA_DATABASE": "secret database",
            "REELFLOW_METADATA_USER": "secret user",
            "REELFLOW_METADATA_PASSWORD": "secret password",
            "KEY": "secret key",
        }
        assert task.mounts == {"reelflow": "/reelflow"}
    assert "secret host" not in package.read_text()


def test_resources_and_retries_are_a_components_own(tmp_path: Path) -> None:
    kubeflow = {
        "cpu": 0.5,
        "memory": "2G",
        "retries": 1,
        "volumes": {"movies": "/reelflow", "ratings": "/ratings"},
        "components": {
            "Trainer": {"cpu": 4, "memory": "16G", "accelerator": "nvidia.com/gpu", "retries": 5},
            "Evaluator": {"retries": 0},
        },
    }
    tasks = _tasks(package_in(tmp_path, kubeflow=kubeflow))
    # Newer SDKs write further keys.
    trainer, schema = tasks["Trainer"].resources, tasks["RatingsSchema"].resources
    assert {trainer["cpuRequest"], trainer["cpuLimit"]} == {4.0}
    assert {trainer["memoryRequest"], trainer["memoryLimit"]} == {16.0}
    accelerator = {"count": "1", "type": "nvidia.com/gpu"}
    assert trainer["accelerator"].items() >= accelerator.items()
    assert {schema["cpuRequest"], schema["cpuLimit"]} == {0.5}
    assert {schema["memoryRequest"], schema["memoryLimit"]} == {2.0}
    assert "accelerator" not in schema
    retries = {title: task.retries for title, task in tasks.items()}
    assert retries == dict.fromkeys(tasks, 1) | {"Trainer": 5, "Evaluator": 0}
    assert tasks["Trainer"].mounts == {"movies": "/reelflow", "ratings": "/ratings"}


def test_a_component_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no component Trianer"):
        package_in(tmp_path, kubeflow={"components": {"Trianer": {"cpu": 2}}})


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    for text in ("", "a: 1", "- 1", "{", "components: 3\n---\n4"):
        file = tmp_path / "some.yaml"
        file.write_text(text)
        with pytest.raises(BadInput, match="no package"):
            packaged(file)
    with pytest.raises(BadInput, match="No such file"):
        packaged(tmp_path / "nothing.yaml")


def test_a_parameter_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    package = package_in(tmp_path)
    with pytest.raises(BadInput, match="`config` cannot be read"):
        packaged(package, config="{").effective_config()
    with pytest.raises(BadInput, match="names no ratings"):
        packaged(package, config="{}", data="").effective_config()
    with pytest.raises(BadInput, match="where spans are"):
        packaged(package, span="latest").effective_config()
    spans = packaged(package, span="latest", data="/ratings/{SPAN}").effective_config()
    assert spans.data.span == "latest"
    with pytest.raises(SystemExit):
        TaskArguments.parse(["--graph=x", "--run-id=x", "--config={}", "--overrides=3"])


def test_the_played_cluster_keeps_order_and_retries(tmp_path: Path) -> None:
    """Its commands are exchanged for ones that note when they began, one failing at first."""
    package = package_in(tmp_path, kubeflow={"retries": 1})
    line = "import sys, pathlib as p; f = p.Path(sys.argv[2]); first = not f.exists(); "
    line += "f.touch(); open('order', 'a').write(f'{sys.argv[2]} '); "
    line += "sys.exit(first and sys.argv[2] == 'Trainer')"
    text = package.read_text()
    text = text.replace("- -m\n        - pipeline.kubeflow.task", f"- -c\n        - {line!r}")
    package.write_text(text)
    said: list[str] = []
    run = cluster.run(package, tmp_path, SECRETS, tell=said.append)
    order = (tmp_path / "order").read_text().split()
    assert set(order[:2]) == {"RatingsExampleGen", "RatingsSchema"}
    assert order[2:] == ["Trainer", "Trainer", "ChampionResolver", "Evaluator", SUMMARY]
    assert [attempt.code for attempt in run.of("Trainer")] == [1, 0]
    assert len(said) == len(order)


def test_the_played_cluster_gives_up(tmp_path: Path) -> None:
    package = package_in(tmp_path, kubeflow={"retries": 0})
    package.write_text(package.read_text().replace("pipeline.kubeflow.task", "kubeflow.nothing"))
    with pytest.raises(RuntimeError, match=r"Ratings(Schema|ExampleGen) failed"):
        cluster.run(package, tmp_path, SECRETS, tell=lambda _: None)

"""The graph: its nodes, their order, and which part of the configuration each depends on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from tfx.orchestration.local import runner_utils
from tfx.proto.orchestration import pipeline_pb2

from pipeline.beam_args import DIRECT
from pipeline.definition import PREPROCESSING_FN, RUN_FN, TUNER_FN, create_pipeline
from pipeline.runs import launcher
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import Layout

NODES = [
    "RatingsExampleGen",
    "RatingsSchema",
    "RatingsStatistics",
    "RatingsValidator",
    "MoviesSchema",
    "MoviesStatistics",
    "MoviesValidator",
    "DataGate",
    "Transform",
    "RatingsEncoder",
    "RegistryResolver",
    "Trainer",
    "ChampionResolver",
    "Evaluator",
    "ServingCheck",
    "Pusher",
    "Report",
    "RegistryPusher",
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An output folder, that compiling leaves empty."""
    return str(tmp_path_factory.mktemp("output"))


def _compiled(output: str, **sections: dict[str, Any]) -> dict[str, pipeline_pb2.PipelineNode]:
    data = {"path": "/some/ratings", **sections.pop("data", {})}
    config = Config.model_validate({"data": data, **sections})
    ir = launcher.compile_pipeline(create_pipeline(config, output), "run-1")
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}


def _parameters(node: pipeline_pb2.PipelineNode) -> Any:
    return json_format.MessageToDict(node.parameters)


def _changed(output: str, **sections: dict[str, Any]) -> set[str]:
    """Nodes whose own parameters a change of the configuration changes."""
    before, after = _compiled(output), _compiled(output, **sections)
    assert list(before) == list(after)
    return {name for name in before if _parameters(before[name]) != _parameters(after[name])}


def test_nodes_and_their_order(output: str) -> None:
    found = list(_compiled(output))
    assert set(NODES) <= set(found)
    place = {name: i for i, name in enumerate(found)}
    chain = ["RatingsExampleGen", "DataGate", "Transform", "RatingsEncoder", "Trainer"]
    chain += ["ChampionResolver", "Evaluator", "Pusher", "Report", "RegistryPusher"]
    assert [place[name] for name in chain] == sorted(place[name] for name in chain)
    assert place["RegistryResolver"] < place["Trainer"]
    assert list(Path(output).iterdir()) == []


def test_spans_are_compared_before_the_data_gate(output: str) -> None:
    assert "SpanDrift" not in _compiled(output)
    spans = _compiled(output, data={"path": "/some/{SPAN}", "max_drift": 0.3})
    assert list(spans).index("SpanDrift") < list(spans).index("DataGate")
    for name in ("DataGate", "Report"):
        assert "drift" in spans[name].inputs.inputs


def test_a_warm_start_brings_in_its_beginning(output: str) -> None:
    assert "BeginningResolver" not in _compiled(output)
    warm = _compiled(output, train={"warm_start": True})
    assert list(warm).index("BeginningResolver") < list(warm).index("Trainer")
    assert "base_model" in warm["Trainer"].inputs.inputs
    assert "base_model" not in _compiled(output)["Trainer"].inputs.inputs


def test_nobody_comes_before_what_it_needs(output: str) -> None:
    nodes = _compiled(output)
    done: set[str] = set()
    for name, node in nodes.items():
        assert set(node.upstream_nodes) <= done
        done.add(name)


def test_who_needs_whom(output: str) -> None:
    upstream = {name: set(node.upstream_nodes) for name, node in _compiled(output).items()}
    assert upstream["RatingsExampleGen"] == set()
    # Nothing is learned from data that the gate has not let pass.
    assert "DataGate" in upstream["Transform"]
    assert {"RatingsValidator", "MoviesValidator"} <= upstream["DataGate"]
    assert "Transform" in upstream["RatingsEncoder"]
    assert "RatingsEncoder" in upstream["Trainer"]
    assert {"Trainer", "ChampionResolver", "RatingsEncoder"} <= upstream["Evaluator"]
    # Nothing is pushed without both blessings.
    assert {"Trainer", "Evaluator", "ServingCheck"} <= upstream["Pusher"]
    assert {"Pusher", "Evaluator", "RatingsEncoder", "ServingCheck"} <= upstream["Report"]
    # A new champion elsewhere is no reason to train anew.
    assert "RegistryResolver" in upstream["ChampionResolver"] - upstream["Trainer"]
    assert {"Pusher", "Report"} <= upstream["RegistryPusher"]


def test_the_same_configuration_is_the_same_graph(output: str) -> None:
    assert _changed(output) == set()


@pytest.mark.parametrize(
    ("sections", "nodes"),
    [
        ({"gate": {"rmse_max": 0.7}}, {"Evaluator", "RegistryPusher"}),
        ({"gate": {"protocol": "raw"}}, {"Evaluator", "RegistryPusher"}),
        ({"train": {"learning_rate": 0.5}}, {"Trainer", "RegistryPusher"}),
        ({"model": {"embedding_size": 8}}, {"Trainer", "RegistryPusher"}),
        ({"registry": {"name": "movies"}}, {"RegistryResolver", "RegistryPusher"}),
        ({"push": {"keep": 3}}, {"Pusher"}),
        ({"registry": {"promote": False}}, {"Pusher"}),
        ({"registry": {"promote": "canary"}}, {"Pusher"}),
        ({"push": {"latency_ms_max": 5}}, {"ServingCheck"}),
        # ExampleGen refuses by it, before anything else is done.
        (
            {"data": {"max_quarantined": 0.5}},
            {"RatingsExampleGen", "DataGate", "RegistryPusher"},
        ),
        ({"data": {"rating_max": 10}}, {"RatingsExampleGen", "RegistryPusher"}),
        ({"split": {"test": 0.2}}, {"RatingsExampleGen", "RegistryPusher"}),
        ({"beam": {"args": ["--direct_num_workers=1"]}}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else " ".join(sorted(value)) or "none",
)
def test_a_section_changes_its_own_nodes_only(
    output: str, sections: dict[str, dict[str, Any]], nodes: set[str]
) -> None:
    """Whatever does not change comes from the cache: a new bound needs no new training.

    RegistryPusher is told the configuration that the model comes from.
    """
    assert _changed(output, **sections) == nodes


def test_the_tuner_is_there_if_it_has_trials(output: str) -> None:
    nodes = _compiled(output, tuner={"trials": 2})
    assert "Tuner" not in _compiled(output)
    assert "RatingsEncoder" in nodes["Tuner"].upstream_nodes
    assert "Tuner" in nodes["Trainer"].upstream_nodes
    places = list(nodes)
    assert places.index("RatingsEncoder") < places.index("Tuner") < places.index("Trainer")
    # A search is repeated only if it would be another.
    again = _compiled(output, tuner={"trials": 2}, gate={"rmse_max": 0.7})
    assert _parameters(again["Tuner"]) == _parameters(nodes["Tuner"])


def test_everything_is_cached_except_the_look_for_the_champion(output: str) -> None:
    nodes = _compiled(output)
    cached = {
        name for name, node in nodes.items() if node.execution_options.caching_options.enable_cache
    }
    assert set(NODES) - cached <= {"ChampionResolver"}


def test_data_lies_in_the_output_folder(output: str) -> None:
    pipeline = create_pipeline(Config.model_validate({"data": {"path": "/some/ratings"}}), output)
    layout = Layout.of(output)
    assert pipeline.pipeline_info.pipeline_root == str(layout.artifacts)
    assert pipeline.metadata_connection_config.sqlite.filename_uri == str(layout.metadata)
    assert str(layout.serving) in str(_compiled(output)["Pusher"].parameters)


def test_the_pushing_folder_may_be_another(output: str) -> None:
    pusher = _compiled(output, push={"directory": "/elsewhere"})["Pusher"]
    assert "/elsewhere" in str(pusher.parameters)
    assert str(Layout.of(output).serving) not in str(pusher.parameters)


@pytest.mark.parametrize("path", [PREPROCESSING_FN, RUN_FN, TUNER_FN])
def test_dotted_paths_name_functions(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_without_ratings_there_is_no_pipeline(output: str) -> None:
    with pytest.raises(BadInput, match=r"data\.path"):
        create_pipeline(Config(), output)


def test_beam_runs_where_the_configuration_says_but_for_the_evaluator(output: str) -> None:
    config = Config.model_validate(
        {"data": {"path": "/some/ratings"}, "beam": {"preset": "flink", "master": "flink:8081"}}
    )
    ir = launcher.compile_pipeline(create_pipeline(config, output), "run-1")
    deployment = runner_utils.extract_local_deployment_config(ir)
    runners = {}
    for node in launcher.node_ids(ir):
        spec = deployment.executor_specs.get(node)
        args = [*spec.beam_executable_spec.beam_pipeline_args] if spec else []
        runners[node] = [a.partition("=")[2] for a in args if a.startswith("--runner=")][-1:]
    assert runners["Evaluator"] == [DIRECT[0].partition("=")[2]]
    for node in ("RatingsExampleGen", "RatingsStatistics", "MoviesStatistics", "Transform"):
        assert runners[node] == ["FlinkRunner"]

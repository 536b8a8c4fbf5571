"""The graph by TFX's runner for Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("kfp")
vertex = pytest.importorskip("pipeline.kubeflow.vertex")  # imports TFX

from google.protobuf import json_format  # noqa: E402
from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: E402

from components.artifacts import Quarantine  # noqa: E402
from pipeline.kubeflow.package import compile_graph  # noqa: E402
from reelflow.config.loading import load  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]

RESOLVER = "ChampionResolver"


@pytest.fixture(scope="module")
def job() -> Any:
    """The job of the real graph."""
    config = load("sample", ["data.path=gs://films/ratings"])
    return vertex.vertex_job(config, "movies", "image:1")


def test_the_graph_compiles_and_the_sdk_knows_the_specification(job: Any) -> None:
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    assert spec.pipeline_info.name == "reelflow"
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://movies/reelflow/artifacts"
    images = {
        executor["container"]["image"]
        for executor in job["pipelineSpec"]["deploymentSpec"]["executors"].values()
        if "container" in executor
    }
    assert images == {"image:1"}


def test_every_node_is_there_and_the_resolver_is_two(job: Any) -> None:
    nodes = set(compile_graph(load("sample")).upstream) - {RESOLVER}
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    halves = {f"{RESOLVER}-model-resolver", f"{RESOLVER}-model-blessing-resolver"}
    assert set(tasks) == nodes | halves
    assert "DataGate" in tasks["Transform"]["dependentTasks"]


def test_nothing_stays_changed(job: Any) -> None:
    assert job
    assert Quarantine.TYPE_NAME == "ReelflowQuarantine"
    assert "rows" in Quarantine.PROPERTIES

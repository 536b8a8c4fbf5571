"""The graph as a job of Vertex AI Pipelines, by TFX's own `KubeflowV2DagRunner`. Imports TFX.

The runner supports less than the graph uses: kubeflow/README.md lists the replacements made here
and the differences that remain.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.common import resolver
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner
from tfx.types import artifact

from components import artifacts
from pipeline.definition import create_pipeline
from reelflow.config import Config

_CHAMPION = ("model", "model_blessing")


def vertex_job(config: Config, bucket: str, image: str) -> dict[str, Any]:
    """Compile the graph to a `PipelineJob`.

    Args:
        config: names the ratings.
        bucket: Cloud Storage bucket of artifacts and pushed models, without `gs://`.
        image: of every task.

    Returns:
        The job, as Vertex AI's `PipelineJob` takes it from a JSON file.

    Raises:
        BadInput: the configuration makes no graph.
        ValueError: the runner cannot express a node.
    """
    # Vertex AI mounts every bucket below /gcs, where Pusher and the registry's file can be written.
    pipeline = create_pipeline(config, f"/gcs/{bucket}/reelflow")
    pipeline.pipeline_info.pipeline_root = f"gs://{bucket}/reelflow/artifacts"
    for node in pipeline.components:
        if isinstance(node, resolver.Resolver):
            _resolve_as_tfx_does(node)
    settings = runner.KubeflowV2DagRunnerConfig(default_image=image)
    with _types_that_vertex_takes():
        return runner.KubeflowV2DagRunner(settings).run(pipeline, write_out=False)


def _resolve_as_tfx_does(node: resolver.Resolver) -> None:
    """Replace our strategy by TFX's: Vertex AI takes no custom one."""
    node._strategy_class = tfx.dsl.experimental.LatestBlessedModelStrategy
    for channels in (node._input_dict, node._output_dict):
        for name in channels.keys() - set(_CHAMPION):
            del channels[name]


@contextlib.contextmanager
def _types_that_vertex_takes() -> Iterator[None]:
    """Give our artifact types a namespace and no declared properties for a while."""
    types: list[Any] = [
        kind
        for kind in vars(artifacts).values()
        if isinstance(kind, type) and issubclass(kind, artifact.Artifact)
        if kind is not artifact.Artifact
    ]
    before = [(kind, kind.TYPE_NAME, kind.PROPERTIES) for kind in types]
    try:
        for kind in types:
            kind.TYPE_NAME, kind.PROPERTIES = f"reelflow.{kind.TYPE_NAME}", {}
        yield
    finally:
        for kind, name, properties in before:
            kind.TYPE_NAME, kind.PROPERTIES = name, properties

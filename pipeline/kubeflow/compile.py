"""Compiles the graph to a package of Kubeflow Pipelines 2. Imports TFX."""

from __future__ import annotations

from pathlib import Path

from pipeline.definition import create_pipeline
from pipeline.kubeflow.package import write_package
from pipeline.kubeflow.task import Graph, graph_of
from pipeline.runs import launcher
from reelflow.config import Config
from reelflow.config.layout import PIPELINE_NAME

_NAMED_LATER = "/ratings"
_NO_RUN = "compiled"


def compile_graph(config: Config) -> Graph:
    """The graph of a configuration; without ratings as well, as a run may name them.

    Raises:
        BadInput: the configuration makes no graph.
    """
    if config.data.path is None:
        data = config.data.model_copy(update={"path": _NAMED_LATER})
        config = config.model_copy(update={"data": data})
    pipeline = create_pipeline(config, config.kubeflow.output)
    return graph_of(launcher.compile_pipeline(pipeline, _NO_RUN))


def compile_package(config: Config, file: Path, name: str = PIPELINE_NAME) -> Graph:
    """Write the package of a configuration.

    Args:
        config: its `data.path` is the default of the run's parameter `data`.
        file: where the package goes; ends in `.yaml`.
        name: the pipeline's name on the server.

    Raises:
        BadInput: the configuration makes no graph, or gives resources to an unknown component.
    """
    graph = compile_graph(config)
    write_package(graph, config, name, file)
    return graph

"""A graph as a package of Kubeflow Pipelines 2: one container task for every node.

Needs the kfp SDK; TFX is imported only to compile the graph.
"""

# No `from __future__ import annotations`: the kfp SDK reads the annotations of functions.

import re
from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, List  # noqa: UP035

from kfp import compiler, components, dsl, kubernetes

from pipeline import SUMMARY, TUNER
from pipeline.kubeflow.parameters import METADATA_VARIABLES, Graph
from reelflow.base.errors import BadInput
from reelflow.config import Config, KubeflowConfig, TaskConfig

_BACKOFF_SECONDS = 30


def compile_graph(config: Config) -> Graph:
    """Compile the graph of a configuration, also of one without ratings. Imports TFX.

    Raises:
        BadInput: the configuration makes no graph.
    """
    from pipeline.definition import create_pipeline
    from pipeline.runs import launcher

    if config.data.path is None:  # every run names its ratings
        data = config.data.model_copy(update={"path": "/ratings"})
        config = config.model_copy(update={"data": data})
    pipeline = create_pipeline(config, config.kubeflow.output)
    return Graph.of(launcher.compile_pipeline(pipeline, run_id="compiled"))


def write_package(graph: Graph, config: Config, name: str, file: Path) -> None:
    """Write the package of a compiled graph and let the SDK read it back.

    Args:
        graph: nodes and dependencies.
        config: becomes the default of the run's parameters `config` and `data`.
        name: the pipeline's name on the server.
        file: ends in `.yaml`.

    Raises:
        BadInput: the configuration names a component that is not in the graph.
    """
    # The tuner may be configured without tuner.trials, which lets it into the graph.
    unknown = config.kubeflow.components.keys() - graph.upstream.keys() - {TUNER}
    if unknown:
        names = ", ".join(sorted(unknown))
        remedy = f"There are: {', '.join(graph.upstream)}."
        raise BadInput(f"kubeflow.components: there is no component {names}.", remedy)
    file.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(_pipeline(graph, config, name), str(file))
    components.load_component_from_file(str(file))


def _pipeline(graph: Graph, config: Config, name: str) -> Any:
    kubeflow = config.kubeflow
    text = config.model_dump_json()  # in one line: kfp 2.5 writes defaults into a comment
    path = config.data.path or ""

    @dsl.pipeline(name=name, description="Ratings in, a gated and pushed recommender out.")
    def pipeline(
        config: str = text,
        data: str = path,
        span: str = "",
        overrides: List[str] = [],  # noqa: B006, UP006  (kfp reads type and default)
    ) -> None:
        tasks: dict[str, dsl.PipelineTask] = {}

        def add(node: str, upstream: Sequence[str], resources: TaskConfig) -> None:
            values = {"config": config, "data": data, "span": span, "overrides": overrides}
            component = _component(node, graph, kubeflow)
            task = component(run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, **values)
            _equip(task, resources, kubeflow)
            tasks[node] = task.set_display_name(node).after(*(tasks[up] for up in upstream))

        for node in TopologicalSorter(graph.upstream).static_order():
            add(node, graph.upstream[node], kubeflow.task(node))
        needed = {up for upstream in graph.upstream.values() for up in upstream}
        add(SUMMARY, [node for node in tasks if node not in needed], kubeflow.task(SUMMARY))

    return pipeline


def _component(node: str, graph: Graph, kubeflow: KubeflowConfig) -> Callable[..., Any]:
    """Return the container component of a node: its command line names the node."""

    def task(
        run_id: str,
        config: str,
        data: str,
        span: str,
        overrides: List[str],  # noqa: UP006
    ) -> dsl.ContainerSpec:
        options = {
            "--node": node,
            "--graph": graph.fingerprint,
            "--run-id": run_id,
            "--config": config,
            "--data": data,
            "--span": span,
            "--overrides": overrides,
        }
        return dsl.ContainerSpec(
            image=kubeflow.image,
            command=["python", "-m", "pipeline.kubeflow.task"],
            args=[word for option in options.items() for word in option],
        )

    # kfp names the component after the function.
    task.__name__ = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\W", "_", node).lower()
    return dsl.container_component(task)


def _equip(task: dsl.PipelineTask, resources: TaskConfig, kubeflow: KubeflowConfig) -> None:
    """Set resources, retries, volumes and secrets; Kubeflow's cache is off, TFX has its own."""
    task.set_caching_options(False)
    task.set_cpu_request(f"{resources.cpu:g}").set_cpu_limit(f"{resources.cpu:g}")
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.accelerator:
        task.set_accelerator_type(resources.accelerator)
        task.set_accelerator_limit(resources.accelerators)
    if resources.retries:
        task.set_retry(resources.retries, f"{_BACKOFF_SECONDS}s", 2.0)
    for claim, path in kubeflow.volumes.items():
        kubernetes.mount_pvc(task, pvc_name=claim, mount_path=path)
    kubernetes.use_secret_as_env(task, kubeflow.metadata_secret, METADATA_VARIABLES)
    for variable, place in kubeflow.secrets.items():
        secret, _, key = place.partition("/")
        kubernetes.use_secret_as_env(task, secret, {key: variable})

"""Execution of a compiled pipeline, node by node, with an event for each. Imports TFX.

TFX's own `LocalDagRunner` does the same without events, and goes on after a node whose inputs could
not be resolved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.artifacts import Quarantine
from pipeline import PUSHER, REGISTRY_PUSHER
from pipeline.runs.lineage import Output, read_outputs
from pipeline.runs.process import find_reelflow_error
from pipeline.runs.promotion import registry_of
from reelflow.base.errors import ReelflowError
from reelflow.base.memory import give_back
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.registry.registration import Registration
from reelflow.registry.store import CHAMPION, VARIANTS, Registry
from reelflow.saved_model.manifest import whole_versions

State = Literal["done", "cached", "failed"]

LONG = 1.0
"""Seconds of a node from which on its memory is given back after it."""

_Execution = metadata_store_pb2.Execution


@dataclass(frozen=True)
class NodeStarted:
    """A node begins."""

    node: str


@dataclass(frozen=True)
class NodeFinished:
    """A node has ended; after `failed` no other event comes."""

    node: str
    state: State
    seconds: float
    rows: int | None = None
    """Of its largest output, where outputs are counted."""


def compile_pipeline(pipeline: tfx_pipeline.Pipeline, run_id: str) -> pipeline_pb2.Pipeline:
    """Compile a pipeline to the intermediate representation of one run."""
    ir = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    return ir


def node_ids(ir: pipeline_pb2.Pipeline, last: str | None = None) -> list[str]:
    """Return the ids of the nodes in the order in which they run, all or up to `last`."""
    ids = [node.pipeline_node.node_info.id for node in ir.nodes]
    return ids if last is None else ids[: ids.index(last) + 1]


def find_node(ir: pipeline_pb2.Pipeline, node_id: str) -> pipeline_pb2.PipelineNode:
    """Return a node by its id."""
    return next(n.pipeline_node for n in ir.nodes if n.pipeline_node.node_info.id == node_id)


def connection(ir: pipeline_pb2.Pipeline) -> metadata.Metadata:
    """Return the connection to the pipeline's MLMD, a context manager."""
    config = runner_utils.extract_local_deployment_config(ir).metadata_connection_config
    return metadata.Metadata(getattr(config, config.WhichOneof("connection_config")))


def launch_node(ir: pipeline_pb2.Pipeline, node_id: str) -> NodeFinished:
    """Run one node of a compiled pipeline: driver, executor and publisher.

    Needs nothing but the representation and MLMD, so that every node may run in a process of its
    own, wherever its inputs can be reached.

    Raises:
        ReelflowError: the node could not get its inputs.
        Exception: any failure of the executor.
    """
    deployment = runner_utils.extract_local_deployment_config(ir)
    started = time.monotonic()
    info = launcher.Launcher(
        pipeline_node=find_node(ir, node_id),
        mlmd_connection=connection(ir),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch()
    seconds = time.monotonic() - started
    execution_id = getattr(info, "execution_id", None)
    if not execution_id:  # a condition of the pipeline left the node out
        return NodeFinished(node_id, "done", seconds)
    with connection(ir) as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
        rows = rows_of(read_outputs(handle.store, execution_id))
    if execution.last_known_state == _Execution.FAILED:
        # TFX logs an unresolved input and returns; going on would only fail further down.
        raise ReelflowError(
            f"{node_id} could not get its inputs from the steps before it.",
            "Look for 'Input resolution error' in the log.",
        )
    cached = execution.last_known_state == _Execution.CACHED
    return NodeFinished(node_id, "cached" if cached else "done", seconds, rows)


def rows_of(outputs: Iterable[Output]) -> int | None:
    """Return the rows that a node has written; those in quarantine are none of them."""
    counts = [one.properties.get("rows") for one in outputs if one.type != Quarantine.TYPE_NAME]
    return max((count for count in counts if isinstance(count, int)), default=None)


def run(
    ir: pipeline_pb2.Pipeline,
    last: str | None = None,
    before: Mapping[str, Callable[[], None]] = MappingProxyType({}),
) -> Iterator[NodeStarted | NodeFinished]:
    """Run every node in order, or those up to `last`, and stop after the first failure.

    Executions that a killed run left open belong to that run's own context in MLMD and block
    nothing; the nodes that it had finished come from the cache.

    Args:
        ir: the compiled pipeline.
        last: the last node to run.
        before: node to a function that is called before it; what that raises ends the run.

    Yields:
        `NodeStarted` and `NodeFinished` of every node.

    Raises:
        ReelflowError: the one that a component raised, however TFX or Beam wrapped it.
        Exception: any other failure of a component, after its `NodeFinished`.
    """
    for node_id in node_ids(ir, last):
        if node_id in before:
            before[node_id]()
        yield NodeStarted(node_id)
        started = time.monotonic()
        try:
            finished = launch_node(ir, node_id)
            if finished.seconds > LONG:
                give_back()
        except Exception as failure:
            yield NodeFinished(node_id, "failed", time.monotonic() - started)
            error = find_reelflow_error(failure)
            if error is None:
                raise
            raise error from failure
        yield finished


def close_abandoned(ir: pipeline_pb2.Pipeline) -> int:
    """Mark the executions of runs that were killed as failed; return how many there were.

    The caller holds the output folder's lock, so that no other run can be at work.
    """
    with connection(ir) as handle:
        open_states = (_Execution.NEW, _Execution.RUNNING)
        left = [e for e in handle.store.get_executions() if e.last_known_state in open_states]
        for execution in left:
            execution.last_known_state = _Execution.FAILED
        if left:
            handle.store.put_executions(left)
    return len(left)


def rerun_missing_pushes(
    ir: pipeline_pb2.Pipeline, config: Config, layout: Layout, node: str | None = None
) -> None:
    """Run pushers again whose results are in the cache, but gone from serving folder or registry.

    Args:
        ir: the compiled pipeline, which is changed.
        config: names serving folder and registry.
        layout: the output folder.
        node: the only node to look after; all of them by default.
    """
    nodes = {PUSHER, REGISTRY_PUSHER} if node is None else {node}
    missing = set()
    serving = layout.serving_of(config)
    registry, last = registry_of(config, layout), _last_registration(ir)
    if PUSHER in nodes and config.registry.promote:
        trial = last if last is not None and last.alias in VARIANTS else None
        if not whole_versions(serving) or (trial and _has_gone(trial, serving, registry)):
            missing.add(PUSHER)
    if REGISTRY_PUSHER in nodes and _has_lost(registry, last):
        missing.add(REGISTRY_PUSHER)
    for pushing in (n.pipeline_node for n in ir.nodes):
        if pushing.node_info.id in missing:
            pushing.execution_options.caching_options.enable_cache = False


def _last_registration(ir: pipeline_pb2.Pipeline) -> Registration | None:
    """Return the newest result of RegistryPusher that MLMD knows; None without one."""
    with connection(ir) as handle:
        artifacts = handle.store.get_artifacts_by_type("ReelflowRegistration")
    for artifact in sorted(artifacts, key=lambda artifact: -artifact.id):
        if Path(artifact.uri, Registration.FILE).is_file():
            return Registration.read(Path(artifact.uri))
    return None


def _has_gone(trial: Registration, serving: Path, registry: Registry) -> bool:
    """Return True if a version is on trial by the registry, and not in the serving folder."""
    variant = str(trial.alias)
    placed = whole_versions(serving / variant)
    return not placed and registry.aliases().get(variant) == trial.version


def _has_lost(registry: Registry, registration: Registration | None) -> bool:
    """Return True if what was registered is not in the registry any more.

    A champion that is another one by now is none of a run's business: a user may have moved the
    alias, or a later run.
    """
    if registry.untouched:
        return True
    if registration is None or registration.model_hash is None:
        return False
    if registry.find(registration.model_hash) is None:
        return True
    return registration.alias == CHAMPION and CHAMPION not in registry.aliases()

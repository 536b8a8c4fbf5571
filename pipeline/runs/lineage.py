"""A pipeline run as MLMD has recorded it: nodes, states, times and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from reelflow.base.errors import ReelflowError

Database: TypeAlias = "Path | metadata_store_pb2.ConnectionConfig"
"""MLMD's sqlite file, or how to connect to another database."""

_STATES = {
    metadata_store_pb2.Execution.COMPLETE: "done",
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.FAILED: "failed",
}


@dataclass(frozen=True)
class Output:
    """An artifact that a node has written, or taken from the cache."""

    type: str
    uri: Path
    properties: dict[str, int | float | str]
    name: str = ""
    """Its name among the outputs of its node."""

    @property
    def saved_model(self) -> Path:
        """Folder of the SavedModel, of the Trainer's output `model`."""
        return self.uri / "Format-Serving"


@dataclass(frozen=True)
class NodeRun:
    """One execution of a run."""

    node: str
    state: str
    """`done`, `cached`, `failed`, or `running`, also after it was killed."""
    seconds: float
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True)
class PipelineRun:
    """A run and its executions in the order in which they began."""

    run_id: str
    nodes: list[NodeRun]

    def find(self, artifact_type: str, node: str | None = None) -> Output | None:
        """Return the last output of a type such as `ModelBlessing`, of any node or of one."""
        outputs = (
            output
            for run in reversed(self.nodes)
            if node in (None, run.node)
            for output in run.outputs
            if output.type == artifact_type
        )
        return next(outputs, None)

    def output(self, node: str, name: str) -> Output:
        """Return the output of a node by its name.

        Raises:
            KeyError: the run has no such output.
        """
        for run in self.nodes:
            for output in run.outputs:
                if (run.node, output.name) == (node, name):
                    return output
        raise KeyError(f"{node} has no output {name}")


def read_run(database: Database, run_id: str | None = None) -> PipelineRun:
    """Read a run from MLMD, the newest by default.

    Raises:
        ReelflowError: MLMD knows no such run.
    """
    run_id = run_id or newest_run_id(database)
    context = _runs(database).get(run_id or "")
    if context is None:
        name = database if isinstance(database, Path) else "ML Metadata"
        raise ReelflowError(f"{name} knows no run {run_id or 'at all'}.")
    store = open_store(database)
    executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
    return PipelineRun(context.name, [_node_run(store, execution) for execution in executions])


def newest_run_id(database: Database) -> str | None:
    """Return the id of the run that began last; None before the first run."""
    runs = _runs(database).values()
    newest = max(runs, key=lambda run: run.create_time_since_epoch, default=None)
    return None if newest is None else str(newest.name)


def has_run(database: Database, run_id: str) -> bool:
    """Return True if a run got as far as its first node."""
    return run_id in _runs(database)


def _runs(database: Database) -> dict[str, metadata_store_pb2.Context]:
    if isinstance(database, Path) and not database.is_file():
        return {}
    contexts = open_store(database).get_contexts_by_type("pipeline_run")
    return {context.name: context for context in contexts}


def open_store(database: Database) -> metadata_store.MetadataStore:
    """Connect to MLMD."""
    if not isinstance(database, Path):
        return metadata_store.MetadataStore(database)
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
    return metadata_store.MetadataStore(config)


def _node_run(
    store: metadata_store.MetadataStore, execution: metadata_store_pb2.Execution
) -> NodeRun:
    contexts = store.get_contexts_by_execution(execution.id)
    name = next(context.name for context in contexts if context.type == "node")
    spent = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeRun(
        node=name.rpartition(".")[2],  # the context is named "pipeline.node"
        state=_STATES.get(execution.last_known_state, "running"),
        seconds=round(spent / 1000, 3),
        outputs=read_outputs(store, execution.id),
    )


def read_outputs(store: metadata_store.MetadataStore, execution_id: int) -> list[Output]:
    """Read the outputs of an execution."""
    events = store.get_events_by_execution_ids([execution_id])
    output = metadata_store_pb2.Event.OUTPUT
    names = {e.artifact_id: e.path.steps[0].key for e in events if e.type == output}
    outputs = []
    for artifact in store.get_artifacts_by_id(list(names)) if names else ():
        properties = {
            name: getattr(value, value.WhichOneof("value"))
            for declared in (artifact.properties, artifact.custom_properties)
            for name, value in declared.items()
            if value.WhichOneof("value") in ("int_value", "double_value", "string_value")
        }
        outputs.append(Output(artifact.type, Path(artifact.uri), properties, names[artifact.id]))
    return outputs

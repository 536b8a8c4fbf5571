"""What a package and a container must agree on: the nodes, their order, and the code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from google.protobuf import json_format
from tfx.dsl.io import fileio
from tfx.orchestration.portable import outputs_utils
from tfx.orchestration.portable.mlmd import context_lib, execution_lib
from tfx.proto.orchestration import pipeline_pb2

from pipeline.definition import create_pipeline
from pipeline.kubeflow.parameters import TaskArguments, layout_of
from pipeline.runs import launcher
from pipeline.runs.launcher import find_reelflow_error
from reelflow.base.environment import prepare
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import Config
from reelflow.config.layout import RunFolder, code_hash
from reelflow.config.loading import load
from reelflow.config.reference import render
from reelflow.data.inputs import settle

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2


@dataclass(frozen=True)
class Graph:
    """The nodes of a compiled pipeline.

    Attributes:
        upstream: node id to the ids that it waits for, for data or by order alone.
        code: hash of the code that the nodes run.
    """

    upstream: dict[str, tuple[str, ...]]
    code: str

    @property
    def shape(self) -> str:
        """Hash of nodes and dependencies; the same for both TFX versions."""
        ordered = {node: sorted(needed) for node, needed in sorted(self.upstream.items())}
        return hashlib.sha256(json.dumps(ordered).encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Shape and code in one word, for a command line."""
        return f"{self.shape}-{self.code[:16]}"

    def check(self, fingerprint: str) -> None:
        """Compare what a container has compiled with what the package was made from.

        Raises:
            BadInput: the run's parameters make another graph than the package's tasks are.
            ReelflowError: the image holds other code than the package was made from.
        """
        shape, _, code = fingerprint.partition("-")
        if code != self.code[: len(code)]:
            raise ReelflowError(
                "The image holds other code than the package was compiled from.",
                "Build the image and compile the package from the same commit.",
            )
        if shape != self.shape:
            raise BadInput(
                "With this run's parameters the pipeline has other nodes than the package.",
                "Compile a package with the same configuration (`reelflow kubeflow compile`).",
            )


def graph_of(ir: pipeline_pb2.Pipeline) -> Graph:
    """The graph of a compiled pipeline, resolvers and an optional tuner included."""
    nodes = [node.pipeline_node for node in ir.nodes]
    return Graph(
        upstream={node.node_info.id: tuple(node.upstream_nodes) for node in nodes},
        code=code_hash(),
    )


# ML Metadata in MySQL: who asks, says where by environment variables, which come from a secret.


VARIABLES = {
    "host": "REELFLOW_METADATA_HOST",
    "port": "REELFLOW_METADATA_PORT",
    "database": "REELFLOW_METADATA_DATABASE",
    "user": "REELFLOW_METADATA_USER",
    "password": "REELFLOW_METADATA_PASSWORD",
}
"""Key in the secret to environment variable."""


def connection_config(
    environment: Mapping[str, str] = os.environ,
) -> metadata_store_pb2.ConnectionConfig:
    """Where the metadata are.

    Raises:
        BadInput: a variable is missing, or the port is no number.
    """
    from tfx.orchestration import metadata

    missing = [name for name in VARIABLES.values() if not environment.get(name)]
    if missing:
        raise BadInput(
            f"{', '.join(missing)}: not set.",
            "The tasks take them from the secret that kubeflow.metadata_secret names.",
        )
    values = {key: environment[name] for key, name in VARIABLES.items()}
    if not values["port"].isascii() or not values["port"].isdigit():
        raise BadInput(f"{VARIABLES['port']}: {values['port']} is no port.")
    return metadata.mysql_metadata_connection_config(
        host=values["host"],
        port=int(values["port"]),
        database=values["database"],
        username=values["user"],
        password=values["password"],
    )


# What a run is, settled by whichever of its tasks begins first, and the same for all others.
# Every task compiles the graph in its own container. What could change between the tasks of one
# run (which span is the latest, an image whose tag was moved) must not make them parts of
# different runs. Imports TFX.


_HASH = "graph.sha256"


def settle_run(arguments: TaskArguments) -> tuple[Config, pipeline_pb2.Pipeline]:
    """The run's configuration and its compiled graph, which knows where ML Metadata is.

    Raises:
        BadInput: wrong parameters or unusable data.
        ReelflowError: another task of the run has compiled something else.
    """
    config = arguments.effective_config()
    layout = layout_of(config)
    folder = layout.run(arguments.run_id)
    if not folder.config.is_file():
        config = settle(config, layout)
        _note(folder, config, ir_hash(compile_run(config, arguments.run_id)))
    config = load(folder.config)
    ir = compile_run(config, arguments.run_id)
    noted, found = (folder.path / _HASH).read_text(encoding="utf-8").strip(), ir_hash(ir)
    if noted != found:
        raise ReelflowError(
            f"This task's graph is {found[:16]}, another task of the run has {noted[:16]}.",
            "Was the image replaced during the run? Name images by digest, and start a new run.",
        )
    return config, ir


def compile_run(config: Config, run_id: str) -> pipeline_pb2.Pipeline:
    """The graph of a run, with the connection that the environment names."""
    pipeline = create_pipeline(config, str(layout_of(config).output))
    pipeline.metadata_connection_config = connection_config()
    return launcher.compile_pipeline(pipeline, run_id)


def ir_hash(ir: pipeline_pb2.Pipeline) -> str:
    """SHA-256 of the nodes with all parameters and inputs; not of the connection's password."""
    digest = hashlib.sha256()
    for node in ir.nodes:
        digest.update(json_format.MessageToJson(node, sort_keys=True).encode())
    return digest.hexdigest()


def _note(folder: RunFolder, config: Config, digest: str) -> None:
    """Make the run's folder in one step; if another task was quicker, its folder stays."""
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".", dir=folder.path.parent))
    hidden.chmod(0o755)
    (hidden / folder.config.name).write_text(render(config), encoding="utf-8")
    (hidden / _HASH).write_text(f"{digest}\n", encoding="utf-8")
    try:
        os.rename(hidden, folder.path)  # refuses a folder that is there and not empty
    except OSError:
        shutil.rmtree(hidden)
        if not folder.config.is_file():
            raise


# Makes a task one that may be started again, whatever became of the attempt before. Kubeflow
# starts a task again under the same run id, after a failure or because its machine is gone. TFX
# then goes on with the execution that the earlier attempt left in ML Metadata, and writes to
# the same folders. What it does not see to is done here.


Before = Literal["nothing", "unfinished", "finished"]


def take_over(ir: pipeline_pb2.Pipeline, node_id: str) -> Before:
    """Find what an earlier attempt at the same node in the same run has come to.

    An unfinished attempt's outputs and temporary files are removed: those of both attempts would
    mix.

    Returns:
        What there was. After `finished` the node must not be launched: of a resolver TFX would
        record a second execution, and who comes after it would find two of each artifact.
    """
    node = next(n.pipeline_node for n in ir.nodes if n.pipeline_node.node_info.id == node_id)
    with launcher.connection(ir) as handle:
        contexts = context_lib.prepare_contexts(handle, node.contexts)
        executions = execution_lib.get_executions_associated_with_all_contexts(handle, contexts)
    if any(execution_lib.is_execution_successful(execution) for execution in executions):
        return "finished"
    outputs = outputs_utils.OutputsResolver(node, ir.pipeline_info, ir.runtime_spec)
    for execution in executions:
        for artifacts in outputs.generate_output_artifacts(execution.id).values():
            for artifact in artifacts:
                _remove(artifact.uri)
        _remove(os.path.dirname(outputs.get_executor_output_uri(execution.id)))
    return "unfinished" if executions else "nothing"


def _remove(uri: str) -> None:
    if fileio.isdir(uri):
        fileio.rmtree(uri)
    elif fileio.exists(uri):
        fileio.remove(uri)


# `python -m pipeline.kubeflow.task`: what a task's container runs, one node of the graph. The
# container compiles the graph from the package's configuration and the run's parameters, holds
# it against the package, and launches its node with TFX's launcher. See docs/adr/0014-kubeflow-
# tasks-compile-the-graph.md.


def run_node(arguments: TaskArguments) -> None:
    """Run the node and says what came of it.

    Raises:
        ReelflowError: wrong parameters, an image that does not fit the package, no metadata, or
            what the component itself raised.
        Exception: any other failure of the component.
    """
    prepare()
    from pipeline.cli.session import let_log_speak
    from pipeline.runs import launcher
    from pipeline.runs.launcher import forget_removed

    let_log_speak()
    config, ir = settle_run(arguments)
    graph_of(ir).check(arguments.graph)
    forget_removed(ir, config, layout_of(config), arguments.node)

    before = take_over(ir, arguments.node)
    if before == "finished":
        print(f"{arguments.node}: done by an earlier attempt", flush=True)
        return
    if before == "unfinished":
        print(f"{arguments.node}: an earlier attempt was cut off, starting over", flush=True)
    finished = launcher.launch_node(ir, arguments.node)
    print(f"{arguments.node}: {finished.state} in {finished.seconds:.1f} s", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Run `run_node`; our own errors are shown in one line each, without a traceback.

    Returns:
        The container's exit code.
    """
    arguments = TaskArguments.parse(words)
    try:
        run_node(arguments)
    except Exception as failure:
        ours = find_reelflow_error(failure)
        if ours is None:
            raise
        return show(ours)
    return 0


def show(error: ReelflowError) -> int:
    """Write an error for a task's log.

    Returns:
        Its exit code.
    """
    print(f"error: {error}", file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

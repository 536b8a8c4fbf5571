"""`python -m pipeline.kubeflow.task`: the program of a task's container, for one node of the graph.

The container compiles the graph from the package's configuration and the run's parameters, compares
it with the package's graph, and launches its node with TFX's launcher
(docs/adr/0014-kubeflow-tasks-compile-the-graph.md). The first task of a run records configuration
and graph on the shared volume, so that what changes meanwhile (the latest span, an image whose tag
was moved) cannot split the run. Kubeflow starts a task again under the same run id; TFX then goes
on with the execution of the earlier attempt and writes to the same folders. The task after all
nodes leaves in the volume's `runs/<run id>/` the files that `reelflow run` leaves.

TFX is imported inside the functions, after `prepare_program` has set the process up for TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline import SUMMARY
from pipeline.kubeflow.parameters import Graph, TaskArguments, connection_config, layout_of
from pipeline.runs.process import find_reelflow_error, log_at_info
from reelflow.base.environment import prepare_program
from reelflow.base.errors import ReelflowError
from reelflow.base.untrusted import printable
from reelflow.config import Config
from reelflow.config.layout import RunFolder
from reelflow.config.loading import load, to_toml
from reelflow.data.inputs import resolve_paths

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2

Earlier = Literal["none", "unfinished", "finished"]
"""State of an earlier execution of a node in the same run."""

_HASH_FILE = "graph.sha256"


def main(words: Sequence[str] | None = None) -> int:
    """Run the node of a command line, this process's by default.

    Returns:
        The container's exit code; a `ReelflowError` is printed in one line, without a traceback.
    """
    arguments = TaskArguments.parse(words)
    try:
        prepare_program()
        (summarize_run if arguments.node == SUMMARY else run_node)(arguments)
    except Exception as failure:
        error = find_reelflow_error(failure)
        if error is None:
            raise
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def run_node(arguments: TaskArguments) -> None:
    """Run the node and print its state.

    Raises:
        ReelflowError: wrong parameters, an image that does not fit the package, no metadata, or
            an error that the component itself raised.
        Exception: any other failure of the component.
    """
    from pipeline.runs import launcher

    log_at_info()
    config, ir = recorded_run(arguments)
    Graph.of(ir).check(arguments.graph)
    launcher.rerun_missing_pushes(ir, config, layout_of(config), arguments.node)

    earlier = prepare_execution(ir, arguments.node)
    if earlier == "finished":
        print(f"{arguments.node}: done by an earlier attempt", flush=True)
        return
    if earlier == "unfinished":
        print(f"{arguments.node}: an earlier attempt was cut off, starting over", flush=True)
    finished = launcher.launch_node(ir, arguments.node)
    print(f"{arguments.node}: {finished.state} in {finished.seconds:.1f} s", flush=True)


def summarize_run(arguments: TaskArguments) -> None:
    """Write the run's summary and print the gate's verdict; a refused model is no failed task.

    Raises:
        ReelflowError: wrong parameters, or ML Metadata does not know the run.
    """
    from pipeline.runs.finish import finish_run

    config, _ = recorded_run(arguments)
    summary = finish_run(layout_of(config), config, arguments.run_id, database=connection_config())
    for reason in summary.gate.reasons if summary.gate else ["There was no gate."]:
        print(printable(reason))
    print(f"Pushed: {summary.pushed}" if summary.pushed else "Nothing was pushed.")


def recorded_run(arguments: TaskArguments) -> tuple[Config, pipeline_pb2.Pipeline]:
    """Return the run's configuration and its compiled graph, recorded by the run's first task.

    Raises:
        BadInput: wrong parameters or unusable data.
        ReelflowError: another task of the run has compiled another graph.
    """
    config = arguments.effective_config()
    layout = layout_of(config)
    folder = layout.run(arguments.run_id)
    if not folder.config.is_file():
        config = resolve_paths(config, layout)
        _record(folder, config, _ir_hash(compile_run(config, arguments.run_id)))
    config = load(folder.config)
    ir = compile_run(config, arguments.run_id)
    recorded, own = (folder.path / _HASH_FILE).read_text(encoding="utf-8").strip(), _ir_hash(ir)
    if recorded != own:
        raise ReelflowError(
            f"This task's graph is {own[:16]}, another task of the run has {recorded[:16]}.",
            "Was the image replaced during the run? Name images by digest, and start a new run.",
        )
    return config, ir


def compile_run(config: Config, run_id: str) -> pipeline_pb2.Pipeline:
    """Compile the graph of a run, with the ML Metadata that the environment names."""
    from pipeline.definition import create_pipeline
    from pipeline.runs import launcher

    pipeline = create_pipeline(config, str(layout_of(config).output))
    pipeline.metadata_connection_config = connection_config()
    return launcher.compile_pipeline(pipeline, run_id)


def _ir_hash(ir: pipeline_pb2.Pipeline) -> str:
    """Return the SHA-256 of the nodes with all parameters and inputs, without the connection."""
    from google.protobuf import json_format

    digest = hashlib.sha256()
    for node in ir.nodes:
        digest.update(json_format.MessageToJson(node, sort_keys=True).encode())
    return digest.hexdigest()


def _record(folder: RunFolder, config: Config, digest: str) -> None:
    """Make the run's folder in one step; if another task was quicker, its folder stays."""
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".", dir=folder.path.parent))
    hidden.chmod(0o755)
    (hidden / folder.config.name).write_text(to_toml(config), encoding="utf-8")
    (hidden / _HASH_FILE).write_text(f"{digest}\n", encoding="utf-8")
    try:
        os.rename(hidden, folder.path)  # refuses a folder that is there and not empty
    except OSError:
        shutil.rmtree(hidden)
        if not folder.config.is_file():
            raise


def prepare_execution(ir: pipeline_pb2.Pipeline, node_id: str) -> Earlier:
    """Look for an earlier execution of a node in the same run, and remove its unfinished outputs.

    Outputs and temporary files of an unfinished execution would mix with those of the next one.

    Returns:
        The earlier execution's state. After `finished` the node must not be launched: TFX would
        record a second execution of a resolver, and nodes after it would find each artifact twice.
    """
    from tfx.dsl.io import fileio
    from tfx.orchestration.portable import outputs_utils
    from tfx.orchestration.portable.mlmd import context_lib, execution_lib

    from pipeline.runs import launcher

    node = launcher.find_node(ir, node_id)
    with launcher.connection(ir) as handle:
        contexts = context_lib.prepare_contexts(handle, node.contexts)
        executions = execution_lib.get_executions_associated_with_all_contexts(handle, contexts)
    if any(execution_lib.is_execution_successful(execution) for execution in executions):
        return "finished"
    resolver = outputs_utils.OutputsResolver(node, ir.pipeline_info, ir.runtime_spec)
    for execution in executions:
        outputs = resolver.generate_output_artifacts(execution.id).values()
        temporary = os.path.dirname(resolver.get_executor_output_uri(execution.id))
        for uri in [*(a.uri for artifacts in outputs for a in artifacts), temporary]:
            if fileio.isdir(uri):
                fileio.rmtree(uri)
            elif fileio.exists(uri):
                fileio.remove(uri)
    return "unfinished" if executions else "none"


if __name__ == "__main__":
    sys.exit(main())

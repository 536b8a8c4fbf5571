"""The run and the execution that a task belongs to. Imports TFX.

Every task compiles the graph in its own container. The first task of a run records configuration
and graph on the shared volume, so that what changes meanwhile (the latest span, an image whose tag
was moved) cannot split the run. Kubeflow starts a task again under the same run id; TFX then goes
on with the execution of the earlier attempt and writes to the same folders.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from google.protobuf import json_format
from tfx.dsl.io import fileio
from tfx.orchestration.portable import outputs_utils
from tfx.orchestration.portable.mlmd import context_lib, execution_lib
from tfx.proto.orchestration import pipeline_pb2

from pipeline.definition import create_pipeline
from pipeline.kubeflow.parameters import TaskArguments, connection_config, layout_of
from pipeline.runs import launcher
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import RunFolder
from reelflow.config.loading import load, to_toml
from reelflow.data.inputs import resolve_paths

Earlier = Literal["none", "unfinished", "finished"]
"""State of an earlier execution of a node in the same run."""

_HASH_FILE = "graph.sha256"


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
        _record(folder, config, ir_hash(compile_run(config, arguments.run_id)))
    config = load(folder.config)
    ir = compile_run(config, arguments.run_id)
    recorded, own = (folder.path / _HASH_FILE).read_text(encoding="utf-8").strip(), ir_hash(ir)
    if recorded != own:
        raise ReelflowError(
            f"This task's graph is {own[:16]}, another task of the run has {recorded[:16]}.",
            "Was the image replaced during the run? Name images by digest, and start a new run.",
        )
    return config, ir


def compile_run(config: Config, run_id: str) -> pipeline_pb2.Pipeline:
    """Compile the graph of a run, with the ML Metadata that the environment names."""
    pipeline = create_pipeline(config, str(layout_of(config).output))
    pipeline.metadata_connection_config = connection_config()
    return launcher.compile_pipeline(pipeline, run_id)


def ir_hash(ir: pipeline_pb2.Pipeline) -> str:
    """Return the SHA-256 of the nodes with all parameters and inputs, without the connection."""
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
    return "unfinished" if executions else "none"


def _remove(uri: str) -> None:
    if fileio.isdir(uri):
        fileio.rmtree(uri)
    elif fileio.exists(uri):
        fileio.remove(uri)

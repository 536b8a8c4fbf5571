"""What a run is, settled by whichever of its tasks begins first, and the same for all others.

Every task compiles the graph in its own container. What could change between the tasks of one run
(which span is the latest, an image whose tag was moved) must not make them parts of different runs.
Imports TFX.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from google.protobuf import json_format
from tfx.proto.orchestration import pipeline_pb2

from kubeflow.metadata import connection_config
from kubeflow.parameters import TaskArguments, layout_of
from pipeline import launcher
from pipeline.config import Config
from pipeline.config_text import render
from pipeline.definition import create_pipeline
from pipeline.inputs import settle
from pipeline.layout import RunFolder
from pipeline.loading import load
from ratings.errors import ReelflowError

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
    """Makes the run's folder in one step; if another task was quicker, its folder stays."""
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

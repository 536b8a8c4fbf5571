"""Makes a task one that may be started again, whatever became of the attempt before.

Kubeflow starts a task again under the same run id, after a failure or because its machine is gone.
TFX then goes on with the execution that the earlier attempt left in ML Metadata, and writes to the
same folders. What it does not see to is done here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from tfx.dsl.io import fileio
from tfx.orchestration.portable import outputs_utils
from tfx.orchestration.portable.mlmd import context_lib, execution_lib

from pipeline import launcher

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2

Before = Literal["nothing", "unfinished", "finished"]


def take_over(ir: pipeline_pb2.Pipeline, node_id: str) -> Before:
    """Finds what an earlier attempt at the same node in the same run has come to.

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

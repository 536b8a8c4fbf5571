"""`python -m pipeline.kubeflow.task`: the program of a task's container, for one node of the graph.

The container compiles the graph from the package's configuration and the run's parameters, compares
it with the package's graph, and launches its node with TFX's launcher
(docs/adr/0014-kubeflow-tasks-compile-the-graph.md). The task after all nodes leaves in the volume's
`runs/<run id>/` the files that `reelflow run` leaves. TFX is imported inside the functions, after
`prepare` has set the process up for TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.kubeflow.graph import Graph
from pipeline.kubeflow.parameters import TaskArguments, connection_config, layout_of
from pipeline.node_names import SUMMARY
from pipeline.runs.failures import find_reelflow_error
from pipeline.runs.process import log_at_info
from reelflow.base.environment import prepare


def run_node(arguments: TaskArguments) -> None:
    """Run the node and print its state.

    Raises:
        ReelflowError: wrong parameters, an image that does not fit the package, no metadata, or
            an error that the component itself raised.
        Exception: any other failure of the component.
    """
    prepare()
    from pipeline.kubeflow.execution import prepare_execution, recorded_run
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
    prepare()
    from pipeline.kubeflow.execution import recorded_run
    from pipeline.runs.finish import finish_run

    config, _ = recorded_run(arguments)
    summary = finish_run(layout_of(config), config, arguments.run_id, database=connection_config())
    for reason in summary.gate.reasons if summary.gate else ["There was no gate."]:
        print(reason)
    print(f"Pushed: {summary.pushed}" if summary.pushed else "Nothing was pushed.")


def main(words: Sequence[str] | None = None) -> int:
    """Run the node of a command line, this process's by default.

    Returns:
        The container's exit code; a `ReelflowError` is printed in one line, without a traceback.
    """
    arguments = TaskArguments.parse(words)
    try:
        (summarize_run if arguments.node == SUMMARY else run_node)(arguments)
    except Exception as failure:
        error = find_reelflow_error(failure)
        if error is None:
            raise
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

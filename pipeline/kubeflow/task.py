"""`python -m pipeline.kubeflow.task`: one node of the graph, run by a task's container.

The container compiles the graph from the package's configuration and the run's parameters, compares
it with the package's graph, and launches its node with TFX's launcher
(docs/adr/0014-kubeflow-tasks-compile-the-graph.md). TFX is imported inside the functions, after
`prepare` has set the process up for TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.kubeflow.graph import Graph
from pipeline.kubeflow.parameters import TaskArguments, layout_of
from pipeline.runs.failures import find_reelflow_error
from pipeline.runs.process import log_at_info
from reelflow.base.environment import prepare
from reelflow.base.errors import ReelflowError


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


def main(words: Sequence[str] | None = None) -> int:
    """Run the node of a command line, this process's by default.

    Returns:
        The container's exit code; a `ReelflowError` is printed in one line, without a traceback.
    """
    arguments = TaskArguments.parse(words)
    try:
        run_node(arguments)
    except Exception as failure:
        error = find_reelflow_error(failure)
        if error is None:
            raise
        return print_error(error)
    return 0


def print_error(error: ReelflowError) -> int:
    """Print an error for a task's log and return its exit code."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

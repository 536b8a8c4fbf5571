"""`python -m kubeflow.node`: what a task's container runs, one node of the graph.

The container compiles the graph from the package's configuration and the run's parameters, holds
it against the package, and launches its node with TFX's launcher. See
docs/adr/0014-kubeflow-tasks-compile-the-graph.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubeflow.graph import graph_of
from kubeflow.parameters import TaskArguments, layout_of
from pipeline.environment import prepare
from pipeline.failures import find_reelflow_error
from ratings.errors import ReelflowError


def run_node(arguments: TaskArguments) -> None:
    """Runs the node and says what came of it.

    Raises:
        ReelflowError: wrong parameters, an image that does not fit the package, no metadata, or
            what the component itself raised.
        Exception: any other failure of the component.
    """
    prepare()
    from kubeflow.attempt import take_over
    from kubeflow.settled import settle_run
    from pipeline import launcher
    from pipeline.cli.session import let_log_speak
    from pipeline.removed import forget_removed

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
    """Runs `run_node`; our own errors are shown in one line each, without a traceback.

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
    """Writes an error for a task's log.

    Returns:
        Its exit code.
    """
    print(f"error: {error}", file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

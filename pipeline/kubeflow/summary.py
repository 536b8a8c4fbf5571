"""`python -m pipeline.kubeflow.summary`: the task after all nodes, which writes the run's summary.

It leaves in the volume's `runs/<run id>/` the files that `reelflow run` leaves, so that `reelflow
runs` and `reelflow report` work there. A model that the gate refused is no failed task.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.kubeflow.parameters import TaskArguments, connection_config, layout_of
from pipeline.kubeflow.task import print_error
from reelflow.base.environment import prepare
from reelflow.base.errors import ReelflowError


def summarize_run(arguments: TaskArguments) -> None:
    """Write the summary and print the gate's verdict.

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
    """Write the summary for a command line, this process's by default.

    Returns:
        The container's exit code; a `ReelflowError` is printed in one line, without a traceback.
    """
    try:
        summarize_run(TaskArguments.parse(words))
    except ReelflowError as error:
        return print_error(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

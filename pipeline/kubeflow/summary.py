"""`python -m pipeline.kubeflow.summary`: the last task, which tells what came of the run.

It leaves in the volume's `runs/<run id>/` what `reelflow run` leaves, so that `reelflow runs` and
`reelflow report` work there. A model that the gate refused is no failed task.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.kubeflow.parameters import TaskArguments, layout_of
from pipeline.kubeflow.task import show
from reelflow.base.environment import prepare
from reelflow.base.errors import ReelflowError


def summarize_run(arguments: TaskArguments) -> None:
    """Write the summary and prints the verdict.

    Raises:
        ReelflowError: wrong parameters, or ML Metadata does not know the run.
    """
    prepare()
    from pipeline.kubeflow.task import connection_config, settle_run
    from pipeline.runs.summary import write_summary

    config, _ = settle_run(arguments)
    summary = write_summary(
        layout_of(config), config, arguments.run_id, database=connection_config()
    )
    gate = summary["gate"] or {"reasons": ["There was no gate."]}
    for reason in gate["reasons"]:
        print(reason)
    print(f"Pushed: {summary['pushed']}" if summary["pushed"] else "Nothing was pushed.")


def main(words: Sequence[str] | None = None) -> int:
    """Run `summarize_run`; our own errors are shown in one line each.

    Returns:
        The container's exit code.
    """
    try:
        summarize_run(TaskArguments.parse(words))
    except ReelflowError as error:
        return show(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

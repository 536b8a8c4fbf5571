"""The runner of `tfx pipeline create --engine local` and `tfx run create --engine local`.

Takes its settings from the environment, since `tfx` has no options for them:

- `REELFLOW_CONFIG`: TOML file or bundled name, as `reelflow run --config`;
- `REELFLOW_DATA`: folder of ratings files; without one the built-in synthetic sample is used;
- `REELFLOW_OUTPUT`: output folder, by default `output`.

The pipeline's name is `reelflow`. A model that the gate refuses is said with its reasons, and the
exit code is 3, as of `reelflow run`; the `tfx` command makes 1 of it.
"""

from __future__ import annotations

import os
import sys

from pipeline.runs.process import find_reelflow_error
from reelflow.base.environment import prepare, prepare_program
from reelflow.base.errors import ReelflowError
from reelflow.base.untrusted import printable
from reelflow.config.layout import Layout
from reelflow.data.inputs import effective_config


def start_again_with_keras_2() -> None:
    """Start this process anew if TensorFlow was imported with Keras 3 already.

    The `tfx` command imports TensorFlow first and loads this file afterwards.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and hasattr(tensorflow.keras, "version"):  # only Keras 3 has it
        prepare()
        os.execv(sys.executable, sys.orig_argv)


def main() -> int:
    """Run the pipeline, write its summary and print the verdict.

    Returns:
        The exit code of `reelflow run`: 0, or 3 if the gate or the serving check has refused.

    Raises:
        ReelflowError: wrong settings, unusable data, or a component that refused to go on.
        Exception: any other failure of a component.
    """
    start_again_with_keras_2()
    prepare_program()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.definition import create_pipeline
    from pipeline.runs.finish import finish_run
    from pipeline.runs.lineage import newest_run_id, read_run

    layout = Layout.of(os.environ.get("REELFLOW_OUTPUT") or "output")
    config = effective_config(
        layout,
        source=os.environ.get("REELFLOW_CONFIG") or None,
        data=os.environ.get("REELFLOW_DATA") or None,
    )
    before = newest_run_id(layout.metadata)
    try:
        LocalDagRunner().run(create_pipeline(config, str(layout.output)))
    except Exception as failure:
        error = find_reelflow_error(failure)
        if (run_id := newest_run_id(layout.metadata)) != before:
            finish_run(layout, config, run_id, error.message if error else str(failure))
        if error is None:
            raise
        raise error from failure
    run_id = newest_run_id(layout.metadata)
    if run_id in (None, before):  # `tfx pipeline create` looks at the pipeline and runs nothing
        return 0
    # LocalDagRunner goes on after a node that could not get its inputs.
    nodes = read_run(layout.metadata, run_id).nodes
    failed = [node.node for node in nodes if node.state == "failed"]
    message = f"{', '.join(failed)} failed." if failed else None
    summary = finish_run(layout, config, run_id, message)
    if message:
        raise ReelflowError(message, "The output above has the reason.")
    for verdict in (summary.gate, summary.serving_check):
        for reason in verdict.reasons if verdict and not verdict.blessed else ():
            print(f"Refused: {printable(reason)}")
    if summary.pushed:
        print(f"Pushed: {summary.pushed}")
    elif summary.awaits_promotion:
        alias = (summary.registered and summary.registered.alias) or "challenger"
        print(f"Passed, and waits for `reelflow models promote {alias}`.")
    else:
        print("Nothing was pushed; the champion, if any, stays.")
    print(f"Summary: {layout.latest / 'summary.json'}")
    return summary.exit_code


def exit_code() -> int:
    """Run `main` and return the exit code; print a `ReelflowError` without a traceback."""
    try:
        return main()
    except ReelflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    if code := exit_code():
        sys.exit(code)

"""Runs the graph from ExampleGen to RatingsEncoder; a line of JSON at the start and end of a node.

`python -m tests.flink.prepare DATA OUTPUT [section.key=value ...]`
"""

from __future__ import annotations

import json
import sys
import time

from reelflow.base.environment import prepare

LAST = "RatingsEncoder"


def main(data: str, output: str, overrides: list[str]) -> None:
    """Run it."""
    prepare()
    from pipeline.definition import create_pipeline
    from pipeline.runs import launcher
    from reelflow.config.layout import Layout
    from reelflow.data.inputs import effective_config

    config = effective_config(Layout.of(output), data=data, overrides=overrides)
    ir = launcher.compile_pipeline(create_pipeline(config, output), f"run-{time.time_ns()}")
    for event in launcher.run(ir, LAST):
        if isinstance(event, launcher.NodeStarted):
            print(json.dumps({"started": event.node}), flush=True)
        else:
            ended = {"finished": event.node, "state": event.state, "seconds": event.seconds}
            print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

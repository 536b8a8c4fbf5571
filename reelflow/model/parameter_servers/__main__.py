"""The processes of a training beside the Trainer: a worker, a server, or the coordinator.

    python -m reelflow.model.parameter_servers          # the worker or server that TF_CONFIG says
    python -m reelflow.model.parameter_servers FOLDER   # the coordinator of a prepared training

Workers and servers answer until they are ended.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from reelflow.base.environment import prepare_program

LOST = 75
"""Exit status of a coordinator that lost a server: it can go on from its checkpoint."""


def main() -> None:
    """Be what TF_CONFIG says."""
    # Without it a lost machine is waited for, and not noticed.
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")
    prepare_program()
    import tensorflow as tf

    if len(sys.argv) == 1:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        server = tf.distribute.Server(
            resolver.cluster_spec(), resolver.task_type, resolver.task_id, protocol="grpc"
        )
        server.join()
    from reelflow.model.parameter_servers.coordinator import Training
    from reelflow.model.parameter_servers.files import Work

    try:
        Training(Work(Path(sys.argv[1]))).run()
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        print(f"a server is lost: {error}", file=sys.stderr, flush=True)
        os._exit(LOST)
    # The coordinator's threads would go on looking for workers.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

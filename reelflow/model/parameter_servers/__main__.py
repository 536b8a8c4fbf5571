"""The processes of a training beside the Trainer: workers, servers, and the coordinator.

    python -m reelflow.model.parameter_servers worker 0      # and 1, 2, ...
    python -m reelflow.model.parameter_servers ps 0          # a parameter server
    python -m reelflow.model.parameter_servers chief FOLDER  # the coordinator, of prepared work

TF_CONFIG has the cluster's addresses. Workers and servers answer until they are ended; with a third
argument, until the process with that id ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from reelflow.base.environment import die_with_parent, prepare_program

COORDINATOR: Final = "chief"
"""TensorFlow's word for the coordinator's place in a cluster."""
LOST: Final = 75
"""Exit status of a coordinator that lost a server: it can go on from its checkpoint."""


def main() -> None:
    """Be the task that the arguments name."""
    # Without it a lost machine is waited for, and not noticed.
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")
    prepare_program()
    import tensorflow as tf

    kind, which, *parent = sys.argv[1:]
    if parent:
        die_with_parent(int(parent[0]))
    if kind == COORDINATOR:
        _coordinate(Path(which))
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
    tf.distribute.Server(cluster, kind, int(which), protocol="grpc").join()


def _coordinate(folder: Path) -> NoReturn:
    import tensorflow as tf

    from reelflow.model.parameter_servers.coordinator import Training
    from reelflow.model.parameter_servers.files import Work

    status = 0
    try:
        Training(Work(folder)).run()
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        print(f"a server is lost: {error}", file=sys.stderr)
        status = LOST
    sys.stderr.flush()
    # Threads of TensorFlow's coordinator would go on looking for workers.
    os._exit(status)


if __name__ == "__main__":
    main()

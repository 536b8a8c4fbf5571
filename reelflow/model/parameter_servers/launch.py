"""Starting, watching and ending the processes of a training by parameter servers."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

from reelflow.base.common import send_notice
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.parameter_servers.__main__ import COORDINATOR, LOST
from reelflow.model.parameter_servers.files import Work, towers
from reelflow.model.tasks import JointModel

TF_CONFIG: Final = "TF_CONFIG"
"""Variable by which TensorFlow knows a cluster."""
PROGRAM: Final = (sys.executable, "-m", "reelflow.model.parameter_servers")
LOG_CHARACTERS: Final = 4000
"""End of a coordinator's log that goes into the run's."""
POLL_SECONDS: Final = 0.3
STARTING_SECONDS: Final = 300.0
"""Time that workers and servers have to listen."""
ENDING_SECONDS: Final = 10.0
"""Time that a process has to end before it is killed."""


def train_towers(
    joint: JointModel,
    data: EncodedData,
    model: ModelConfig,
    train: TrainConfig,
    epochs: int,
    folder: Path,
) -> dict[str, list[float]]:
    """Train the towers on several machines, and give the model their best weights.

    Args:
        joint: a model whose towers have the weights to begin with.
        data: encoded ratings.
        model: the section `model`.
        train: the section `train`.
        epochs: passes over the train split, at most.
        folder: for files that all machines see; does not exist, and is removed in the end.

    Returns:
        Loss to its value in each epoch; `val_` is of validation.

    Raises:
        BadInput: TF_CONFIG is no cluster of workers and servers.
        ReelflowError: a process failed, or servers were lost more than `train.restarts` times.
    """
    work = Work(folder)
    work.prepare(joint, data, model, train, epochs)
    given = os.environ.get(TF_CONFIG)
    left = train.restarts
    while True:
        with Cluster(work, train, None if given is None else checked(given)) as cluster:
            status = cluster.coordinate()
        if status == 0:
            break
        last = work.log(COORDINATOR).read_text(errors="replace")[-LOG_CHARACTERS:]
        logging.warning("The coordinator ended with status %s:\n%s", status, last)
        if status != LOST:
            raise ReelflowError(
                f"The coordinator of train.distribution ended with status {status}.",
                "The run's log has its last lines.",
            )
        if not left:
            raise ReelflowError(
                f"Parameter servers were lost {train.restarts + 1} times.",
                "Look into the machines' logs, or raise train.restarts.",
            )
        left -= 1
        send_notice("a parameter server was lost: training goes on from its checkpoint")
    towers(joint).read(str(work.best)).assert_existing_objects_matched()
    losses = work.read_losses()
    shutil.rmtree(folder)
    return losses


def checked(text: str) -> dict[str, list[str]]:
    """Return the cluster of a TF_CONFIG.

    Raises:
        BadInput: it is no JSON, or has no workers or no servers.
    """
    try:
        cluster: dict[str, list[str]] = json.loads(text)["cluster"]
        if cluster["worker"] and cluster["ps"]:
            return cluster
    except (ValueError, KeyError, TypeError):
        pass
    raise BadInput(
        f"{TF_CONFIG} is no cluster of workers and parameter servers.",
        'For example {"cluster": {"worker": ["host:2222"], "ps": ["host:2223"]}}; without the '
        "variable the processes are started on this machine.",
    )


class Cluster:
    """The processes of one attempt; on exit those that were started here are ended."""

    def __init__(
        self, work: Work, train: TrainConfig, given: Mapping[str, list[str]] | None
    ) -> None:
        """Start workers and servers, unless there are some.

        Args:
            work: for logs.
            train: how many of each.
            given: addresses of workers and servers that run elsewhere, by kind; None: start them.
        """
        self._work, self._left = work, train.restarts
        self._processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self._cluster = dict(given or {})
        if given is None:
            ports = _free_ports(train.workers + train.servers)
            addresses = [f"127.0.0.1:{port}" for port in ports]
            self._cluster = {
                "worker": addresses[: train.workers],
                "ps": addresses[train.workers :],
            }
            for kind, count in (("worker", train.workers), ("ps", train.servers)):
                for index in range(count):
                    self._processes[kind, index] = self._start(kind, str(index))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            _end(process)

    def coordinate(self) -> int:
        """Run a coordinator to its end, and start lost workers again; return its exit status."""
        deadline = time.monotonic() + STARTING_SECONDS
        for address in (*self._cluster["worker"], *self._cluster["ps"]):
            own = _wait_for(address, deadline)
        # Servers call back.
        self._cluster.setdefault(COORDINATOR, [f"{own}:{_free_ports(1)[0]}"])
        coordinator = self._start(COORDINATOR, str(self._work.folder))
        try:
            while coordinator.poll() is None:
                time.sleep(POLL_SECONDS)
                lost = [task for task, one in self._processes.items() if one.poll() is not None]
                for kind, index in lost:
                    if kind == "ps":
                        return LOST
                    if self._left:
                        self._left -= 1
                        send_notice("a worker was lost and is started again")
                        self._processes[kind, index] = self._start(kind, str(index))
                    elif len(lost) == len(self._cluster["worker"]):
                        return LOST
            # It may have noticed a loss, as one error or another, before this process did.
            lost_servers = [
                kind
                for (kind, _), one in self._processes.items()
                if kind == "ps" and one.poll() is not None
            ]
            return LOST if coordinator.returncode and lost_servers else coordinator.returncode
        finally:
            _end(coordinator)

    def _start(self, kind: str, which: str) -> subprocess.Popen[bytes]:
        machines = sum(len(hosts) for hosts in self._cluster.values())
        environment = {
            # A worker that waits for another one's answer holds a thread.
            "TF_NUM_INTEROP_THREADS": str(machines + 1),
            "TF_NUM_INTRAOP_THREADS": "1",
            **os.environ,
            TF_CONFIG: json.dumps({"cluster": self._cluster}),
        }
        name = kind if kind == COORDINATOR else f"{kind}-{which}"
        with self._work.log(name).open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, kind, which, str(os.getpid())], env=environment, stdout=log, stderr=log
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and wait for it, so that its processor time is counted."""
    process.terminate()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(address: str, deadline: float) -> str:
    """Wait until something listens at `host:port`; return the address that it sees this machine at.

    Raises:
        ReelflowError: nothing does at the deadline.
    """
    host, _, port = address.rpartition(":")
    while True:
        try:
            with socket.create_connection((host, int(port)), POLL_SECONDS * 10) as connection:
                own: str = connection.getsockname()[0]
                return own
        except OSError as error:
            if time.monotonic() > deadline:
                raise ReelflowError(
                    f"No worker or parameter server listens at {address}: {error}.",
                    f"Start it, or mend {TF_CONFIG}; logs of those started here lie beside the "
                    "Trainer's.",
                ) from None
        time.sleep(POLL_SECONDS)


def _free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

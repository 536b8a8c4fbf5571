"""`make verify-flink`: the same artifacts on a real Flink cluster, though machines are lost.

Runs ExampleGen, statistics, Transform and encoder twice on the same synthetic ratings, and then
`reelflow recommend --all` on a small model: on the
direct runner, and on a Flink cluster of three task managers of one slot each with parallelism two,
every one of them a process with a Python worker process of its own. During ExampleGen and during
Transform a task manager that is at work is killed (SIGKILL), its Python worker left to itself, and
another one started, as an operator of Flink on Kubernetes would. Then every output is compared.

Ends with an error unless both runs complete, every kill was noticed by Flink and recovered from,
and the artifacts are the same. `.verify/flink/result.json` has the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.beam_args import WORKER
from reelflow.base.environment import prepare
from tests.flink.cluster import FLINK, JOB_SERVER_BEAM, Cluster, install

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".verify" / "flink"
SETTINGS = ("data.partitions=16", "data.chunk_bytes=1048576")
PARALLELISM = 2
LISTS = 50_000
"""Users of the lists, most of them unknown to the small model."""


@dataclass
class Run:
    """What a run of `tests.flink.prepare` left."""

    output: Path
    seconds: dict[str, float] = field(default_factory=dict)
    killed: list[dict[str, Any]] = field(default_factory=list)


def run(data: Path, output: Path, overrides: list[str], started: Callable[[str], None]) -> Run:
    """Run the nodes in a process of their own.

    Args:
        data: folder of ratings.
        output: the output folder.
        overrides: of the configuration.
        started: called with each node's name when it begins.

    Raises:
        SystemExit: a node failed.
    """
    result, log = Run(output), output.with_suffix(".log")
    command = [sys.executable, "-m", "tests.flink.prepare", str(data), str(output)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, *SETTINGS, *overrides], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith(b'{"'):
                continue
            event = json.loads(line)
            if "started" in event:
                started(event["started"])
            else:
                print(f"  {event['finished']:<20} {event['seconds']:7.1f} s  {event['state']}")
                result.seconds[event["finished"]] = event["seconds"]
    if process.wait():
        raise SystemExit(f"the run failed; its log is {log}")
    return result


def make_lists(work: Path, overrides: list[str]) -> tuple[Path, Path]:
    """Write the lists of many users here and on the cluster; return the file and the folder.

    Raises:
        SystemExit: the command failed.
    """
    from tests import tiny_model

    shutil.rmtree(work, ignore_errors=True)
    model = tiny_model.export(work / "model")
    users = work / "users.txt"
    users.write_text("\n".join(map(str, range(1, LISTS + 1))))
    here, there = work / "here.parquet", work / "flink.parquet"
    common = [sys.executable, "-c", "from pipeline.cli import main; main()", "recommend"]
    common += ["--model", str(model), "--users", str(users), "--k", "5", "--explain"]
    settings = [word for override in overrides for word in ("--set", override)]
    for more in (["--to", str(here)], ["--to", str(there), *settings]):
        with (work / "log.txt").open("ab") as log:
            done = subprocess.run([*common, *more], cwd=ROOT, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise SystemExit(f"the lists failed; their log is {work / 'log.txt'}")
    return here, there


def compare_lists(here: Path, there: Path) -> tuple[int, list[str]]:
    """Return how many rows are the same, and what is not."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [pq.read_table(file) for file in sorted(there.glob("part-*"))]
    one, other = pq.read_table(here), pa.concat_tables(parts)
    ids = ["user", "rank", "movie", "reasons"]
    same = one.select(ids) == other.select(ids) and all(
        np.allclose(one[name], other[name]) for name in ("score", "predicted_rating")
    )
    problems = [] if same else [f"recommend --all: {len(one)} and {len(other)} rows differ"]
    problems += [] if len(parts) > 1 else ["recommend --all: there is only one part"]
    return len(one), problems


class Killer:
    """Kills a task manager in the middle of some nodes, and starts another."""

    def __init__(self, cluster: Cluster, output: Path, nodes: list[str]) -> None:
        self._cluster, self._output, self._nodes = cluster, output, nodes
        self._threads: list[threading.Thread] = []
        self.killed: list[dict[str, Any]] = []

    def started(self, node: str) -> None:
        """To be called when a node begins."""
        if node in self._nodes:
            self._threads.append(threading.Thread(target=self._kill, args=(node,), daemon=True))
            self._threads[-1].start()

    def _kill(self, node: str) -> None:
        known = set(self._cluster.jobs())
        while True:
            time.sleep(0.2)
            new = [job for job in self._cluster.jobs() if job not in known]
            victims = self._cluster.at_work() if new else []
            if victims and self._in_the_middle(node, new[-1]):
                self._cluster.kill(victims[0])
                print(f"  {node}: killed {victims[0]}, one of {', '.join(victims)} at work")
                self.killed.append({"node": node, "job": new[-1], "task_manager": victims[0]})
                self._cluster.add()
                return

    def _in_the_middle(self, node: str, job: str) -> bool:
        """ExampleGen: some chunks are parsed, no shard is written. Others: by tasks."""
        if node != "RatingsExampleGen":
            return 0.3 < self._cluster.done(job) < 0.8
        folder = self._output / "artifacts" / node
        spilled = next(folder.rglob("spill-*"), None)
        return spilled is not None and next(folder.rglob("*.parquet"), None) is None


def main() -> None:
    """Run both, compares, reports."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the cluster ends as well
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=2_000_000, help="how many, synthetic")
    parser.add_argument("--no-kill", action="store_true", help="lose no task manager: for timing")
    chosen = parser.parse_args()
    prepare()
    from reelflow.data.sample import write_sample
    from tests.flink.compare import compare

    print("Installing Flink and Beam's job server")
    CACHE.mkdir(parents=True, exist_ok=True)
    install(CACHE)
    work = CACHE / "run"
    # What the direct runner made comes from TFX's cache if neither data nor code have changed.
    for name in ("flink", "cluster"):
        shutil.rmtree(work / name, ignore_errors=True)
    users = max(chosen.ratings // 160, 100)
    data = write_sample(work / "data", users=users, movies=4_000, ratings=chosen.ratings)

    print(f"Direct runner: {chosen.ratings:,} ratings")
    direct = run(data, work / "direct", [], lambda _: None)

    kills = [] if chosen.no_kill else ["RatingsExampleGen", "Transform"]
    print(f"Flink {FLINK}: three task managers, parallelism two")
    cluster = Cluster(CACHE, work / "cluster", task_managers=3)
    try:
        settings = {
            "preset": "flink",
            "job_endpoint": cluster.job_endpoint,
            "parallelism": PARALLELISM,
        }
        killer = Killer(cluster, work / "flink", kills)
        overrides = [f"beam.{key}={value}" for key, value in settings.items()]
        flink = run(data, work / "flink", overrides, killer.started)
        print("Lists for all users")
        lists = make_lists(
            work / "lists", [f"beam.{key}={value}" for key, value in settings.items()]
        )
        jobs = cluster.jobs()
        for kill in killer.killed:
            kill["state"] = jobs[kill["job"]]
            kill["failures"] = cluster.failures(kill["job"])
    finally:
        cluster.stop()

    same, differences = compare(direct.output, flink.output)
    same["recommend --all"], more = compare_lists(*lists)
    differences += more
    result = {
        "ratings": chosen.ratings,
        "versions": {
            "flink": FLINK,
            "job server": JOB_SERVER_BEAM,
            "beam": version("apache-beam"),
            "python": sys.version.split()[0],
        },
        "seconds": {"direct": direct.seconds, "flink": flink.seconds},
        "jobs": list(jobs.values()),
        "killed": killer.killed,
        "same": same,
        "differences": differences,
        "workers_left": workers(),
    }
    (CACHE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    _report(result, kills)


def workers() -> list[str]:
    """Command lines of Python workers of this project that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        mine = str(Path(sys.executable).with_name(WORKER)).encode()
        if mine in words[:2] and int(path.parent.name) != os.getpid():
            found.append(b" ".join(words).decode())
    return found


def _report(result: dict[str, Any], kills: list[str]) -> None:
    """Print what was found.

    Raises:
        SystemExit: something is not as it must be.
    """
    problems = list(result["differences"])
    for output, count in result["same"].items():
        print(f"  {output:<32} {count:>6} the same")
        problems += [] if count else [f"{output}: nothing to compare"]
    for kill in result["killed"]:
        print(f"  {kill['node']}: job {kill['state']} after: {'; '.join(kill['failures'])}")
        if kill["state"] != "FINISHED" or not kill["failures"]:
            problems.append(f"{kill['node']}: the job {kill['state']}, losses seen: none")
    if len(result["killed"]) != len(kills):
        problems.append(f"only {len(result['killed'])} of {len(kills)} task managers were killed")
    problems += [f"a job ended as {state}" for state in result["jobs"] if state != "FINISHED"]
    problems += [f"a Python worker was left behind: {line}" for line in result["workers_left"]]
    if problems:
        raise SystemExit("\n".join(["NOT the same:", *problems[:40]]))
    print("The same.")


if __name__ == "__main__":
    main()

"""`make verify-distributed`: towers trained by two workers and two servers, some of them killed.

Runs the pipeline twice on the built-in sample with the same settings: on one machine, and with the
towers' tables sharded over two parameter servers on the loopback. In the middle of the second
training a worker is killed (SIGKILL), later a server. Then the figures of both models are compared,
as served, and the pushed model is asked.

Ends with an error unless both runs push, both losses were noticed, and every figure lies within the
95 % interval of one machine's. `.verify/distributed/result.json` has the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reelflow.base.environment import prepare

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".verify" / "distributed"
SETTINGS = """\
[model]
embedding_size = 64
query_bag = false
query_dropout = 0.5
rating_draws = 0
rating_embedding_size = 16
item_movies = 0

[train]
optimizer = "adagrad"
learning_rate = 0.1
epochs = 8
"""
SEVERAL = """\
distribution = "parameter_servers"
workers = 2
servers = 2
checkpoint_steps = 64
"""
NOTICES = {
    "worker": "a worker was lost and is started again",
    "ps": "a parameter server was lost: training goes on from its checkpoint",
}
MODULE = "reelflow.model.parameter_servers"
PATHS = ("unseen/top_10", "unseen/top_100", "unseen/ndcg_10", "liked/ndcg_10", "rmse")


@dataclass
class Run:
    """What a run of the pipeline left."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    cpu_seconds: float
    trainer_cpu_seconds: float
    trainer_seconds: float
    printed: str


def run(name: str, settings: str, kill: bool = False) -> Run:
    """Run the pipeline in a process of its own.

    Raises:
        SystemExit: it failed.
    """
    from reelflow.evaluation.results import METRICS_FILE, Results
    from reelflow.saved_model.files import ModelInfo

    config, output = FOLDER / f"{name}.toml", FOLDER / name
    config.write_text(settings)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "run"]
    command += ["--config", str(config), "--output", str(output)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    killer = threading.Thread(target=_kill_some, args=(process, output), daemon=True)
    if kill:
        killer.start()
    printed, _ = process.communicate()
    if process.returncode:
        print(printed)
        raise SystemExit(f"the run failed; its log is {output / 'latest' / 'log.txt'}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    [metrics] = output.joinpath("artifacts").rglob(METRICS_FILE)
    results = Results.read(metrics.parent)
    [version] = output.joinpath("serving", "reelflow").glob("[0-9]*")
    info = ModelInfo.read(version)
    assert info.fit_cpu_seconds is not None
    assert info.fit_seconds is not None
    return Run(
        metrics={path: results.metrics.value(path) or 0.0 for path in PATHS},
        intervals=results.intervals.model or {},
        cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        trainer_cpu_seconds=info.fit_cpu_seconds,
        trainer_seconds=info.fit_seconds,
        printed=printed,
    )


def _kill_some(run: subprocess.Popen[str], output: Path) -> None:
    """Kill a worker after the first epoch, and a server after the third one."""
    for kind, epochs in (("worker", 1), ("ps", 3)):
        while _epochs(output) < epochs:
            time.sleep(0.1)
        victim = next(pid for pid in _descendants(run.pid) if _task(pid) == kind)
        os.kill(victim, signal.SIGKILL)
        print(f"  killed process {victim}, a {kind}, after epoch {_epochs(output)}", flush=True)


def _epochs(output: Path) -> int:
    """Return how many epochs of the training at work are over."""
    for path in output.glob("artifacts/**/parameter_servers/losses.json"):
        return len(json.loads(path.read_text())["retrieval_loss"])
    return 0


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _task(pid: int) -> str | None:
    """Return the process' place in a cluster of TensorFlow, `worker` or `ps`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return None
    place = words.index(MODULE) if MODULE in words else None
    return None if place is None else words[place + 1]


def main() -> None:
    """Run both, compare, report."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    prepare()
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    print("One machine")
    one = run("one", SETTINGS)
    print("Two workers and two servers")
    several = run("several", SETTINGS + SEVERAL, kill=True)

    problems = [f"not noticed: {line}" for line in NOTICES.values() if line not in several.printed]
    print(f"\n{'':<16}{'one':>9}{'several':>9}   95 % interval of one")
    for path in PATHS:
        low, high = one.intervals[path]
        value = several.metrics[path]
        print(f"{path:<16}{one.metrics[path]:9.4f}{value:9.4f}   {low:.4f} to {high:.4f}")
        if not low <= value <= high:
            problems.append(f"{path} = {value:.4f} is outside of {low:.4f} to {high:.4f}")
    for label in ("cpu_seconds", "trainer_cpu_seconds", "trainer_seconds"):
        print(f"{label.replace('_', ' '):<20}{vars(one)[label]:5.0f}{vars(several)[label]:9.0f}")
    result = {"one": vars(one), "several": vars(several), "problems": problems}
    FOLDER.joinpath("result.json").write_text(json.dumps(result, indent=2))
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"Verified in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()

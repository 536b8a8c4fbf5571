"""`make verify-distributed`: towers trained by two workers and two servers, some of them killed.

Trains the same settings twice on the built-in sample: on one machine, and with the towers' tables
sharded over two parameter servers on the loopback. In the middle of the second training a worker is
killed (SIGKILL), later a server. Both models are then asked for the test ratings, as served.

Ends with an error unless both losses were noticed and every figure lies within the 95 % interval
of one machine's. `.verify/distributed/result.json` has the figures, `log.txt` beside it what
TensorFlow had to say.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from reelflow.base.environment import prepare_program

FOLDER = Path(__file__).parents[2] / ".verify" / "distributed"
LOG = FOLDER / "log.txt"
ONE = {
    "model.query_bag": "false",
    "model.embedding_size": "64",
    "model.query_dropout": "0.5",
    "model.item_movies": "0",
    "model.rating_embedding_size": "16",
    "model.rating_draws": "0",
    "train.optimizer": "adagrad",
    "train.learning_rate": "0.6",
    "train.rating_learning_rate": "0.1",
    "train.epochs": "10",
    "train.refit": "false",
}
SEVERAL = {
    "train.distribution": "parameter_servers",
    "train.workers": "2",
    "train.servers": "2",
    "train.checkpoint_steps": "32",
}
KILLS = {"worker": 1, "ps": 3}
"""Kind of process to the epochs after which one is killed."""
NOTICES = (
    "a worker was lost and is started again",
    "a parameter server was lost: training goes on from its checkpoint",
)
PATHS = ("unseen/top_10", "unseen/top_100", "unseen/ndcg_10", "liked/ndcg_10", "rmse")


def kill_some(runs: Path, kills: Mapping[str, int], out: TextIO) -> None:
    """Kill processes of a training, each in the middle of an epoch.

    Args:
        runs: folder of TensorBoard's logs, or of several trainings' logs.
        kills: kind of process to the epochs after which one is killed, in order.
        out: gets a line for each.
    """
    for kind, epochs in kills.items():
        while _epochs(runs) < epochs:
            time.sleep(0.1)
        victim = next(pid for pid in _descendants(os.getpid()) if _kind(pid) == kind)
        os.kill(victim, signal.SIGKILL)
        line = f"  killed process {victim}, a {kind}, after epoch {_epochs(runs)}"
        print(line, file=out, flush=True)


def _epochs(runs: Path) -> int:
    """Return how many epochs of the training at work are over."""
    places = "parameter_servers/losses.json", "*/parameter_servers/losses.json"
    for path in (found for place in places for found in runs.glob(place)):
        return len(json.loads(path.read_text())["retrieval_loss"])
    return 0


def _descendants(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = thread.joinpath("children").read_text().split()
        except OSError:  # it has ended
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _kind(pid: int) -> str | None:
    """Return the process' task in a cluster of TensorFlow: `worker`, `ps` or `chief`."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    module = "reelflow.model.parameter_servers"
    return words[words.index(module) + 1] if module in words else None


def main() -> None:
    """Train both, compare, report."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    prepare_program()
    from pipeline import fixed_costs
    from pipeline.runs.process import captured
    from reelflow.base.common import notices_to
    from reelflow.config.layout import Layout
    from reelflow.data.inputs import effective_config

    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    layout = Layout.of(FOLDER)
    configs = {
        name: effective_config(layout, None, None, None, [f"{k}={v}" for k, v in keys.items()])
        for name, keys in {"one": ONE, "several": ONE | SEVERAL}.items()
    }
    groups = {name: {name: config} for name, config in configs.items()}
    # Nothing but the Trainer's folder, as other steps remove their working files meanwhile.
    runs = FOLDER / "artifacts" / "Trainer" / "model_run"
    notices: list[str] = []
    with captured(LOG) as out, notices_to(notices.append):
        fixed_costs.import_lightly(configs["one"].beam)
        from pipeline.runs.contest import Contest
        from pipeline.runs.launcher import NodeFinished

        contest = Contest(configs["one"], groups, [], layout, "verify-distributed")
        threading.Thread(target=kill_some, args=(runs, KILLS, out), daemon=True).start()
        for event in contest.run():
            if isinstance(event, NodeFinished):
                line = f"  {event.node:<20} {event.seconds:7.1f} s  {event.state}"
                print(line, file=out, flush=True)
    for failure in contest.failures.values():
        raise failure

    problems = [f"not noticed: {notice}" for notice in NOTICES if notice not in notices]
    one, several = contest.entries
    print(f"\n{'':<16}{'one':>9}{'several':>9}   95 % interval of one")
    for path in PATHS:
        (low, high), value = one.intervals[path], several.metrics[path]
        print(f"{path:<16}{one.metrics[path]:9.4f}{value:9.4f}   {low:.4f} to {high:.4f}")
        if not low <= value <= high:
            problems.append(f"{path} = {value:.4f} is outside of {low:.4f} to {high:.4f}")
    cpu = contest.cpu_seconds
    print(f"{'CPU seconds':<16}{cpu['one']:9.0f}{cpu['several']:9.0f}   of training, all processes")
    result = {
        name: {"metrics": entry.metrics, "intervals": entry.intervals, "cpu_seconds": cpu[name]}
        for name, entry in (("one", one), ("several", several))
    }
    text = json.dumps({**result, "notices": notices, "problems": problems}, indent=2)
    FOLDER.joinpath("result.json").write_text(text)
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"Verified in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()

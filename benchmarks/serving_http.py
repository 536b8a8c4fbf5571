"""`reelflow serve` under load: requests per second, latencies, and a new version in between.

The client runs on the same machine, so that it takes a share of the processors. So may others: the
server's own processor time for a request tells what it needs, whatever else goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import common
from benchmarks.http_client import Load, get, load, post

USERS = 6_000
RATINGS = 600_000
CONNECTIONS = (1, 16, 64)
RELOAD_CONNECTIONS = 16
CROWD = 64
PATHS = (
    "recommendations",
    "with reasons",
    "recommendations, three liked",
    "with reasons, three liked",
    ":predict",
)
"""Requests of known users. Who has liked three movies since gets a list that is computed; those of
the others are ready."""
LIKED = 3


def exported(
    movies: int, folder: str, seed: int, users: int = USERS, ratings: int = RATINGS
) -> common.Measured:
    """Export an untrained model of a given size; for `common.fresh`."""
    import tensorflow as tf

    from benchmarks import arrays
    from reelflow.config import ModelConfig
    from reelflow.model.export import export
    from reelflow.model.items import ItemLearner
    from reelflow.model.signatures import ServingModel
    from reelflow.model.stages import Mixture
    from reelflow.model.stars import star_scale
    from reelflow.model.tasks import JointModel
    from reelflow.saved_model.files import ModelInfo

    tf.random.set_seed(seed)
    data = arrays.encoded(users, movies, ratings)
    names = arrays.words("u", users)
    config = ModelConfig()
    joint = JointModel(data, config)
    some = tf.zeros([1], tf.int32)
    joint.query(some, joint.timelines.ends_now(some))
    joint.rating_model(some, some)
    learner = ItemLearner(data, config)
    items = learner.learn(learner.default)
    mixture = Mixture({"items": items}, {"towers": 0.5, "items": 0.5}, blend=0.2)
    info = ModelInfo(users=users, stars=star_scale(data.train.rating, config))
    export(ServingModel(joint, data, names, mixture, config), data, names, info, Path(folder))
    return {}


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """`reelflow serve` in a process of its own; gives its port and process id."""
    arguments = ["serve", "--model", str(folder), "--port", "0", "--reload-seconds", "0.5"]
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        page = next(line for line in process.stdout if line.startswith("Page"))
        try:
            yield int(page.rstrip().rstrip("/").rpartition(":")[2]), process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def requests(path: str) -> list[bytes]:
    """A request of each user, in an order of its own."""
    users = [f"u{number * 7 % USERS}" for number in range(USERS)]
    if path == ":predict":
        bodies = (f'{{"instances": [{{"user_id": "{user}"}}]}}' for user in users)
        return [post("/v1/models/reelflow:predict", body.encode()) for body in bodies]
    more = "&explain=true" if path.startswith("with reasons") else ""
    count = LIKED if path.endswith("liked") else 0
    liked = [
        "".join(f"&liked=m{(number * 31 + at * 997) % 4_000}" for at in range(count))
        for number in range(USERS)
    ]
    return [
        get(f"/api/v1/recommendations?user_id={user}{named}{more}")
        for user, named in zip(users, liked, strict=True)
    ]


def cpu_seconds(process: int) -> float:
    """Processor time that a process has used, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(
    movies: int, path: str, connections: int, found: Load, seconds: float, cpu: float
) -> common.Measured:
    """A line of the table; `cpu` are the server's seconds meanwhile."""
    ordered = sorted(found.seconds)
    at = {share: 1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99)}
    return {
        "movies": movies,
        "request": path,
        "connections": connections,
        "requests/s": len(ordered) / seconds,
        "CPU ms": 1000 * cpu / len(ordered),
        "p50 ms": at[0.5],
        "p95 ms": at[0.95],
        "p99 ms": at[0.99],
        "max ms": 1000 * ordered[-1],
        "failed": found.failed,
    }


async def reloaded(port: int, base: Path, model: Path, seconds: float) -> Load:
    """Load during which a version is pushed and the one before it removed."""
    from reelflow.registry.push import push

    asking = load(port, requests("recommendations"), RELOAD_CONNECTIONS, seconds)
    under_way = asyncio.create_task(asking)
    await asyncio.sleep(seconds / 10)
    await asyncio.to_thread(push, model, base, keep=1)
    return await under_way


def heavy(movies: int) -> list[bytes]:
    """Requests that are as much work as one may be: 500 movies, each explained by 500."""
    bodies = [
        {"liked": [f"m{(start + at) % movies}" for at in range(500)], "k": 500, "explain": True}
        for start in range(0, 640, 10)
    ]
    return [post("/api/v1/recommendations", json.dumps(body).encode()) for body in bodies]


async def beside_heavy(port: int, movies: int, seconds: float) -> tuple[Load, Load]:
    """One connection that asks for small lists, beside 64 that ask for the largest."""
    crowd = asyncio.create_task(load(port, heavy(movies), CROWD, seconds))
    await asyncio.sleep(seconds / 10)
    light = await load(port, requests("recommendations"), 1, 0.8 * seconds)
    return light, await crowd


def resident(process: int) -> float:
    """Memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure and report."""
    chosen = common.options(__doc__)
    seconds = 2.0 if chosen.short else 6.0
    rows = []
    for movies in (4_000, 60_000):
        with tempfile.TemporaryDirectory() as scratch:
            models = [Path(scratch, "models", name) for name in ("first", "second")]
            for seed, model in enumerate(models):
                common.fresh("serving_http:exported", movies=movies, folder=str(model), seed=seed)
            base = Path(scratch, "serving")
            base.mkdir()
            models[0].rename(base / "1")
            with server(base) as (port, process):
                for path in PATHS:
                    for connections in CONNECTIONS:
                        before = cpu_seconds(process)
                        found = asyncio.run(load(port, requests(path), connections, seconds))
                        cpu = cpu_seconds(process) - before
                        rows.append(row(movies, path, connections, found, seconds, cpu))
                before, small = cpu_seconds(process), resident(process)
                light, crowd = asyncio.run(beside_heavy(port, movies, 2 * seconds))
                cpu = cpu_seconds(process) - before
                label = (
                    f"beside {CROWD} heavy: {len(crowd.seconds)} answered, {crowd.failed} refused, "
                    f"{small:,.0f} to {resident(process):,.0f} MB"
                )
                rows.append(row(movies, label, 1, light, 1.6 * seconds, cpu))
                before, longer = cpu_seconds(process), 3 * seconds + 10
                found = asyncio.run(reloaded(port, base, models[1], longer))
                cpu = cpu_seconds(process) - before
                label = f"reload, {len(found.bodies)} versions"
                rows.append(row(movies, label, RELOAD_CONNECTIONS, found, longer, cpu))
    common.report("serving_http", "reelflow serve on one machine", rows, short=chosen.short)


if __name__ == "__main__":
    main()

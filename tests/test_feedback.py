"""The loop: events over a socket change lists, survive kill -9, and are trained on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pyarrow.parquet as pq
import pytest

from reelflow.config.layout import Layout
from reelflow.data.sample import write_sample
from reelflow.registry.push import push
from reelflow.saved_model.client import ServedModel
from tests.command import reelflow
from tests.test_retraining import CONFIG

pytestmark = pytest.mark.slow

MOVIES = ("1", "2", "3", "4", "7", "8", "10", "11")
"""Movies of the tiny model that is served, which the sample has too."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`reelflow serve` in a process of its own, killed by -9 at the end."""
    where = ["--output", str(folder / "served"), "--port", "0", "--events", str(folder / "ratings")]
    main = "from pipeline.cli import main; main()"
    command = [sys.executable, "-c", main, "serve", *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield (
                next(line.split()[1] for line in process.stdout if line.startswith("Page")),
                process,
            )
        finally:
            process.send_signal(signal.SIGKILL)


def ask(page: str, path: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{page}api/v1/{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def listed(page: str, user: str) -> set[str]:
    answer = ask(page, "recommendations", {"user_id": user, "k": 12})
    return {item["movie_id"] for item in answer["items"]}


def post_until_killed(page: str, user: str, acknowledged: set[tuple[str, str]]) -> None:
    for stars, movie in enumerate(MOVIES):
        event = {"user_id": user, "movie_id": movie, "kind": "rating", "rating": stars % 5 + 1}
        try:
            assert ask(page, "events", event)["accepted"] == 1
        except (URLError, OSError):
            return
        acknowledged.add((user, movie))


def test_the_next_run_trains_on_every_acknowledged_event(exported: Path, tmp_path: Path) -> None:
    push(exported, Layout.of(tmp_path / "served").serving, keep=1, now=7)
    sample = write_sample(tmp_path / "sample", users=120, movies=200, ratings=5_000)
    base = tmp_path / "ratings" / "span-1"
    base.mkdir(parents=True)
    (sample / "movies.csv").rename(tmp_path / "ratings" / "movies.csv")
    (sample / "ratings.csv").rename(base / "ratings.csv")

    acknowledged = {("new", "12")}
    with served(tmp_path) as (page, _):
        assert "12" in listed(page, "new")
        ask(page, "events", {"user_id": "new", "movie_id": "12", "kind": "like"})
        assert "12" not in listed(page, "new")
        posting = [
            threading.Thread(target=post_until_killed, args=(page, f"n{n}", acknowledged))
            for n in range(6)
        ]
        for thread in posting:
            thread.start()
        while len(acknowledged) < 20:
            posting[0].join(0.01)
    for thread in posting:
        thread.join()
    with served(tmp_path) as (page, process):
        assert "12" not in listed(page, "new")
        for user, movie in acknowledged:
            assert movie not in listed(page, user)
        ask(page, "events", {"user_id": "late", "movie_id": "3", "kind": "dislike"})
        acknowledged.add(("late", "3"))
        assert process.poll() is None

    (tmp_path / "quick.toml").write_text(CONFIG)
    out, config = tmp_path / "out", tmp_path / "quick.toml"
    data = ["--data", tmp_path / "ratings", "--span", "latest"]
    done = reelflow("run", *data, "--config", config, "--output", out)
    assert done.code == 0, done.output
    summary = json.loads((out / "latest" / "summary.json").read_text())
    assert summary["data"]["spans"] == ["1", "2"]
    assert summary["data"]["quarantined"] == {}
    read = {
        (user[0], movie[0])
        for file in (out / "artifacts" / "RatingsExampleGen").rglob("Split-*/ratings-*.parquet")
        for user, movie in zip(
            *pq.read_table(file, columns=["user_id", "movie_id"]).to_pydict().values(), strict=True
        )
    }
    assert acknowledged <= read
    model = ServedModel.load(Path(summary["pushed"]))
    for user in {user for user, _ in acknowledged}:
        known = model.signatures.ask("timeline", {"user_id": [user], "k": 12})["movie_id"][0]
        assert {movie for who, movie in acknowledged if who == user} <= set(known)

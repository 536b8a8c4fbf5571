"""Spans arrive and the clock strikes; whatever comes of a turn, the champion serves on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from pipeline.schedule import turn
from reelflow.data.sample import write_sample
from tests.command import Ended, reelflow, reelflow_process

pytestmark = pytest.mark.slow

HEADER = "userId,movieId,rating,timestamp"
CONFIG = """
[data]
partitions = 2
[split]
kind = "random"
[model]
embedding_size = 16
rating_embedding_size = 8
[train]
seeds = 1
epochs = 3
refit = false
learning_rate = 0.01
warm_start = true
[gate]
baselines = []
top_100_accuracy_margin = 0.2
rmse_margin = 0.5
rmse_biases_margin = 1.0
"""


@dataclass(frozen=True)
class Taken:
    """A turn, and what it left."""

    code: int
    turn: dict[str, Any]
    summary: dict[str, Any]
    serving: dict[str, bytes]


class World:
    """A folder of spans, and a schedule over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sample = write_sample(folder / "whole", users=120, movies=200, ratings=5_000)
        (folder / "ratings").mkdir()
        (folder / "ratings" / "movies.csv").write_bytes((sample / "movies.csv").read_bytes())
        rows = (sample / "ratings.csv").read_text().splitlines()[1:]
        self.rows = sorted(rows, key=lambda row: int(row.split(",")[3]))
        (folder / "quick.toml").write_text(CONFIG)

    def arrive(self, day: str, rows: list[str]) -> None:
        span = self.folder / "ratings" / f"_{day}"
        span.mkdir()
        (span / "ratings.csv").write_text("\n".join([HEADER, *rows]) + "\n")
        span.rename(span.with_name(day))

    def turn(self, *options: str, command: Callable[..., Ended] = reelflow) -> Taken:
        output = ["--output", self.folder / "out"]
        data = ["--data", self.folder / "ratings", "--span", "latest"]
        config = ["--config", self.folder / "quick.toml"]
        done = command("schedule", "run", *data, *output, *config, *options)
        shown = reelflow("schedule", "status", "--json", *output)
        assert shown.code in (0, 1), shown.stderr  # 1: the turn asks for attention
        serving = self.folder / "out" / "serving"
        return Taken(
            done.code,
            json.loads(shown.stdout)["turns"][0],
            json.loads((self.folder / "out" / "latest" / "summary.json").read_text()),
            {str(p): p.read_bytes() for p in sorted(serving.rglob("*")) if p.is_file()},
        )


def _run_here(arguments: Sequence[str], stdout: IO[bytes], **_: object) -> SimpleNamespace:
    """Run the turn's command in this process, as `subprocess.Popen` does in another."""
    assert tuple(arguments[: len(turn.REELFLOW)]) == turn.REELFLOW
    ended = reelflow(*arguments[len(turn.REELFLOW) :])
    stdout.write(ended.output.encode())
    return SimpleNamespace(wait=lambda _limit: ended.code)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    names = ("STDOUT", "DEVNULL", "TimeoutExpired")
    here = SimpleNamespace(Popen=_run_here, **{name: getattr(subprocess, name) for name in names})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn, "subprocess", here)
        yield World(tmp_path_factory.mktemp("retraining"))


@pytest.fixture(scope="module")
def first(world: World) -> Taken:
    world.arrive("2026-11-20", world.rows[:4_000])
    return world.turn(command=reelflow_process)


@pytest.fixture(scope="module")
def second(world: World, first: Taken) -> Taken:
    world.arrive("2026-11-21", world.rows[4_000:])
    return world.turn()


def test_the_first_span_starts_cold_and_is_pushed(first: Taken) -> None:
    assert first.code == 0, Path(first.turn["log"]).read_text()
    assert first.turn["state"] == "pushed"
    assert first.turn["span"] == first.summary["data"]["span"] == "2026-11-20"
    assert first.turn["run_id"] == first.summary["run_id"]
    assert first.summary["warm_start"] == {"warm": False, "reason": "there is no champion"}
    assert first.summary["drift"]["previous"] is None


def test_the_second_one_begins_with_the_champion(first: Taken, second: Taken) -> None:
    assert second.code == 0, Path(second.turn["log"]).read_text()
    assert second.summary["data"]["spans"] == ["2026-11-20", "2026-11-21"]
    assert second.summary["data"]["rows"] > first.summary["data"]["rows"]
    start = second.summary["warm_start"]
    assert start["warm"] is True
    assert start["cold_tasks"] == {}
    assert start["users"]["kept"] > 0
    assert second.summary["champion"] is not None
    assert second.summary["drift"]["previous"] == "2026-11-20"
    assert {c["column"] for c in second.summary["drift"]["changes"]} >= {"movie_id", "rating"}
    report = Path(second.summary["pushed"]).parents[2] / "latest" / "report.html"
    assert '<section id="drift"' in report.read_text()
    assert "Warm start: " in report.read_text()


def test_nothing_new_trains_nothing(world: World, second: Taken) -> None:
    again = world.turn()
    assert (again.code, again.turn["state"]) == (0, "unchanged")
    assert again.summary == second.summary
    assert again.serving == second.serving


def test_a_refused_turn_leaves_the_champion_to_the_byte(world: World, second: Taken) -> None:
    refused = world.turn("--set", "gate.rmse_max=0.01")
    assert (refused.code, refused.turn["state"], refused.turn["exit_code"]) == (3, "refused", 3)
    assert refused.summary["run_id"] == refused.turn["run_id"] != second.summary["run_id"]
    # The champion was trained on these very ratings: training comes from the cache.
    assert "Trainer" in refused.summary["cached"]
    assert refused.serving == second.serving


def test_a_failed_turn_leaves_the_champion_to_the_byte(world: World, second: Taken) -> None:
    world.arrive("2026-11-22", [f"{user},1,99,5" for user in range(9_000)])
    failed = world.turn()
    assert (failed.code, failed.turn["state"], failed.turn["exit_code"]) == (2, "failed", 2)
    assert "rating_range" in failed.summary["error"]
    assert "rating_range" in Path(failed.turn["log"]).read_text()
    assert failed.serving == second.serving

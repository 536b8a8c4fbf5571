"""Ratings on any scale, or without any, from files to a pushed model with the default gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import reelflow

pytestmark = pytest.mark.slow

QUICK = {
    "data.partitions": 2,
    "model.embedding_size": 16,
    "model.rating_embedding_size": 8,
    "train.seeds": 1,
    "train.epochs": 12,
    "train.learning_rate": 0.01,
    "train.rating_learning_rate": 0.01,
}
"""Smaller and quicker than by default; data, split and gate are the default ones."""
GROUPS = 4
"""Groups of users, each with movies of its own that it turns to."""


@dataclass(frozen=True)
class World:
    """One kind of ratings."""

    movies: int
    stars: Callable[[float], float] | None
    """From how much a movie is liked, 0 to 1, to the file's value; None: there is no column."""
    times: bool = True


WORLDS = {
    "0 to 10": World(240, lambda liked: round(10 * liked)),
    "-10 to 10": World(240, lambda liked: round(20 * liked) - 10, times=False),
    "ones": World(240, lambda liked: 1),
    "no column": World(240, None),
    "60 movies": World(60, lambda liked: 1 + round(4 * liked)),
}


def _write(world: World, folder: Path) -> Path:
    """Write ratings of 240 users: mostly of their group's movies, good ones liked by all of it."""
    random = np.random.default_rng(3)
    own = world.movies // GROUPS
    good = random.random(world.movies)
    columns = ["user_id", "movie_id"] + ["rating"] * (world.stars is not None)
    lines = [",".join(columns + ["timestamp"] * world.times)]
    for user in range(240):
        group = np.arange(own) * GROUPS + user % GROUPS
        count = min(30, own - 4)
        movies = random.permutation(group)[:count].tolist()
        others = np.setdiff1d(np.arange(world.movies), group)
        movies += random.choice(others, 4, replace=False).tolist()
        for at, movie in enumerate(random.permutation(movies).tolist()):
            row = [f"u{user}", f"m{movie}"]
            if world.stars is not None:
                liked = 0.7 * good[movie] + 0.3 * random.random()
                row.append(str(world.stars(liked)))
            # All users are there from the first day to the last.
            row += [str(1_500_000_000 + 86_400 * at + user)] * world.times
            lines.append(",".join(row))
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module", params=WORLDS)
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str, dict[str, Any]]:
    """Name of the world, what the command said, and its summary."""
    folder = tmp_path_factory.mktemp("any")
    data = _write(WORLDS[request.param], folder / "data")
    sets = [word for key, value in QUICK.items() for word in ("--set", f"{key}={value}")]
    ended = reelflow("run", "--data", data, "--output", folder / "out", *sets)
    assert ended.code == 0, ended.output
    summary = json.loads((folder / "out" / "latest" / "summary.json").read_text())
    return request.param, ended.output, summary


def test_the_model_is_pushed(run: tuple[str, str, dict[str, Any]]) -> None:
    name, said, summary = run
    assert summary["gate"]["blessed"], said
    assert Path(summary["pushed"]).is_dir()
    not_gated = " ".join(summary["gate"]["not_gated"])
    # A cutoff that is not smaller than the catalogue bounds nothing.
    assert ("the catalogue has 60 movies" in not_gated) == (WORLDS[name].movies == 60)
    assert ("RMSE is not gated" in not_gated) == (name in ("ones", "no column"))
    accuracy = summary["metrics"]["unseen"]["top_10"]
    assert accuracy > 2 * summary["baselines"]["popularity"]["unseen"]["top_10"]

"""People's own files, as they are, to a pushed model by the options that inspection suggests."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.command import reelflow

GROUPS = 4
"""Groups of users, each with movies of its own that it turns to."""
USERS, MOVIES = 240, 240
QUICK: Final = {
    "data.partitions": 2,
    "model.embedding_size": 16,
    "model.rating_embedding_size": 8,
    "train.seeds": 1,
    "train.epochs": 12,
    "train.learning_rate": 0.01,
    "train.rating_learning_rate": 0.01,
}
"""Smaller and quicker than by default; data, split and gate are as inspection suggests."""


class Row(NamedTuple):
    """One rating."""

    user: int
    movie: int
    liked: float
    """How much, 0 to 1."""
    time: int


def _rows() -> list[Row]:
    """Return ratings of 240 users: mostly of their group's movies, good ones liked by all of it."""
    random = np.random.default_rng(3)
    own = MOVIES // GROUPS
    good = random.random(MOVIES)
    rows = []
    for user in range(1, USERS + 1):
        group = np.arange(own) * GROUPS + user % GROUPS
        movies = random.permutation(group)[:30].tolist()
        others = np.setdiff1d(np.arange(MOVIES), group)
        movies += random.choice(others, 4, replace=False).tolist()
        for at, movie in enumerate(random.permutation(movies).tolist()):
            liked = 0.7 * good[movie] + 0.3 * random.random()
            # All users are there from the first day to the last.
            rows.append(Row(user, movie + 1, liked, 1_500_000_000 + 86_400 * at + user))
    return rows


def _ten(rows: list[Row], folder: Path) -> None:
    """MovieTweetings' files: 0 to 10, double colons, UTF-8."""
    lines = (f"{r.user}::{r.movie:07d}::{round(10 * r.liked)}::{r.time}\n" for r in rows)
    (folder / "ratings.dat").write_text("".join(lines))
    movies = (f"{m:07d}::Amélie {m} (2001)::Drama|War\n" for m in range(1, MOVIES + 1))
    (folder / "movies.dat").write_text("".join(movies), encoding="utf-8")


def _comma(rows: list[Row], folder: Path) -> None:
    """A German spreadsheet's files: semicolons, decimal commas, Latin-1, Windows line ends."""
    lines = [
        f"{r.user};{r.movie};{f'{0.5 * round(2 + 8 * r.liked):.1f}'.replace('.', ',')};{r.time}"
        for r in rows
    ]
    text = "\r\n".join(["user_id;movie_id;rating;timestamp", *lines, ""])
    (folder / "ratings.csv").write_bytes(text.encode())
    titles = [f"{movie};Für Élise {movie};1999" for movie in range(1, MOVIES + 1)]
    table = "\r\n".join(["movie_id;title;year", *titles, ""])
    (folder / "movies.csv").write_bytes(table.encode("latin-1"))


def _iso(rows: list[Row], folder: Path) -> None:
    """Times as ISO 8601."""
    lines = ["user_id,item_id,rating,timestamp"]
    for r in rows:
        time = datetime.fromtimestamp(r.time, timezone.utc).isoformat().replace("+00:00", "Z")
        lines.append(f"{r.user},{r.movie},{1 + round(4 * r.liked)},{time}")
    (folder / "ratings.csv").write_text("\n".join(lines))


def _headerless(rows: list[Row], folder: Path) -> None:
    """No header."""
    lines = (f"{r.user},{r.movie},{1 + round(4 * r.liked)},{r.time}\n" for r in rows)
    (folder / "ratings.csv").write_text("".join(lines))


def _parquet(rows: list[Row], folder: Path) -> None:
    """Parquet, with whole numbers as ids and a column of times."""
    table = pa.table(
        {
            "userId": pa.array([r.user for r in rows], pa.int64()),
            "productId": pa.array([f"p{r.movie}" for r in rows]),
            "score": pa.array([1.0 + round(4 * r.liked) for r in rows], pa.float32()),
            "timestamp": pa.array([r.time for r in rows], pa.timestamp("s")),
        }
    )
    pq.write_table(table, folder / "ratings.parquet")


def _prize(rows: list[Row], folder: Path) -> None:
    """The Netflix Prize's text files, one for each movie."""
    for movie in range(1, MOVIES + 1):
        lines = [f"{movie}:"]
        for r in rows:
            if r.movie == movie:
                day = datetime.fromtimestamp(r.time, timezone.utc).date().isoformat()
                lines.append(f"{r.user},{1 + round(4 * r.liked)},{day}")
        (folder / f"mv_{movie:07d}.txt").write_text("\n".join(lines) + "\n")
    titles = (
        f"{movie},{'NULL' if movie % 9 == 0 else 1999},Movie, {movie}\n"
        for movie in range(1, MOVIES + 1)
    )
    (folder / "movie_titles.txt").write_text("".join(titles), encoding="latin-1")


KINDS: Final[dict[str, Callable[[list[Row], Path], None]]] = {
    "0 to 10": _ten,
    "decimal comma": _comma,
    "ISO times": _iso,
    "no header": _headerless,
    "Parquet": _parquet,
    "Netflix Prize": _prize,
}
RANGES: Final = {
    "0 to 10": (0, 10),
    "decimal comma": (1, 5),
    "ISO times": (1, 5),
    "no header": (1, 5),
    "Parquet": (1, 5),
    "Netflix Prize": (1, 5),
}
"""Least and greatest rating that each kind may have."""


class Own(NamedTuple):
    """A folder, and what inspection made of it."""

    kind: str
    folder: Path
    found: dict[str, Any]
    """The JSON of the inspection that a run would agree with."""
    command: list[str]
    """The run that it suggests, without the program's name."""


@pytest.fixture(scope="module", params=KINDS)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """Take the settings that a refusal suggests, until inspection suggests a run."""
    folder = tmp_path_factory.mktemp("own")
    KINDS[request.param](_rows(), folder)
    settings: list[str] = []
    for _ in range(2):
        sets = [word for setting in settings for word in ("--set", setting)]
        ended = reelflow("data", "inspect", folder, "--json", *sets)
        found = json.loads(ended.stdout)
        if ended.code == 0:
            program, *command = shlex.split(found["command"])
            assert program == "reelflow"
            return Own(request.param, folder, found, command)
        assert ended.code == 2, ended.output
        settings = found["settings"]
        assert settings, ended.output
    raise AssertionError(ended.output)


def test_inspection_understands_all_of_it(own: Own) -> None:
    rows, summary = _rows(), own.found["summary"]
    assert summary["rows"]["read"] == summary["rows"]["kept"] == len(rows)
    assert summary["quarantined"] == {}
    assert summary["users"] == USERS
    assert summary["movies"] == len({row.movie for row in rows})
    assert summary["times"] is not None
    scale = summary["ratings"]
    assert RANGES[own.kind][0] <= scale["lowest"] < scale["highest"] <= RANGES[own.kind][1]
    assert summary["ratings"]["feedback"] == "stars"


@pytest.mark.slow
def test_the_run_that_is_suggested_pushes_a_model(own: Own, tmp_path: Path) -> None:
    quick = [word for key, value in QUICK.items() for word in ("--set", f"{key}={value}")]
    ended = reelflow(*own.command, "--output", tmp_path / "out", *quick)
    assert ended.code == 0, ended.output
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    assert summary["gate"]["blessed"], ended.output
    assert Path(summary["pushed"]).is_dir()
    assert summary["data"]["rows"] == own.found["summary"]["rows"]["kept"]
    accuracy = summary["metrics"]["unseen"]["top_10"]
    assert accuracy > 2 * summary["baselines"]["popularity"]["unseen"]["top_10"]

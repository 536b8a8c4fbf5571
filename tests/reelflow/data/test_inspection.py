"""A data folder is counted and its damaged rows are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config import Config
from reelflow.config.loading import load
from reelflow.data.inspection import inspect
from reelflow.data.sample import write_sample


def test_the_sample_is_counted(tmp_path: Path) -> None:
    write_sample(tmp_path, users=30, movies=60, ratings=500)
    read: list[int] = []
    found = inspect(Config(), str(tmp_path), progress=read.append)
    assert (found.read, found.kept, found.users, found.movies) == (500, 500, 30, 60)
    assert found.rated <= 60
    assert found.source.synthetic
    assert found.quarantined == {}
    assert found.preview == []
    assert sum(read) > 0


@pytest.mark.parametrize("chunk_bytes", [1024, 64 * 2**20])
def test_damaged_rows_are_counted_and_the_first_shown(tmp_path: Path, chunk_bytes: int) -> None:
    rows = [f"{user},1,{'x' if user % 4 == 0 else '4.0'},5" for user in range(1, 401)]
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(rows))
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    config = load(None, [f"data.chunk_bytes={chunk_bytes}"])
    found = inspect(config, str(tmp_path), first=2)
    assert found.quarantined == {"rating": 100}
    assert [(row.line, row.row) for row in found.preview] == [(5, b"4,1,x,5"), (9, b"8,1,x,5")]
    assert (found.read, found.kept, found.users) == (400, 300, 300)


def test_rows_outside_the_scale_of_all_are_counted(tmp_path: Path) -> None:
    rows = [f"u{i},m{i},{99 if i % 50 == 0 else 1 + i % 5},{i}" for i in range(200)]
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(rows))
    movies = "".join(f"m{i},A,Drama\n" for i in range(200))
    (tmp_path / "movies.csv").write_text(f"movieId,title,genres\n{movies}")
    found = inspect(Config(), str(tmp_path), first=2)
    assert (found.kept, found.users, found.quarantined) == (196, 196, {"rating_range": 4})
    assert [row.line for row in found.preview] == [2, 52]
    assert (found.ratings.lowest, found.ratings.highest) == (1, 5)
    # As many as these are no mistake.
    found = inspect(load(None, ["data.format=csv"]), str(tmp_path))
    assert (found.kept, found.ratings.highest) == (200, 99)


def test_events_and_rows_without_a_rating(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,item,event\n1,2,view\n1,3,view\n")
    found = inspect(Config(), str(tmp_path))
    assert (found.ratings.feedback, found.ratings.absent, found.kept) == ("events", True, 2)
    (tmp_path / "ratings.csv").write_text("user,item,rating\n1,2,-1\n1,3,4\n1,4,5\n")
    found = inspect(load(None, ["data.unrated=-1"]), str(tmp_path))
    assert (found.read, found.kept, found.unrated) == (3, 2, 1)
    assert (found.ratings.lowest, found.ratings.highest) == (4, 5)

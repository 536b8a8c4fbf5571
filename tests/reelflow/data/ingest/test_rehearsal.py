"""A rehearsal finds what a run finds, and every row of the files is accounted for."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelflow.base.columns import RATING_SPLITS
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from reelflow.data.ingest import scratch
from reelflow.data.ingest.outcome import rehearse
from reelflow.data.ingest.results import IngestSummary
from tests.reelflow.data.ingest.runs import execute

YEAR = 31_556_952


def messy(folder: Path, count: int = 4_000) -> int:
    """Two files with something of everything; returns their rows."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    lines = [
        f"u{user},m{movie},{rating},{time}"
        for user, movie, rating, time in zip(
            rng.zipf(1.4, count) % 90,
            rng.zipf(1.3, count) % 120,
            rng.integers(0, 7, count),
            rng.integers(30 * YEAR, 50 * YEAR, count),
            strict=True,
        )
    ]
    for at in range(0, count, 97):
        lines[at] = rng.choice(["u1,m1", "u1,m1,x,5", ",m1,3,5", "u1,m2,99,5", "u1,m1,3,soon"])
    lines[1::50] = lines[::50][: len(lines[1::50])]
    lines[3::200] = [",,,"] * len(lines[3::200])
    half = count // 2
    header = "user_id,movie_id,rating,timestamp\n"
    (folder / "ratings-1.csv").write_text(header + "\n".join(lines[:half]) + "\n")
    again = lines[half - 50 : half]
    (folder / "ratings-2.csv").write_text(header + "\n".join([*again, *lines[half:]]) + "\n")
    return count + 50 - (lines + again).count(",,,")


OPTIONS: list[dict[str, Any]] = [
    {},
    {"repeated": "all"},
    {"repeated": "mean", "unrated": (0, 6)},
    {"repeated": "first", "since": "2005-01-01"},
    {"min_user_ratings": 5, "min_movie_ratings": 4, "since": "2002-06-01", "unrated": 0},
    {"feedback": "counts", "min_movie_ratings": 10},
    {"feedback": "events", "repeated": "all"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["auto", "random", "last"])
def test_every_row_is_accounted_for(tmp_path: Path, options: dict[str, Any], kind: str) -> None:
    rows = messy(tmp_path / "data")
    data = DataConfig(format="csv", max_quarantined=1, rating_max=6, **options)
    split = SplitConfig(kind=kind)
    source = open_source(data, str(tmp_path / "data"), split)
    found = rehearse(source, data, split).summary
    assert found.rows.read == rows
    parts = (found.rows.kept, found.refused, found.unrated, found.repeated)
    assert sum(parts) + sum(found.filtered.values()) == rows
    assert found.rows.kept == sum(found.rows.splits.values()) > 0
    assert set(found.filtered) <= {"since", "min_user_ratings", "min_movie_ratings"}
    again = data.model_copy(update={"partitions": 3, "chunk_bytes": 5_000})
    assert rehearse(source, again, split).summary == found


@pytest.mark.parametrize("options", OPTIONS)
def test_a_run_finds_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    messy(tmp_path / "data")
    data = DataConfig(format="csv", max_quarantined=1, rating_max=6, **options)
    source = open_source(data, str(tmp_path / "data"), SplitConfig())
    rehearsed = rehearse(source, data, SplitConfig()).summary
    run = execute(tmp_path / "out", tmp_path / "data", data)
    assert IngestSummary.read(run.artifacts["quarantine"].uri) == rehearsed
    assert Counter(row.reason for row in run.quarantined) == rehearsed.quarantined
    rows = {
        name: [(row["user_id"][0], row["movie_id"][0]) for row in run.rows("examples", name)]
        for name in RATING_SPLITS
    }
    assert {name: len(pairs) for name, pairs in rows.items()} == rehearsed.rows.splits
    # No pair is on two sides.
    sides = Counter(pair for pairs in rows.values() for pair in set(pairs))
    assert set(sides.values()) == {1}
    if options.get("min_movie_ratings"):
        users = Counter(movie for _, movie in sides)
        assert min(users.values()) >= options["min_movie_ratings"]
        assert len(run.rows("catalogue", "movies")) == len(users) == rehearsed.movies


def test_movies_that_a_filter_leaves_out_leave_the_catalogue(tmp_path: Path) -> None:
    lines = [f"u{i % 10},m{i // 10},{1 + i % 5},{i}\n" for i in range(100)]
    (tmp_path / "ratings.csv").write_text(
        "user,movie,rating,timestamp\n" + "".join(lines) + "u1,few,3,1\n"
    )
    ids = [*(f"m{i}" for i in range(10)), "few", "never"]
    (tmp_path / "movies.csv").write_text("movie,title\n" + "".join(f"{i},{i}\n" for i in ids))
    for data, movies, rows in ((DataConfig(), 12, 101), (DataConfig(min_movie_ratings=2), 10, 100)):
        source = open_source(data, str(tmp_path), SplitConfig())
        found = rehearse(source, data, SplitConfig())
        assert (found.summary.movies, found.summary.rows.kept) == (movies, rows)


def test_auto_leaves_no_split_without_rows(tmp_path: Path) -> None:
    """A cut in time that leaves nothing between train and test is none."""
    rows = [f"u{user},m{day},{1 + user % 5},{day}\n" for user in range(5) for day in range(5)]
    (tmp_path / "ratings.csv").write_text("user,movie,rating,timestamp\n" + "".join(rows))
    source = open_source(DataConfig(), str(tmp_path), SplitConfig())
    found = rehearse(source, DataConfig(), SplitConfig()).summary
    assert (found.split.kind, found.split.reason) == ("last", "no_test")
    assert min(found.rows.splits.values()) > 0


def test_a_filter_by_time_needs_times(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,movie,rating\n1,1,1\n")
    data = DataConfig(since="2020-01-01")  # type: ignore[arg-type]
    source = open_source(data, str(tmp_path), SplitConfig())
    with pytest.raises(BadInput, match=r"data\.since goes by time"):
        rehearse(source, data, SplitConfig())


def test_years_that_are_none_are_missing(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,movie,rating\n1,1,1\n1,2,2\n")
    (tmp_path / "movies.csv").write_text("movie,title,year\n1,A,9999\n2,B,-700\n3,C,\n")
    source = open_source(DataConfig(), str(tmp_path), SplitConfig())
    found = rehearse(source, DataConfig(), SplitConfig())
    assert found.movies.column("year").to_pylist() == [None, -700, None]
    assert found.summary.years_dropped == 1


def test_a_full_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, data: bytes, work: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "ratings.csv").write_text("user,movie,rating\n1,1,1\n1,2,2\n")
    monkeypatch.setattr(scratch, "write_atomically", full)
    source = open_source(DataConfig(), str(tmp_path), SplitConfig())
    with pytest.raises(BadInput, match=r"No space left on device.*TMPDIR"):
        rehearse(source, DataConfig(), SplitConfig())

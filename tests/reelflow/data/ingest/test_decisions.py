"""What ingestion decides by itself, from files to report: split, scale and feedback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.base.columns import RATING_SPLITS
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from reelflow.data.ingest.results import IngestSummary
from tests.components.test_example_gen import values
from tests.reelflow.data.formats import sources
from tests.reelflow.data.ingest.runs import Run, execute
from tests.reelflow.data.ingest.test_split import users_in_a_row


def written(folder: Path, rows: list[tuple[Any, ...]], header: str) -> Path:
    """A folder with one CSV file."""
    folder.mkdir(exist_ok=True)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (folder / "ratings.csv").write_text(f"{header}\n{text}")
    return folder


def summary(run: Run) -> IngestSummary:
    return IngestSummary.read(run.artifacts["quarantine"].uri)


def rows_of(run: Run, split: str) -> list[tuple[Any, ...]]:
    """The rows of a split; None for a missing value."""
    return [tuple(cell and cell[0] for cell in row.values()) for row in run.rows("examples", split)]


@pytest.mark.parametrize(("known", "kind"), [(5, "temporal"), (4, "last")])
def test_auto_is_the_same_however_the_work_is_cut(tmp_path: Path, known: int, kind: str) -> None:
    rows = users_in_a_row(known)
    folder = written(tmp_path / "data", rows, "userId,movieId,rating,timestamp")
    whole = execute(tmp_path / "1", folder, DataConfig(partitions=1))
    (folder / "ratings.csv").unlink()
    for number, part in enumerate((rows[::-2], rows[::2])):
        written(tmp_path / f"{number}", part, "userId,movieId,rating,timestamp")
        (tmp_path / f"{number}/ratings.csv").rename(folder / f"ratings-{number}.csv")
    cut = execute(tmp_path / "2", folder, DataConfig(partitions=7, chunk_bytes=1_024))

    choice = summary(cut).split
    assert choice == summary(whole).split
    assert (choice.kind, choice.known_share, choice.required_share) == (kind, known / 10, 0.5)
    assert values(cut) == values(whole)
    asked = execute(tmp_path / "3", folder, split=SplitConfig(kind=kind))
    assert values(asked) == values(whole)
    assert (summary(asked).split.reason, summary(asked).split.known_share) == ("asked", None)


def test_auto_without_timestamps_is_random(tmp_path: Path) -> None:
    rows = [(f"u{i % 9}", f"m{i}", i % 5) for i in range(200)]
    folder = written(tmp_path / "data", rows, "user,movie,rating")
    run = execute(tmp_path / "1", folder)
    assert (summary(run).split.kind, summary(run).split.reason) == ("random", "no_times")
    asked = execute(tmp_path / "2", folder, split=SplitConfig(kind="random"))
    for name in RATING_SPLITS:
        assert rows_of(asked, name) == rows_of(run, name) != []


@pytest.mark.parametrize("scale", [range(11), range(-10, 11), range(101)])
def test_any_scale_is_read_without_configuration(tmp_path: Path, scale: range) -> None:
    rows = [(f"u{i % 9}", f"m{i}", scale[i % len(scale)], i) for i in range(202)]
    folder = written(tmp_path / "data", rows, "user,movie,rating,timestamp")
    found = summary(execute(tmp_path / "out", folder))
    assert (found.ratings.feedback, found.rows.kept, found.quarantined) == ("stars", 202, {})
    assert (found.ratings.lowest, found.ratings.highest) == (scale[0], scale[-1])


def test_a_known_format_on_another_scale_is_read(tmp_path: Path) -> None:
    folder = sources.movielens_1m(tmp_path)
    rows = "".join(f"{u % 50}::{1 + u // 50}::{u % 11}::{u}\n" for u in range(200))
    (folder / "ratings.dat").write_text(rows)
    titles = ("Café (2001)", "Żółw (2004)", "Three", "Four")
    movies = "".join(f"{at}::{title}::Drama\n" for at, title in enumerate(titles, start=1))
    (folder / "movies.dat").write_text(movies)
    run = execute(tmp_path / "out", folder)
    found = summary(run)
    assert (found.rows.kept, found.quarantined) == (200, {})
    assert (found.ratings.lowest, found.ratings.highest) == (0, 10)
    assert (found.ratings.documented, found.ratings.foreign) == ((0.5, 5), True)
    assert run.rows("catalogue", "movies")[0]["title"] == ["Café (2001)"]


def test_few_impossible_ratings_of_a_known_format_are_damaged(tmp_path: Path) -> None:
    folder = sources.movielens_1m(tmp_path)
    rows = [
        f"{u % 100}::{1 + u // 100}::{9 if u % 50 == 0 else 1 + u % 5}::{u}\n" for u in range(200)
    ]
    (folder / "ratings.dat").write_text("".join(rows))
    run = execute(tmp_path / "out", folder, DataConfig(chunk_bytes=1_024, partitions=3))
    assert summary(run).quarantined == {"rating_range": 4}
    assert [row.line for row in run.quarantined] == [1, 51, 101, 151]
    assert not summary(run).ratings.foreign
    assert (summary(run).ratings.accepted_min, summary(run).ratings.accepted_max) == (0.5, 5)
    assert (summary(run).ratings.lowest, summary(run).ratings.highest) == (1, 5)


VIEWS = [(f"u{i % 20}", f"m{i % 17}", "view", i) for i in range(340 + 60)]
"""Twenty users view all of seventeen movies; sixty views are repetitions."""


@pytest.mark.parametrize("header", ["user,item,event,when", "user,item,event,timestamp"])
@pytest.mark.parametrize("chunk_bytes", [1_024, 2**20])
def test_views_are_events_and_repeated_ones_are_not_damaged(
    tmp_path: Path, header: str, chunk_bytes: int
) -> None:
    folder = written(tmp_path / "data", VIEWS, header)
    run = execute(tmp_path / "out", folder, DataConfig(chunk_bytes=chunk_bytes))
    found = summary(run)
    assert (found.ratings.feedback, found.ratings.absent) == ("events", True)
    assert (found.rows.read, found.rows.kept, found.repeated) == (400, 340, 60)
    assert found.quarantined == {}
    kept = [row for name in RATING_SPLITS for row in rows_of(run, name)]
    assert {row[2] for row in kept} == {1.0}
    assert len({row[:2] for row in kept}) == 340
    if header.endswith("timestamp"):
        assert {row[3] for row in kept} == set(range(340))


def test_constant_ratings_are_events(tmp_path: Path) -> None:
    rows = [(user, movie, 7, time) for user, movie, _, time in VIEWS]
    folder = written(tmp_path / "data", rows, "user,item,rating,timestamp")
    found = summary(execute(tmp_path / "1", folder))
    assert (found.ratings.feedback, found.ratings.absent) == ("events", False)
    assert (found.ratings.lowest, found.ratings.highest, found.repeated) == (1, 1, 60)
    # Who says that they are stars keeps them as they are; the last one counts.
    found = summary(execute(tmp_path / "2", folder, DataConfig(feedback="stars")))
    assert (found.ratings.lowest, found.rows.kept, found.repeated) == (7, 340, 60)


def test_values_of_events_do_not_count_and_counts_add_up(tmp_path: Path) -> None:
    rows = [(user, movie, "-" if time == 3 else time, time) for user, movie, _, time in VIEWS]
    folder = written(tmp_path / "data", rows, "user,item,plays,timestamp")
    columns = {"rating": "plays"}
    events = DataConfig(feedback="events", columns=columns)
    found = summary(execute(tmp_path / "1", folder, events))
    assert (found.rows.kept, found.repeated, found.quarantined) == (340, 60, {})
    counts = DataConfig(feedback="counts", columns=columns)
    run = execute(tmp_path / "2", folder, counts)
    found = summary(run)
    # No plays at all are no event.
    assert found.quarantined == {"rating": 1, "rating_range": 1}
    assert (found.ratings.feedback, found.rows.kept, found.repeated) == ("counts", 340, 58)
    by_pair = {row[:2]: row[2:] for name in RATING_SPLITS for row in values(run)[name]}
    assert by_pair["u5", "m5"] == (5 + 345, 5)
    assert by_pair["u0", "m0"] == (340, 340)


def test_unrated_rows_are_left_out(tmp_path: Path) -> None:
    rows = [(f"u{i % 9}", f"m{i}", -1 if i % 3 == 0 else 5 + i % 5, i) for i in range(300)]
    folder = written(tmp_path / "data", rows, "user,movie,rating,timestamp")
    found = summary(execute(tmp_path / "1", folder))
    assert (found.ratings.suspect, found.ratings.lowest, found.rows.kept) == (-1, -1, 300)
    found = summary(execute(tmp_path / "2", folder, DataConfig(unrated=-1)))
    assert (found.ratings.suspect, found.ratings.lowest, found.rows.kept) == (None, 5, 200)
    assert (found.unrated, found.quarantined) == (100, {})


@pytest.mark.parametrize("name", ["plays", "viewCount", "Ratng", "user_score", "points"])
def test_ratings_by_another_name_are_not_taken_for_none(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "data", VIEWS, f"user,movie,{name},timestamp")
    with pytest.raises(BadInput, match=f'rating = "{name}".*data.feedback = "events"'):
        open_source(DataConfig(), str(folder), SplitConfig())
    assert not open_source(DataConfig(feedback="events"), str(folder), SplitConfig()).has_ratings


def test_two_files_of_which_one_has_ratings_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "data", VIEWS, "user,item,event,timestamp")
    (folder / "ratings-2.csv").write_text("user,item,rating,timestamp\n1,1,1,1\n")
    with pytest.raises(BadInput, match=r"ratings-2\.csv has ratings, ratings\.csv has none"):
        open_source(DataConfig(), str(folder), SplitConfig())

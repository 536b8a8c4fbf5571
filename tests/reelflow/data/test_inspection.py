"""The dress rehearsal tells what was understood, what is wrong, and what a run would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config import Config
from reelflow.config.loading import load
from reelflow.data.ingest.checks import DataRefused
from reelflow.data.inspection import Inspection, inspect
from reelflow.data.sample import write_sample

HEADER = "userId,movieId,rating,timestamp\n"


def write(folder: Path, rows: list[str], header: str = HEADER, name: str = "ratings.csv") -> None:
    (folder / name).write_text(header + "\n".join(rows))


def test_the_sample(tmp_path: Path) -> None:
    write_sample(tmp_path, users=30, movies=60, ratings=500)
    read: list[int] = []
    found = inspect(Config(), str(tmp_path), progress=read.append)
    summary, catalogue = found.summary, found.catalogue
    assert (summary.rows.read, summary.rows.kept, summary.users) == (500, 500, 30)
    assert summary.synthetic
    assert summary.quarantined == {}
    assert summary.times is not None
    assert (catalogue.file, catalogue.movies, len(catalogue.first)) == ("movies.csv", 60, 5)
    assert 0 < catalogue.rated <= 60
    assert sum(catalogue.frequent.values()) > 0
    assert (found.preview, found.refused, found.warnings) == ([], [], [])
    assert sum(read) > 0
    assert Inspection.model_validate_json(found.model_dump_json()) == found
    found.raise_for_refusal()


@pytest.mark.parametrize(("chunk_bytes", "end"), [(1024, ""), (64 * 2**20, ""), (1024, "\r")])
def test_damaged_rows_are_counted_and_the_first_shown(
    tmp_path: Path, chunk_bytes: int, end: str
) -> None:
    write(tmp_path, [f"{u},1,{'x' if u % 4 == 0 else '4.0'},5{end}" for u in range(1, 401)])
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    config = load(None, [f"data.chunk_bytes={chunk_bytes}"])
    found = inspect(config, str(tmp_path), first=2)
    assert found.summary.quarantined == {"rating": 100}
    assert [(row.line, row.row) for row in found.preview] == [(5, "4,1,x,5"), (9, "8,1,x,5")]
    assert (found.summary.rows.read, found.summary.rows.kept) == (400, 300)
    with pytest.raises(DataRefused, match=r"100 of 400 rows are damaged \(25.00%\)") as refusal:
        found.raise_for_refusal()
    assert [problem.kind for problem in found.refused] == [r.kind for r in refusal.value.reasons]


def test_rows_outside_the_scale_of_all_are_counted(tmp_path: Path) -> None:
    write(tmp_path, [f"u{i},m{i},{99 if i % 50 == 0 else 1 + i % 5},{i}" for i in range(200)])
    movies = "".join(f"m{i},A,Drama\n" for i in range(200))
    (tmp_path / "movies.csv").write_text(f"movieId,title,genres\n{movies}")
    found = inspect(Config(), str(tmp_path), first=2)
    scale = found.summary.ratings
    assert (found.summary.rows.kept, found.summary.quarantined) == (196, {"rating_range": 4})
    assert [row.line for row in found.preview] == [2, 52]
    assert (scale.lowest, scale.highest, scale.below) == (1, 5, None)
    assert scale.above is not None
    assert (scale.above.rows, scale.above.lowest, scale.above.highest) == (4, 99, 99)
    # As many as these are no mistake.
    found = inspect(load(None, ["data.format=csv"]), str(tmp_path))
    assert (found.summary.rows.kept, found.summary.ratings.highest) == (200, 99)


def test_what_the_configuration_refuses_is_told_at_both_ends(tmp_path: Path) -> None:
    write(tmp_path, [f"u{i % 9},m{i},{i % 11},{i}" for i in range(110)])
    settings = ["data.rating_min=1", "data.rating_max=5", "data.max_quarantined=1"]
    scale = inspect(load(None, settings), str(tmp_path)).summary.ratings
    assert scale.below is not None
    assert scale.above is not None
    assert (scale.below.rows, scale.below.lowest, scale.below.highest) == (10, 0, 0)
    assert (scale.above.rows, scale.above.lowest, scale.above.highest) == (50, 6, 10)


def test_events_and_rows_without_a_rating(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,item,event\n1,2,view\n1,3,view\n")
    found = inspect(Config(), str(tmp_path)).summary
    assert (found.ratings.feedback, found.ratings.absent, found.rows.kept) == ("events", True, 2)
    rows = "1,2,-1\n1,3,4\n1,4,5\n1,5,0\n"
    (tmp_path / "ratings.csv").write_text(f"user,item,rating\n{rows}")
    found = inspect(load(None, ["data.unrated=[-1, 0]"]), str(tmp_path)).summary
    assert (found.rows.read, found.rows.kept, found.unrated) == (4, 2, 2)
    assert (found.ratings.lowest, found.ratings.highest) == (4, 5)


def test_milliseconds_are_understood_or_refused_as_in_a_run(tmp_path: Path) -> None:
    write(tmp_path, [f"u{i % 9},m{i},{i % 5},{16 * 10**11 + i}" for i in range(90)])
    found = inspect(Config(), str(tmp_path))
    assert (found.files[0].times, found.refused) == ("ms", [])
    assert found.summary.times == (16 * 10**8, 16 * 10**8)
    found = inspect(load(None, ["data.timestamp_format=s"]), str(tmp_path))
    assert [problem.kind for problem in found.refused] == ["no_valid_row"]
    assert "timestamp_range 90" in found.refused[0].text


def test_a_copy_beside_a_file_is_refused(tmp_path: Path) -> None:
    rows = [f"u{i % 9},m{i},{i % 5},{i}" for i in range(90)]
    write(tmp_path, rows)
    write(tmp_path, rows[10:20], name="ratings_small.csv")
    found = inspect(Config(), str(tmp_path))
    assert found.refused[0].kind == "same_rows"
    assert 'data.ratings = "ratings.csv"' in found.refused[0].text
    alone = inspect(load(None, ['data.ratings="ratings.csv"']), str(tmp_path))
    assert (alone.refused, alone.summary.rows.kept) == ([], 90)
    write(tmp_path, [*rows[10:13], "new,m1,3,1", "new,m2,4,1"], name="ratings_small.csv")
    found = inspect(Config(), str(tmp_path))
    assert found.refused == []
    assert "3 rows of ratings.csv (90) are also in ratings_small.csv (5)" in found.warnings[0].text


def test_spans_are_compared(tmp_path: Path) -> None:
    for span in (1, 2):
        folder = tmp_path / f"span-{span}"
        folder.mkdir()
        write(folder, [f"u{i % 9},m{i},{1 + (i % 5) // span},{i + span}" for i in range(2_000)])
    found = inspect(Config(), f"{tmp_path}/span-{{SPAN}}")
    assert found.summary.spans == ["1", "2"]
    assert found.drift is not None
    assert (found.drift.newest, found.drift.previous) == ("2", "1")
    assert [problem.kind for problem in found.refused] == []
    assert {problem.kind for problem in found.warnings} == {"drift"}
    strict = inspect(load(None, ["data.max_drift=0.05"]), f"{tmp_path}/span-{{SPAN}}")
    assert {problem.kind for problem in strict.refused} == {"drift"}
    # The folder above them will do where a span is asked for.
    found = inspect(load(None, ["data.span=latest", "data.spans=1"]), str(tmp_path))
    assert found.summary.spans == ["2"]


def test_ids_that_are_written_otherwise(tmp_path: Path) -> None:
    write(
        tmp_path, [f"{u}.0,{m:03d},{1 + (u + m) % 5},{u + m}" for u in range(9) for m in range(9)]
    )
    (tmp_path / "movies.csv").write_text(
        "".join(f"{m},T{m},Drama\n" for m in ["movieId", *range(8)])
    )
    found = inspect(Config(), str(tmp_path))
    assert found.summary.quarantined == {"unknown_movie": 81}
    assert found.summary.ids is not None
    assert (found.summary.ids.kind, found.summary.ids.known) == ("number", 0)
    assert 'set data.ids = "number"' in found.refused[0].text
    found = inspect(load(None, ["data.ids=number", "data.max_quarantined=0.2"]), str(tmp_path))
    assert (found.summary.rows.kept, found.refused) == (72, [])

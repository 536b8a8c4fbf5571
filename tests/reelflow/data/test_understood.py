"""What was found out of ratings files is said."""

from __future__ import annotations

from pathlib import Path

from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from reelflow.data.understood import reading_sentences, used_columns


def test_files_of_one_layout_are_described_together(tmp_path: Path) -> None:
    text = "Nutzer;item;rating;Date;comment\nJosé;1;4,5;2020-01-01;x\n"
    columns = {"user_id": "Nutzer"}
    for number in range(5):
        (tmp_path / f"ratings-{number}.csv").write_bytes(text.encode("latin-1"))
    source = open_source(DataConfig(columns=columns), str(tmp_path), SplitConfig())

    assert reading_sentences(source) == [
        "ratings-0.csv, ratings-1.csv, ratings-2.csv and 2 more: text with semicolons, with a "
        "header; Latin-1; decimal commas; times as ISO 8601; not used: comment."
    ]
    assert used_columns(source.ratings_files[0]) == {
        "user_id": "Nutzer",
        "movie_id": "item",
        "rating": "rating",
        "timestamp": "Date",
    }


def test_what_is_left_aside_is_said(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("1\t2\t3\r4\t5\t6\r")
    positions = {"user_id": "2", "movie_id": "1"}
    data = DataConfig(header=False, columns=positions)
    source = open_source(data, str(tmp_path), SplitConfig())

    assert reading_sentences(source) == [
        "log.csv: text with tabs, without a header; UTF-8; lines that end with carriage returns.",
        "No other file of the folder is a table of ratings.",
    ]
    assert used_columns(source.ratings_files[0]) == {"movie_id": "1", "user_id": "2"}


def test_dates_that_cannot_be_read_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user,item,rating,date\n1,2,3,04/05/2020\n")
    source = open_source(DataConfig(), str(tmp_path), SplitConfig())

    assert not source.has_timestamps
    assert "not used: date" in reading_sentences(source)[0]

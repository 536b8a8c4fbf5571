"""What was asked for and is not there is named, and nothing stops."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from reelflow.config import DataConfig
from reelflow.data import schema
from reelflow.data.ingest.catalogue import missing_features
from tests.reelflow.data.ingest.runs import execute

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{u},{1 + (u + m) % 3},4,{u + m}\n" for u in range(30) for m in range(2)
)
MOVIES = """movieId,title,genres,Director,star
1,One (1999),Drama,Ida Lupino,A B|C D| A B
2,Two (2001),Comedy|Drama,,
3,"Three, the third (2003)",,Ida Lupino,E F
"""
ASKED = DataConfig(use_users=True, movie_features=("director", "star", "composer"))


def test_columns_become_words_and_what_is_absent_is_named(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    (tmp_path / "users.csv").write_text("userId,gender,age\n1,F,25\n2,,41\n")
    run = execute(tmp_path / "out", tmp_path, ASKED.model_copy(update={"format": "csv"}))
    movies = {row["movie_id"][0]: row["features"] for row in run.rows("catalogue", "movies")}
    assert movies == {
        "1": ["director=Ida Lupino", "star=A B", "star=C D"],
        "2": [],
        "3": ["director=Ida Lupino", "star=E F"],
    }
    absent = ["users' occupation", "users' zip_code", "movies' composer"]
    assert run.report["absent_features"] == absent
    assert all(row["features"] is None for row in run.rows("catalogue", "users"))


@pytest.mark.parametrize("movies", [True, False])
def test_data_without_any_of_it_pass(movies: bool, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    if movies:
        (tmp_path / "movies.csv").write_text(MOVIES.replace("Director,star", "a,b"))
    run = execute(tmp_path / "out", tmp_path, ASKED.model_copy(update={"format": "csv"}))
    absent = ["users' attributes", "movies' director", "movies' star", "movies' composer"]
    assert run.report["absent_features"] == absent
    assert run.rows("catalogue", "users")[0]["gender"] is None
    assert not any(row["features"] for row in run.rows("catalogue", "movies"))


def test_who_asks_for_nothing_lacks_nothing() -> None:
    assert missing_features(DataConfig(), schema.MOVIES.empty_table(), None) == []
    assert missing_features(DataConfig(), pa.table({"movie_id": []}), None) == []

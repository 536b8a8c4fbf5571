"""What is wrong with a data folder is said with its remedy, never with a traceback."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from tests.reelflow.data.formats import sources

MOVIES = "movieId,title,genres\n"
RATINGS = "userId,movieId,rating,timestamp\n1,1,4.0,1\n"


def refusal(
    folder: Path, data: DataConfig | None = None, split: SplitConfig | None = None
) -> BadInput:
    """The error that opening a folder and reading its movies ends in."""
    with pytest.raises(BadInput) as caught:
        open_source(data or DataConfig(), str(folder), split or SplitConfig()).read_movies()
    assert caught.value.remedy
    return caught.value


def test_missing_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere").message


def test_file_instead_of_folder(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    assert "is a file" in refusal(tmp_path / "ratings.csv").message


def test_nothing_recognised(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "ml-100k").mkdir()
    error = refusal(tmp_path)

    assert "found notes.md" in error.message
    assert "The files of MovieLens" in error.remedy
    assert "ml-100k" in error.remedy


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("")
    (tmp_path / "movies.csv").write_text(MOVIES)
    assert "ratings.csv is empty" in refusal(tmp_path).message


def test_wrong_header_names_missing_found_and_nearest(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("who,film_id,ratng\n1,2,3\n")
    error = refusal(tmp_path)

    assert "ratings.csv" in error.message
    assert "no column for user_id, rating" in error.message
    assert "who, film_id, ratng" in error.message
    assert 'rating = "ratng"' in error.remedy
    assert "[data.columns]" in error.remedy


def test_mapping_to_a_column_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    error = refusal(tmp_path, DataConfig(columns={"user_id": "userIds"}))

    assert "user_id (mapped to userIds)" in error.message
    assert 'user_id = "userId"' in error.remedy


def test_mapping_of_an_unknown_column(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    assert "movie_id" in refusal(tmp_path, DataConfig(columns={"movieid": "x"})).remedy


def test_movies_of_which_none_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text(MOVIES + "7,x\n,x,Drama\n")
    error = refusal(tmp_path)

    assert "none of the 2 rows can be used: columns 1, empty_id 1" in error.message
    assert "line 2 (columns) '7,x'; line 3 (empty_id) ',x,Drama'" in error.message


def test_named_format_without_its_files(tmp_path: Path) -> None:
    sources.movielens_1m(tmp_path)
    assert "u.data" in refusal(tmp_path, DataConfig(format="movielens-100k")).message


def test_movies_file_missing(tmp_path: Path) -> None:
    sources.movielens_1m(tmp_path)
    (tmp_path / "movies.dat").unlink()
    assert "movies.dat" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04....", "zip archive"),
        (gzip.compress(RATINGS.encode(), mtime=0)[:-12], "stream is damaged"),
        (RATINGS.encode("utf-16"), "UTF-16"),
    ],
)
def test_unreadable_ratings(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "ratings.csv").write_bytes(content)
    (tmp_path / "movies.csv").write_text(MOVIES + "1,x,\n")
    assert expected in refusal(tmp_path).message


def test_timestamps_in_some_files_only(tmp_path: Path) -> None:
    (tmp_path / "ratings-1.csv").write_text(RATINGS)
    (tmp_path / "ratings-2.csv").write_text("userId,movieId,rating\n1,1,4.0\n")
    assert "ratings-2.csv has none" in refusal(tmp_path).message


@pytest.mark.parametrize("write", [sources.movielens_100k])
def test_predefined_file_missing(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    split = SplitConfig(kind="predefined", train="u1.base", test="u1.test")
    assert "u1.base" in refusal(write(tmp_path), split=split).message


def test_predefined_globs_overlap(tmp_path: Path) -> None:
    split = SplitConfig(kind="predefined", train="u.*a", test="u.data")
    assert "both" in refusal(sources.movielens_100k(tmp_path), split=split).message

"""Files beside the ratings: found by their names, and joined by ids of other makers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.companions import find_companions
from reelflow.data.formats.source import open_source
from reelflow.data.formats.tables import TableReading

METADATA = """adult,genres,id,imdb_id,title,release_date
False,"[{'id': 16, 'name': 'Animation'}, {'name': 'Comedy'}]",862,tt0114709,Toy Story,1995-10-30
False,[],8844,tt0113497,Jumanji,1995-12-15
 - written by someone,0.065736,1997-08-20
False,[],77,tt9,Memento,2000-10-11
"""
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862.0\n2,0113497,8844.0\n3,0000001,\n4,0114709,862.0\n"
CREDITS = (
    "cast,crew,id\n"
    "\"[{'name': 'Don Rickles', 'order': 2}, {'name': \"\"Tim O'Allen\"\", 'order': 0}]\","
    "\"[{'job': 'Writer', 'name': 'X'}, {'job': 'Director', 'name': 'John Lasseter'}]\",862\n"
    '"[{""name"": ""Robin Williams"", ""order"": 0, ""profile_path"": null}]",[],8844\n'
)


def opened(folder: Path, data: DataConfig | None = None) -> TableReading:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4,1\n1,2,5,2\n")
    source = open_source(data or DataConfig(), str(folder), SplitConfig())
    reading = source.movies_reading()
    assert reading is not None
    assert all(Path(path).is_file() for path in source.paths)
    return reading


def by_id(reading: TableReading) -> dict[str, list[Any]]:
    rows = (list(row.values()) for row in reading.table.to_pylist())
    return {row[0]: row[1:] for row in rows}


def test_metadata_of_tmdb_by_links_with_people(tmp_path: Path) -> None:
    (tmp_path / "movies_metadata.csv").write_text(METADATA)
    (tmp_path / "links.csv").write_text(LINKS)
    (tmp_path / "links_small.csv").write_text(LINKS)
    (tmp_path / "credits.csv").write_text(CREDITS)
    data = DataConfig(movie_features=("director", "star", "adult"))
    reading = opened(tmp_path, data)
    people = ["director=John Lasseter", "star=Tim O'Allen", "adult=False"]
    toy_story = ["Toy Story", ["Animation", "Comedy"], 1995, people]
    jumanji = ["Jumanji", [], 1995, ["star=Robin Williams", "adult=False"]]
    # Two movies of the ratings are one of the metadata's.
    assert by_id(reading) == {"1": toy_story, "2": jumanji, "4": toy_story}
    summary = reading.summaries[0]
    assert (summary.links, summary.credits) == ("links.csv", "credits.csv")
    assert (summary.rows, summary.kept, summary.unlinked) == (4, 2, 1)
    assert summary.quarantined == {"columns": 1}


def test_without_links_the_ids_are_the_ratings(tmp_path: Path) -> None:
    (tmp_path / "movies_metadata.csv").write_text(METADATA)
    assert set(by_id(opened(tmp_path))) == {"862", "8844", "77"}
    (tmp_path / "links.csv").write_text(LINKS)
    assert set(by_id(opened(tmp_path))) == {"1", "2", "4"}
    assert set(by_id(opened(tmp_path, DataConfig(links="")))) == {"862", "8844", "77"}
    imdb = DataConfig(movies_columns={"movie_id": "imdb_id"})
    assert set(by_id(opened(tmp_path, imdb))) == {"1", "2", "4"}


def test_links_of_movielens_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,A,Drama\n2,B,War\n")
    (tmp_path / "links.csv").write_text(LINKS)
    assert set(by_id(opened(tmp_path, DataConfig(format="csv")))) == {"1", "2"}  # type: ignore[arg-type]


def test_links_without_the_ids(tmp_path: Path) -> None:
    (tmp_path / "movies_metadata.csv").write_text(METADATA)
    (tmp_path / "links.csv").write_text("movieId,tmdbId\n1,5\n")
    with pytest.raises(BadInput, match="none of the ids of the movies' file is in it, in tmdbId"):
        opened(tmp_path)
    (tmp_path / "links.csv").write_text("a,tmdbId\n1,5\n")
    with pytest.raises(BadInput, match="names no movie id"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["movies.csv", "movies_small.csv", "items.csv"], ["movies.csv"]),
        (["movies_metadata.csv", "links.csv"], ["movies_metadata.csv"]),
        (["Movie.CSV.gz", "books.csv"], ["Movie.CSV.gz"]),
        (["BX-Books.csv", "BX-Book-Ratings.csv", "BX-Users.csv"], ["BX-Books.csv"]),
        (["ml-100k.item", "ml-100k.inter", "ml-100k.user"], ["ml-100k.item"]),
        (["anime.csv", "rating.csv"], ["anime.csv"]),
        (["set.zip!ml/movies.parquet", "notes.md"], ["set.zip!ml/movies.parquet"]),
        (["movies-1.csv", "movies-2.csv"], ["movies-1.csv", "movies-2.csv"]),
        (["movies.csv", "movies.csv.gz"], ["movies.csv"]),
        (["movies-1.csv.gz", "movies-2.csv"], ["movies-1.csv.gz", "movies-2.csv"]),
        (["a.zip!movies.csv", "movies.csv.bz2"], ["movies.csv.bz2"]),
        (["ratings.csv", "movies.pdf", "moviesque.csv", "README"], []),
    ],
)
def test_files_are_known_by_their_names(names: list[str], found: list[str]) -> None:
    assert find_companions(names, "movies") == found


def test_users_links_and_credits_too() -> None:
    names = ["a.user", "links_small.csv", "links.csv", "credits.csv", "users.dat"]
    assert find_companions(names, "users") == ["a.user", "users.dat"]
    assert find_companions(names, "links") == ["links.csv"]
    assert find_companions(names, "credits") == ["credits.csv"]


def test_two_movies_files_are_a_question(tmp_path: Path) -> None:
    for name in ("movies-1.csv", "movies-2.csv"):
        (tmp_path / name).write_text("movieId,title\n1,A\n")
    with pytest.raises(BadInput, match=r"movies-1\.csv, movies-2\.csv.*data\.movies"):
        opened(tmp_path)
    assert set(by_id(opened(tmp_path, DataConfig(movies="movies-2*")))) == {"1"}

"""Ratings whose ids are not those of the movies' file are told why, by a sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from reelflow.data.id_hints import find_id_hint
from reelflow.data.ingest.results import IdHint
from reelflow.data.words import id_sentence


def hint(folder: Path, rated: str, movies: str, **data: str) -> IdHint | None:
    rows = "".join(f"{user},{movie},4\n" for user, movie in enumerate(rated.split()))
    (folder / "ratings.csv").write_text(f"user_id,movie_id,rating\n{rows}")
    (folder / "movies.csv").write_text(movies)
    config = DataConfig.model_validate({"format": "csv", **data})
    source = open_source(config, str(folder), SplitConfig())
    return find_id_hint(source, source.read_movies())


MOVIES = "movie_id,imdb,title\n1,tt01,One\n2,tt02,Two\n"


def test_numbers_written_otherwise(tmp_path: Path) -> None:
    found = hint(tmp_path, "1.0 2.0 2.0 9.0", MOVIES)
    assert found == IdHint(kind="number", known=0.0, best=0.75, example=("1.0", "1"))
    said = '1.0 is not in the movies\' file, but 1 is: set data.ids = "number", and 75% of the '
    assert id_sentence(found) == f"{said}ratings have a movie, not 0%."
    assert hint(tmp_path, "1.0 2.0", MOVIES, ids="number") is None
    found = hint(tmp_path, "1 2 1", MOVIES.replace("\n1,", "\n0001,"))
    assert found is not None
    assert (found.kind, found.example) == ("number", ("1", "0001"))


def test_another_column(tmp_path: Path) -> None:
    found = hint(tmp_path, "tt01 tt02 tt02 1", MOVIES)
    expected = IdHint(kind="column", known=0.25, best=0.75, column="imdb", example=("tt01", "tt01"))
    assert found == expected
    assert 'data.movies_columns.movie_id = "imdb"' in id_sentence(found)


def test_nothing_fits(tmp_path: Path) -> None:
    found = hint(tmp_path, "a b 1", MOVIES)
    assert found is not None
    assert (found.kind, found.example) == (None, ("a", "1"))
    assert "33% of the ratings" in id_sentence(found)


@pytest.mark.parametrize("ids", ["1 2", ""])
def test_nothing_to_say(tmp_path: Path, ids: str) -> None:
    assert hint(tmp_path, ids, MOVIES) is None
    (tmp_path / "movies.csv").unlink()
    source = open_source(DataConfig(), str(tmp_path), SplitConfig())
    assert find_id_hint(source, None) is None

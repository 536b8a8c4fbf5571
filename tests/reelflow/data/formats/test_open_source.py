"""Every source format is recognised, and its files are read as it writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reelflow.config import DataConfig, Format, SplitConfig
from reelflow.data.formats.recognise import ADAPTERS, own_csv
from reelflow.data.formats.source import Source, open_source
from reelflow.data.parse import Rules, parse_chunk
from reelflow.data.reading import plan_chunks
from tests.reelflow.data.formats import sources

OWN = DataConfig(
    ratings="log-*.csv*",
    delimiter=";",
    columns={"user_id": "customer", "movie_id": "movie", "rating": "stars", "timestamp": "when"},
)


def opened(
    folder: Path, data: DataConfig | None = None, split: SplitConfig | None = None
) -> Source:
    return open_source(data or DataConfig(), str(folder), split or SplitConfig())


def read_all(source: Source, block_bytes: int = 2**20) -> list[tuple[Any, ...]]:
    """All valid ratings as tuples of user, movie, rating and time."""
    movies = source.read_movies()
    rules = Rules.of(source, movies)
    rows: list[tuple[Any, ...]] = []
    for chunk in plan_chunks(source.ratings_files, block_bytes):
        for parsed in parse_chunk(source.ratings_files, chunk, rules, block_bytes):
            rows += [tuple(row.values())[:4] for row in parsed.ratings.to_pylist()]
    return rows


@pytest.mark.parametrize(
    ("write", "expected", "rows"),
    [
        (
            sources.movielens_100k,
            Format.MOVIELENS_100K,
            [
                ("196", "1", 3.0, 881250949),
                ("186", "2", 5.0, 891717742),
                ("196", "2", 1.0, 881250950),
            ],
        ),
        (
            sources.movielens_1m,
            Format.MOVIELENS_1M,
            [("1", "1", 5.0, 978300760), ("1", "2", 3.0, 978302109)],
        ),
        (
            sources.movielens_csv,
            Format.MOVIELENS_CSV,
            [("1", "1", 4.0, 964982703), ("1", "11", 0.5, 964981247)],
        ),
        (
            sources.netflix,
            Format.NETFLIX,
            [("712664", "3", 5.0, None), ("1331154", "8", 4.0, None)],
        ),
    ],
)
def test_formats_are_recognised(
    tmp_path: Path,
    write: Callable[[Path], Path],
    expected: Format,
    rows: list[tuple[Any, ...]],
) -> None:
    source = opened(write(tmp_path))

    assert source.format is expected
    assert read_all(source) == rows
    assert source.has_timestamps is (rows[0][3] is not None)
    assert opened(tmp_path, DataConfig(format=expected)) == source


def test_own_csv_by_mapping(tmp_path: Path) -> None:
    source = opened(sources.own_csv(tmp_path), OWN)

    assert source.format is Format.CSV
    assert source.read_movies() is None
    assert read_all(source) == [("a", "x", 5.0, 100), ("b", "x", 4.0, 200), ("a", "y", 3.0, 300)]


@pytest.mark.parametrize(
    "header", ["userId,movieId,rating", "User_ID,item_id,Rating", "user,movie,stars"]
)
def test_obvious_headers_need_no_mapping(tmp_path: Path, header: str) -> None:
    (tmp_path / "ratings.csv").write_bytes(b"\xef\xbb\xbf" + f"{header}\n1,2,3".encode())

    assert read_all(opened(tmp_path)) == [("1", "2", 3.0, None)]


def test_movies_of_100k(tmp_path: Path) -> None:
    movies = opened(sources.movielens_100k(tmp_path)).read_movies()

    assert movies is not None
    assert movies.to_pylist() == [
        {
            "movie_id": "1",
            "title": "Les Misérables (1995)",
            "genres": ["Action", "Comedy"],
            "year": 1995,
        },
        {"movie_id": "2", "title": "unknown", "genres": [], "year": None},
    ]


def test_movies_of_1m(tmp_path: Path) -> None:
    movies = opened(sources.movielens_1m(tmp_path)).read_movies()

    assert movies is not None
    assert movies.column("title").to_pylist() == [
        "Toy Story (1995)",
        "Léon: The Professional (1994)",
    ]
    assert movies.column("genres").to_pylist() == [["Animation", "Children's"], ["Crime"]]
    assert movies.column("year").to_pylist() == [1995, 1994]


def test_movies_of_the_csv_releases(tmp_path: Path) -> None:
    movies = opened(sources.movielens_csv(tmp_path)).read_movies()

    assert movies is not None
    assert movies.column("title").to_pylist() == [
        "Toy Story (1995)",
        "American President, The (1995)",
        'Say "Hi"',
    ]
    assert movies.column("genres").to_pylist()[2] == []
    assert movies.column("year").to_pylist() == [1995, 1995, None]


def test_netflix_names_keep_their_commas(tmp_path: Path) -> None:
    movies = opened(sources.netflix(tmp_path)).read_movies()

    assert movies is not None
    assert movies.column("title").to_pylist()[1] == "What the #$*! Do We Know!?, Part 2, Again"
    assert movies.column("year").to_pylist() == [1997, 2004]


def test_users_are_read_only_if_asked_for(tmp_path: Path) -> None:
    sources.movielens_100k(tmp_path)
    users = opened(tmp_path, DataConfig(use_users=True)).read_users()

    assert opened(tmp_path).read_users() is None
    assert users is not None
    assert users.to_pylist()[1] == {
        "user_id": "186",
        "gender": "F",
        "age": 39,
        "occupation": "executive",
        "zip_code": None,
    }


def test_limits_are_the_configurations_and_the_format_has_a_scale(tmp_path: Path) -> None:
    sources.netflix(tmp_path)

    assert opened(tmp_path).limits == (-math.inf, math.inf)
    assert opened(tmp_path).documented == (1, 5)
    assert opened(tmp_path, DataConfig(rating_min=0.5)).limits == (0.5, math.inf)


def test_predefined_files_are_the_only_ratings(tmp_path: Path) -> None:
    sources.movielens_100k(tmp_path)
    (tmp_path / "u1.base").write_text("196\t1\t3\t881250949\n")
    (tmp_path / "u1.test").write_text("186\t2\t5\t891717742\n")
    split = SplitConfig(kind="predefined", train="u1.base", test="u1.t*")
    source = opened(tmp_path, split=split)

    assert [(file.name, file.split) for file in source.ratings_files] == [
        ("u1.base", "train"),
        ("u1.test", "test"),
    ]
    (tmp_path / "u.data").unlink()
    assert opened(tmp_path, split=split).format is Format.MOVIELENS_100K


def test_synthetic_data_says_so(tmp_path: Path) -> None:
    sources.movielens_csv(tmp_path)
    assert not opened(tmp_path).synthetic

    (tmp_path / "README.txt").write_text("SYNTHETIC DATA\n\nmade by a program")
    assert opened(tmp_path).synthetic


REAL = Path(__file__).parents[4].parent / "shared/data/ml-latest-small"


@pytest.mark.skipif(not REAL.is_dir(), reason="the MovieLens release is not here")
def test_real_release() -> None:
    source = opened(REAL)
    movies = source.read_movies()

    assert len(read_all(source)) == 100_836
    assert movies is not None
    assert movies.num_rows == 9_742
    assert movies.column("year").null_count < 20


def test_the_table_has_every_format_of_the_configuration() -> None:
    assert {*ADAPTERS} == {*Format} - {Format.AUTO, Format.CSV}
    assert own_csv(DataConfig()).format is Format.CSV

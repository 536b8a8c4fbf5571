"""The Transform graph as tft_beam learns it, and as the encoder applies it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from reelflow.base import columns as f
from reelflow.encoding.encode import Graph, encode
from reelflow.encoding.graph import load_graph
from tests.encoded_data import Movie, Row, movies_table, ratings_batch
from tests.reelflow.encoding.learned import DAY, FIRST, MOVIES, USERS, learn


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return learn(tmp_path_factory.mktemp("graph"), MOVIES, USERS)


@pytest.fixture(scope="module")
def graph(uri: str) -> Graph:
    return load_graph(uri)


@pytest.fixture(scope="module")
def vocabularies(uri: str) -> dict[str, list[str]]:
    output = tft.TFTransformOutput(uri)
    names = (f.USER_VOCABULARY, f.MOVIE_VOCABULARY, f.GENRE_VOCABULARY)
    return {name: [w.decode() for w in output.vocabulary_by_name(name)] for name in names}


def test_vocabularies_have_everything_once(
    graph: Graph, vocabularies: dict[str, list[str]]
) -> None:
    assert sorted(vocabularies[f.USER_VOCABULARY]) == sorted(USERS)
    assert sorted(vocabularies[f.MOVIE_VOCABULARY]) == sorted(movie.movie_id for movie in MOVIES)
    assert sorted(vocabularies[f.GENRE_VOCABULARY]) == ["Comedy", "Drama", "War"]
    assert (graph.users, graph.movies_count, graph.genres) == (3, 4, 3)


def test_ratings_become_indices_and_days(graph: Graph, vocabularies: dict[str, list[str]]) -> None:
    rows: list[Row] = [
        ("ü2", "m 4", 3.0, FIRST),
        ("u1", "m1", 3.0, FIRST + DAY // 2),
        ("u1", "фильм 2", 3.0, None),
        ("somebody", "something", 3.0, FIRST - 2 * DAY),
    ]
    found = graph.ratings(ratings_batch(rows))
    users, movies = vocabularies[f.USER_VOCABULARY], vocabularies[f.MOVIE_VOCABULARY]
    expected = [users.index("ü2"), users.index("u1"), users.index("u1"), len(users)]
    assert found[f.USER_INDEX].tolist() == expected
    expected = [movies.index("m 4"), movies.index("m1"), movies.index("фильм 2"), len(movies)]
    assert found[f.MOVIE_INDEX].tolist() == expected
    assert found[f.DAY].tolist() == [0.0, 0.5, 0.0, -2.0]


def test_movies_become_indices_and_z_scores(
    graph: Graph, vocabularies: dict[str, list[str]]
) -> None:
    strange = Movie("new", ("Drama", "Puppets"), 2000)
    found = graph.movies(movies_table([*MOVIES, strange]))
    movies, genres = vocabularies[f.MOVIE_VOCABULARY], vocabularies[f.GENRE_VOCABULARY]
    assert found[f.MOVIE_INDEX].tolist() == [*(movies.index(x.movie_id) for x in MOVIES), 4]
    named = [genres.index(g) for movie in MOVIES for g in movie.genres]
    assert found[f.GENRE_INDICES].tolist() == [*named, genres.index("Drama"), len(genres)]
    # Mean and deviation are those of the years that there are.
    deviation = np.std([1990, 2000, 2010])
    expected = [-10 / deviation, 0, 10 / deviation, 0, 0]
    np.testing.assert_allclose(found[f.YEAR_SCALED], expected, atol=1e-6)


def test_a_batch_may_be_a_slice_or_empty(graph: Graph) -> None:
    rows: list[Row] = [("u1", "m1", 3.0, FIRST), ("ü2", "m3", 3.0, None), ("u1", "m3", 3.0, FIRST)]
    whole, part = graph.ratings(ratings_batch(rows)), graph.ratings(ratings_batch(rows)[1:])
    for name, values in part.items():
        assert values.tolist() == whole[name][1:].tolist()
    assert all(len(values) == 0 for values in graph.ratings(ratings_batch([])).values())


def test_encode_with_the_real_graph(graph: Graph, vocabularies: dict[str, list[str]]) -> None:
    rows: list[Row] = [("u1", "m3", 4.0, FIRST + DAY), ("u1", "m1", 2.0, FIRST)]
    late: list[Row] = [("u1", "m 4", 1.0, FIRST + DAY)]
    batches = {
        f.TRAIN: [ratings_batch(rows)],
        f.VALIDATION: [],
        f.TEST: [ratings_batch(late)],
    }
    data = encode(graph, batches, movies_table(MOVIES))
    assert data.catalogue.movie_id == vocabularies[f.MOVIE_VOCABULARY]
    assert [data.catalogue.movie_id[m] for m in data.train.movie_index] == ["m1", "m3"]
    at = slice(data.offsets[data.test.user_index[0]], data.test.history_end[0])
    history = data.train.movie_index[at]
    assert [data.catalogue.movie_id[m] for m in history] == ["m1", "m3"]
    assert data.train.history_end.tolist() == [at.start, at.start + 1]


@pytest.mark.slow
def test_without_genres_years_and_timestamps(tmp_path: Path) -> None:
    movies = [Movie("1"), Movie("2")]
    bare = load_graph(learn(tmp_path, movies, {"a": None, "b": None}))
    found = bare.movies(movies_table(movies))
    assert sorted(found[f.MOVIE_INDEX].tolist()) == [0, 1]
    assert found[f.GENRE_INDICES].tolist() == []
    assert found[f.YEAR_SCALED].tolist() == [0, 0]
    ratings = bare.ratings(ratings_batch([("a", "1", 3.0, None), ("b", "2", 3.0, None)]))
    assert sorted(ratings[f.USER_INDEX].tolist()) == [0, 1]
    assert ratings[f.DAY].tolist() == [0, 0]


def test_chunked_columns_are_read_whole(graph: Graph) -> None:
    whole = movies_table(MOVIES)
    chunked = pa.concat_tables([whole[:1], whole[1:]])
    for name, values in graph.movies(chunked).items():
        np.testing.assert_array_equal(values, graph.movies(whole)[name])

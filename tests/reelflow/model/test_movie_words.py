"""Movies without ratings stand by those that are called alike, whatever the hash."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, Tokens
from reelflow.model import layers
from reelflow.model.movie_words import MovieWords, n_grams
from reelflow.saved_model.contract import RECOMMEND
from tests.encoded_data import Row, encoded
from tests.reelflow.model.untrained import signatures_of, untrained

TITLES = ["Moon One", "Moon Two", "Sea One", "Sea Two", "Moon", "Sea", "Else", "Another"]
MOVIES = [f"m{i}" for i in range(len(TITLES))]
ROWS: list[Row] = [
    (f"u{user:02d}", f"m{movie}", 4.0, 100 * user + movie)
    for user in range(20)
    for movie in range(4)
]
"""m0 to m3 are rated by all, m4 to m7 by nobody."""


def _data(rows: list[Row] = ROWS, **catalogue: Any) -> EncodedData:
    data = encoded(rows, movies=MOVIES)
    return replace(data, catalogue=replace(data.catalogue, title=TITLES, **catalogue))


OWN = np.array([[2.0, 0], [2, 0], [0, 2], [0, 2], [7, 7], [7, 7], [7, 7], [7, 7]], np.float32)
"""Of moons and seas; what was drawn for movies without ratings must not count."""


def test_a_movie_without_ratings_is_where_its_words_are() -> None:
    placed = MovieWords(_data(), None, 4096).place(OWN)
    assert placed[4, 0] > 4 * abs(placed[4, 1])
    assert placed[5, 1] > 4 * abs(placed[5, 0])


def test_without_shared_words_it_has_no_place() -> None:
    np.testing.assert_array_equal(MovieWords(_data(), None, 4096).place(OWN)[6:], 0.0)


def test_ratings_count_more_than_words() -> None:
    """With 20 ratings a movie is where they have put it; with one it stands half way."""
    rows = [*ROWS, ("u00", "m4", 4.0, 9999)]
    own = np.where(np.arange(8)[:, None] == 4, [[0.0, 2.0]], OWN).astype(np.float32)
    words = MovieWords(_data(rows), None, 4096)
    placed = words.place(own)
    np.testing.assert_array_equal(placed[:4], own[:4])
    alone = MovieWords(_data(), None, 4096).place(own)[4]
    assert placed[4, 1] == pytest.approx(1.0, abs=0.4)
    assert placed[4, 0] == pytest.approx(alone[0] / 2, abs=0.4)


def test_features_are_words_too() -> None:
    kinds = np.array([0, 0, 1, 1, 1, 0, 0, 1])
    features = Tokens.from_pairs(["tag=moon", "tag=sea"], np.arange(8), kinds, 8)
    placed = MovieWords(_data(), features, 4096).place(OWN)
    assert placed[6, 0] > abs(placed[6, 1])
    assert placed[7, 1] > abs(placed[7, 0])


def test_n_grams() -> None:
    grams = list(n_grams("It (1990)", ["b", "a"], 1994, ["tag=dark sea"]))
    assert grams[:2] == ["title it", "part <it>"]
    assert {"genre a", "genre b", "genres a, b", "years 398", "genre a, decade 199"} < set(grams)
    assert {"feature tag=dark sea", "tag dark", "tag dark sea", "part <sea"} < set(grams)
    assert not any("1990" in gram for gram in grams)


def test_it_is_in_the_exported_vectors() -> None:
    data = _data()
    plain, placed = (
        untrained(data, movie_words=buckets).candidate_tower.served()[:, :-1]
        for buckets in (0, 4096)
    )
    moved = np.abs(plain - placed).max(axis=1)
    assert moved[4:6].min() > 1e-3
    np.testing.assert_allclose(np.delete(moved, [4, 5]), 0.0, atol=1e-6)


@pytest.mark.parametrize("buckets", [0, 4096])
def test_movies_are_served_by_blocks(buckets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = untrained(_data(), movie_words=buckets).candidate_tower
    whole = tower.served().numpy()
    monkeypatch.setattr(layers, "BLOCK", 3)
    np.testing.assert_allclose(tower.served(), whole, rtol=1e-5, atol=1e-6)


def test_a_model_with_words_answers() -> None:
    data = _data()
    found = signatures_of(data, [f"u{user:02d}" for user in range(20)], movie_words=64)
    answer = found.call(RECOMMEND, {f.USER_ID: ["u00"], f.K: 8})
    assert {movie.decode() for movie in answer[f.MOVIE_ID][0]} >= set(MOVIES[4:])

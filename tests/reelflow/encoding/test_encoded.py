"""Encoded data and features: kept through files, and selected by rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, Tokens
from tests.encoded_data import Movie, encoded, random_rows, same

MOVIES = [
    Movie("m00", ("War", "Drama"), 1999),
    Movie("ünï", (), None),
    *(f"m{i:02d}" for i in range(1, 14)),
]


def test_round_trip(tmp_path: Path) -> None:
    data = encoded(random_rows(40, 0), random_rows(9, 1), [], MOVIES)
    data.save(tmp_path)
    loaded = EncodedData.load(tmp_path)
    for split in f.RATING_SPLITS:
        assert same(getattr(data, split), getattr(loaded, split))
        for name in (f.USER_INDEX, f.MOVIE_INDEX, f.RATING, f.TIMESTAMP, f.DAY, f.HISTORY_END):
            before, after = (
                getattr(getattr(data, split), name),
                getattr(getattr(loaded, split), name),
            )
            assert before.dtype == after.dtype
    assert loaded.sizes == data.sizes
    for name in ("movie_id", "title", "genres", "year"):
        assert getattr(loaded.catalogue, name) == getattr(data.catalogue, name)
    for name in ("genre_indices", "genre_counts", "year_scaled"):
        np.testing.assert_array_equal(
            getattr(loaded.catalogue, name), getattr(data.catalogue, name)
        )
    np.testing.assert_array_equal(loaded.offsets, data.offsets)


def test_new_users_come_back(tmp_path: Path) -> None:
    test = [("ünbekannt", "m00", 4.0, 7), ("a", "m01", 1.0, None), ("a", "m00", 2.0, 3)]
    for data in (encoded(random_rows(20, 0), [test[0]], test, MOVIES), encoded(random_rows(20, 0))):
        data.save(tmp_path)
        loaded = EncodedData.load(tmp_path).new_users
        assert loaded.user_id == data.new_users.user_id
        for name in ("owner", "movie_index", "rating", "timestamp", "test"):
            before, after = getattr(data.new_users, name), getattr(loaded, name)
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
    assert loaded.user_id == []


def test_columns_are_mapped_not_copied(tmp_path: Path) -> None:
    encoded(random_rows(100, 0)).save(tmp_path)
    before = pa.total_allocated_bytes()
    train = EncodedData.load(tmp_path).train
    assert pa.total_allocated_bytes() - before < train.timestamp.nbytes
    for column in (train.user_index, train.rating, train.history_end):
        assert not column.flags.owndata
        assert not column.flags.writeable


def test_only_known_users_and_movies() -> None:
    test = [("b", "m0", 3.0, 1), ("a", "m0", 3.0, 3), ("a", "lost", 3.0, 4)]
    data = encoded([("a", "m0", 3.0, 1)], test=test, movies=["m0"])
    assert data.test.only_known(data.sizes).timestamp.tolist() == [3]
    assert data.train.only_known(data.sizes) is data.train


WORDS = ["star=B", "director=A", "star=C"]
ROWS, INDICES = np.array([0, 0, 2, 2, 2]), np.array([1, 0, 2, 3, 0])
TOKENS = Tokens.from_pairs(WORDS, ROWS, INDICES, 4)


def _rows(tokens: Tokens) -> list[list[str]]:
    parts = np.split(tokens.indices, np.cumsum(tokens.counts)[:-1])
    return [[tokens.words[i] for i in part] for part in parts]


def test_words_beyond_the_vocabulary_are_left_out() -> None:
    assert _rows(TOKENS) == [["director=A", "star=B"], [], ["star=C", "star=B"], []]
    assert TOKENS.owners.tolist() == [0, 0, 2, 2]
    assert TOKENS.names == ["director", "star"]


def test_rows_in_another_order() -> None:
    assert _rows(TOKENS.take(np.array([2, 3, 0, 2]))) == [
        ["star=C", "star=B"], [], ["director=A", "star=B"], ["star=C", "star=B"],
    ]  # fmt: skip


def test_files_keep_everything(tmp_path: Path) -> None:
    empty = Tokens.from_pairs([], np.zeros(0, np.int64), np.zeros(0, np.int64), 3)
    for tokens in (TOKENS, empty):
        tokens.save(tmp_path / "Split-movies" / "features.arrow")
        loaded = Tokens.load(tmp_path / "Split-movies" / "features.arrow")
        assert loaded.words == tokens.words
        assert _rows(loaded) == _rows(tokens)

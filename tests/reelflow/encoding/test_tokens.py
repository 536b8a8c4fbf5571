"""Words of rows: kept through files, and in the order asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reelflow.encoding.encoded import Tokens

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

"""Files without a header: a guess at the columns, as settings that can be tried as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config.loading import load
from reelflow.data.inputs import open_data

FILES = {
    "user, movie, rating, time": (
        [f"{i % 9 + 1},{i % 13 + 1},{i % 5 + 1},{10**9 + i}" for i in range(60)],
        ("user_id", "movie_id", "rating", "timestamp"),
    ),
    "names, halves": (
        [f"u{i % 9 + 1};B00{i % 13 + 1};{i % 5 + 0.5}" for i in range(60)],
        ("user_id", "movie_id", "rating"),
    ),
    "dates before a fine scale": (
        [f"{i % 9 + 1}|x{i % 13 + 1}|2005-01-{i % 28 + 1:02}|{i / 7:.3f}" for i in range(60)],
        ("user_id", "movie_id", "timestamp", "rating"),
    ),
    "two tabs apart": (
        [f"{i % 9 + 1}\t\t{i % 13 + 1}\t\t{i / 7 - 4:.3f}" for i in range(60)],
        ("user_id", None, "movie_id", None, "rating"),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_settings_that_are_suggested_can_be_tried(tmp_path: Path, name: str) -> None:
    lines, columns = FILES[name]
    (tmp_path / "ratings.csv").write_text("\n".join(lines))
    with pytest.raises(BadInput, match="looks like data, not like a header") as refused:
        open_data(load(), str(tmp_path))
    config = load(None, refused.value.settings)
    (file,) = open_data(config, str(tmp_path)).ratings_files
    assert file.layout.columns == columns
    for setting in refused.value.settings:
        assert setting.replace("=", " = ", 1) in refused.value.remedy

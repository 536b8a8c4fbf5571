"""Which ratings a run reads is settled, or refused, before anything heavy starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.data.inputs import effective_config


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """An output folder; the working directory is the one above it."""
    monkeypatch.chdir(tmp_path)
    return Layout.of("output")


def _ratings(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    return folder


def test_by_default_the_sample_is_written_once(layout: Layout) -> None:
    config = effective_config(layout)
    assert config.data.path == str(layout.sample)
    files = {path: path.stat().st_mtime_ns for path in layout.sample.iterdir()}
    effective_config(layout, dataset="sample")
    assert files == {path: path.stat().st_mtime_ns for path in layout.sample.iterdir()}


def test_a_relative_folder_becomes_absolute(layout: Layout, tmp_path: Path) -> None:
    _ratings(tmp_path / "my ratings")
    config = effective_config(layout, data="my ratings", overrides=["push.directory=models"])
    assert config.data.path == str(tmp_path / "my ratings")
    assert config.push.directory == str(tmp_path / "models")


def test_the_option_beats_the_configuration(layout: Layout, tmp_path: Path) -> None:
    folder = _ratings(tmp_path / "a")
    config = effective_config(layout, data=folder, overrides=["data.path=/nowhere"])
    assert config.data.path == str(folder)


@pytest.mark.parametrize(
    ("name", "format_"),
    [("movielens-latest-small", "movielens-csv"), ("movielens-1m", "movielens-1m")],
)
def test_a_data_set_brings_its_configuration(
    layout: Layout, tmp_path: Path, name: str, format_: str
) -> None:
    folder = _ratings(tmp_path / "data" / name)
    (folder / "ratings.dat").write_text("1::1::4::5\n")
    (folder / "movies.dat").write_text("1::One (1999)::Drama\n")
    config = effective_config(layout, dataset=name)
    assert config.data.format.value == format_
    assert config.data.path == str(folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "nowhere"}, "nowhere does not exist"),
        ({"data": "file"}, "is a file"),
        ({"data": "empty"}, "No ratings files were recognised"),
        ({"data": "a", "dataset": "b"}, "exclude each other"),
        ({"dataset": "foo"}, "There are: sample, movielens-100k"),
        ({"dataset": "movielens-20m"}, "reelflow data download movielens-20m"),
        ({"dataset": "netflix"}, "not published any more"),
    ],
)
def test_what_cannot_be_read_is_refused(
    layout: Layout, tmp_path: Path, options: dict[str, str], words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=words):
        effective_config(layout, **options)


def test_remote_folders_are_left_to_example_gen(layout: Layout) -> None:
    for path in ("gs://bucket/ratings", "gs://bucket/span-{SPAN}"):
        assert effective_config(layout, overrides=[f"data.path={path}"]).data.path == path


def test_spans_are_looked_for_before_anything_starts(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No folder with files fits"):
        effective_config(layout, overrides=["data.path=/nowhere/span-{SPAN}"])
    _ratings(tmp_path / "ratings/2026-11-20")
    # A folder of dated folders is a pattern as soon as a span is asked for.
    config = effective_config(layout, data="ratings", overrides=['data.span="latest"'])
    assert config.data.path == str(tmp_path / "ratings/{YYYY}-{MM}-{DD}")
    with pytest.raises(BadInput, match="no span 2026-11-21"):
        effective_config(layout, data="ratings", overrides=["data.span=2026-11-21"])
    with pytest.raises(BadInput, match="Is it one of these"):
        effective_config(layout, data="ratings")

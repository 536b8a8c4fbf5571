"""Which folders are spans, which of them are read, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from reelflow.data import files
from reelflow.data.formats.source import open_window
from reelflow.data.spans import Window, find_window, guess_pattern, is_pattern

HEADER = "userId,movieId,rating,timestamp\n"
MOVIES = "movieId,title,genres\n"


def span(folder: Path, *rows: str, movies: str | None = None) -> Path:
    """A folder with ratings, and with movies if they are given."""
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    if movies is not None:
        (folder / "movies.csv").write_text(MOVIES + movies)
    return folder


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Three days that have arrived, and some that have not."""
    for name in ("2026-11-19", "2026-11-20", "2026-11-21"):
        span(tmp_path / name, f"1,1,4,{name[-2:]}")
    for name in ("_2026-11-22", ".2026-11-23", "2026-11-24.part", "tmp-2026-11-25"):
        span(tmp_path / name, "1,1,4,1")
    (tmp_path / "2026-11-26").mkdir()  # nothing has arrived yet
    (tmp_path / "movies.csv").write_text(MOVIES + "1,One (1999),Drama\n")
    return tmp_path


def pattern(folder: Path) -> str:
    return str(folder / "{YYYY}-{MM}-{DD}")


@pytest.mark.parametrize(
    ("asked", "count", "expected"),
    [
        (None, "all", ["2026-11-19", "2026-11-20", "2026-11-21"]),
        ("latest", 1, ["2026-11-21"]),
        ("latest", 2, ["2026-11-20", "2026-11-21"]),
        ("latest", 9, ["2026-11-19", "2026-11-20", "2026-11-21"]),
        ("2026-11-20", "all", ["2026-11-19", "2026-11-20"]),
        ("20261120", 1, ["2026-11-20"]),
    ],
)
def test_windows(days: Path, asked: str | None, count: int, expected: list[str]) -> None:
    window = find_window(pattern(days), asked, count)
    assert window.names == expected
    assert window.above == str(days)
    everything = {s.name for s in (*window.earlier, *window.spans)}
    assert everything == {
        n for n in ("2026-11-19", "2026-11-20", "2026-11-21") if n <= expected[-1]
    }
    assert Window.from_json(window.to_json()) == window


def test_dates_are_numbered_as_tfx_does(days: Path) -> None:
    from tfx.components.example_gen.utils import date_to_span_number

    assert find_window(pattern(days)).newest.number == date_to_span_number(2026, 11, 21)


def test_numbers_are_ordered_as_numbers_and_may_have_versions(tmp_path: Path) -> None:
    for name in ("span-2/v1", "span-10/v1", "span-10/v3", "span-x/v1"):
        span(tmp_path / name, "1,1,4,1")
    window = find_window(str(tmp_path / "span-{SPAN}/v{VERSION}"))
    assert [Path(s.folder).relative_to(tmp_path).as_posix() for s in window.spans] == [
        "span-2/v1",
        "span-10/v3",
    ]
    assert str(window) == "2 spans, 2 to 10"


def test_a_marker_tells_what_is_complete(days: Path) -> None:
    with pytest.raises(BadInput, match=r"No span of .* is complete"):
        find_window(pattern(days), marker="_SUCCESS")
    (days / "2026-11-20" / "_SUCCESS").touch()
    assert find_window(pattern(days), marker="_SUCCESS").names == ["2026-11-20"]
    with pytest.raises(BadInput, match=r"2026-11-21 is not complete: .* has no _SUCCESS"):
        find_window(pattern(days), "2026-11-21", marker="_SUCCESS")


def test_a_version_that_still_arrives_does_not_hide_the_one_before(tmp_path: Path) -> None:
    done = span(tmp_path / "1/1", "1,1,4,1")
    span(tmp_path / "1/2", "1,1,4,1")
    (done / "_SUCCESS").touch()
    path = str(tmp_path / "{SPAN}/{VERSION}")
    assert find_window(path, marker="_SUCCESS").newest.folder == str(done)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("2026-11-18", "no span 2026-11-18 .* the nearest: 2026-11-19, 2026-11-20, 2026-11-21"),
        ("yesterday", "yesterday is no day"),
        ("7", "7 is no day"),
    ],
)
def test_a_span_that_is_not_there(days: Path, asked: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        find_window(pattern(days), asked)


def test_a_pattern_that_fits_nothing(days: Path) -> None:
    with pytest.raises(BadInput, match="No folder with files fits"):
        find_window(str(days / "{SPAN}"))


@pytest.mark.parametrize("path", ["{SPAN}/{SPAN}", "{YYYY}-{MM}", "{SPAN}/{DD}", "{VERSION}"])
def test_wrong_placeholders(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput, match="wrong placeholders"):
        find_window(str(tmp_path / path))


def test_two_folders_for_one_span_and_a_day_that_does_not_exist(tmp_path: Path) -> None:
    span(tmp_path / "a" / "1", "1,1,4,1")
    span(tmp_path / "a" / "01", "1,1,4,1")
    with pytest.raises(BadInput, match="are the same span"):
        find_window(str(tmp_path / "a" / "{SPAN}"))
    span(tmp_path / "b" / "2026-02-30", "1,1,4,1")
    with pytest.raises(BadInput, match="no such day"):
        find_window(pattern(tmp_path / "b"))


def test_the_pattern_behind_a_folder(tmp_path: Path, days: Path) -> None:
    assert guess_pattern(str(days)) == pattern(days)
    span(tmp_path / "numbered" / "span-3", "1,1,4,1")
    assert guess_pattern(str(tmp_path / "numbered")) == str(tmp_path / "numbered/span-{SPAN}")
    with pytest.raises(BadInput, match="holds none"):
        guess_pattern(str(days / "2026-11-19"))
    assert is_pattern(pattern(days))
    assert not is_pattern(str(days))
    assert not is_pattern("/data/{mine}")


def test_movies_above_the_spans(days: Path) -> None:
    source = open_window(DataConfig(), find_window(pattern(days), count=2), SplitConfig())
    assert [file.name for file in source.ratings_files] == [
        "2026-11-20/ratings.csv",
        "2026-11-21/ratings.csv",
    ]
    movies = source.read_movies()
    assert movies is not None
    assert movies.column("title").to_pylist() == ["One (1999)"]


def test_of_a_movie_in_several_spans_the_newest_line_counts(tmp_path: Path) -> None:
    span(tmp_path / "1", "1,1,4,1", movies="1,Old,Drama\n2,Two,Drama\n")
    span(tmp_path / "2", "1,1,4,1", movies="")  # no new movie
    span(tmp_path / "3", "1,1,4,1", movies="1,New,Comedy\n3,Three,Drama\n")
    window = find_window(str(tmp_path / "{SPAN}"), count=1)
    source = open_window(DataConfig(), window, SplitConfig())
    movies = source.read_movies()
    assert movies is not None
    titles = dict(zip(*(movies.column(n).to_pylist() for n in ("movie_id", "title")), strict=True))
    # Movies of spans before the window count too, or ratings of them would be refused.
    assert titles == {"1": "New", "3": "Three", "2": "Two"}


def test_no_movies_anywhere(tmp_path: Path) -> None:
    span(tmp_path / "1", "1,1,4,1")
    window = find_window(str(tmp_path / "{SPAN}"))
    with pytest.raises(BadInput, match=r"No movies file movies\.csv"):
        open_window(DataConfig(format="movielens-csv"), window, SplitConfig())  # type: ignore[arg-type]


def test_every_file_that_is_read_is_in_the_fingerprint(days: Path) -> None:
    def now() -> str:
        window = find_window(pattern(days), "2026-11-20", 1)
        return files.fingerprint(open_window(DataConfig(), window, SplitConfig()).paths)

    before = now()
    (days / "2026-11-21" / "ratings.csv").write_text(HEADER)  # later than what is read
    assert now() == before
    (days / "movies.csv").write_text(MOVIES + "1,Another (1999),Drama\n")
    assert now() != before

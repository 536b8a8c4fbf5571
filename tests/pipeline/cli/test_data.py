"""`reelflow data` and `reelflow config`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from reelflow.base.errors import ReelflowError
from reelflow.config.loading import load
from reelflow.data import download
from reelflow.data.sets import PUBLIC_SETS


def _invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_inspect_shows_format_counts_and_damage(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(
        b"userId,movieId,rating,timestamp\n1,1,4.0,5\n2,1,[b]x[/b],5\n3,\xff,4,5\n"
    )
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,One (1999),Drama\n")
    code, out = _invoke("data", "inspect", str(tmp_path))
    assert code == 0
    for words in (
        "movielens-csv",
        "3 read, 1 valid, from 1 users",
        "1 movies, 1 of them rated",
        "2 rows (66.67%)",
        "ratings.csv:3  2,1,[b]x[/b],5",
        "ratings.csv:4  3,\\xff,4,5",
    ):
        assert words in out


def test_inspect_of_clean_data(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user_id,movie_id,rating\n1,1,4.0\n")
    code, out = _invoke("data", "inspect", str(tmp_path))
    assert code == 0
    assert "no row" in out
    assert "no timestamps" in out
    assert "titles are not known" in out


def test_inspect_of_nothing_is_refused(tmp_path: Path) -> None:
    code, out = _invoke("data", "inspect", str(tmp_path / "nowhere"))
    assert code == 2
    assert "error:" in out
    assert "does not exist" in out


def test_download_shows_the_licence_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(name: str, to: Path, *, progress: download.Progress) -> Path:
        progress(5, 10)
        progress(10, 10)
        return to / name

    monkeypatch.setattr(download, "download", fake)
    monkeypatch.chdir(tmp_path)
    code, out = _invoke("data", "download", "movielens-1m")
    assert code == 0
    assert "GroupLens" in out
    assert "Next: reelflow run --dataset movielens-1m" in out
    _, out = _invoke("data", "download", "movielens-1m", "--to", "elsewhere")
    assert "Next: reelflow run --data elsewhere/movielens-1m" in out


def test_the_public_sets_are_listed() -> None:
    code, out = _invoke("data", "download", "--list")
    assert code == 0
    for name in PUBLIC_SETS:
        assert name in out
    code, out = _invoke("data", "download")
    assert code == 2
    assert "--list" in out


def test_a_failed_download_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*args: object, **kwargs: object) -> Path:
        raise ReelflowError("No network.", "Plug it in.")

    monkeypatch.setattr(download, "download", fake)
    assert _invoke("data", "download", "movielens-1m")[0] == 1
    assert _invoke("data", "download", "foo")[0] == 2


def test_ctrl_c_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*args: object, **kwargs: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download", fake)
    assert _invoke("data", "download", "movielens-1m")[0] == 130


def test_config_show_prints_what_a_run_would_do(tmp_path: Path) -> None:
    code, out = _invoke("config", "show", "--config", "netflix", "--set", "train.epochs=3")
    assert code == 0
    path = tmp_path / "shown.toml"
    path.write_text(out, encoding="utf-8")
    assert load(path) == load("netflix", ["train.epochs=3"])
    assert "# Passes over the train split" in out


def test_config_show_refuses_what_a_run_would_refuse() -> None:
    code, out = _invoke("config", "show", "--set", "train.epoch=3")
    assert code == 2
    assert "Did you mean train.epochs?" in out


def test_the_version_is_shown() -> None:
    assert _invoke("--version")[1].startswith("reelflow 0.")

"""`reelflow data` and `reelflow config`."""

from __future__ import annotations

import json
import shlex
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
    assert code == 2
    for words in (
        "movielens-csv",
        "3 read, 1 kept, from 1 user",
        "1 movies, 1 of them rated",
        "1 different; Drama 1",
        "One (1999)",
        "2 rows (66.67%)",
        "ratings.csv:3  2,1,[b]x[/b],5",
        "ratings.csv:4  3,\\xff,4,5",
        "A run would refuse these data, and train nothing.",
        "2 of 3 rows are damaged (66.67%), and data.max_quarantined allows 10.00%",
    ):
        assert words in out


def _ratings(folder: Path, count: int = 200) -> None:
    rows = "".join(f"u{i % 20},m{i},{1 + i % 5}\n" for i in range(count))
    (folder / "ratings.csv").write_text(f"user_id,movie_id,rating\n{rows}")


def test_inspect_of_clean_data(tmp_path: Path) -> None:
    _ratings(tmp_path)
    code, out = _invoke("data", "inspect", str(tmp_path), "--set", "data.item=book")
    assert code == 0
    for words in (
        "no row",
        "no timestamps",
        "200 books rated; without their file titles are not known",
        "Ratings go from 1 to 5.",
        "1 (20%), 2 (20%)",
        "random: ratings are held out by chance, chosen by split.kind = auto",
        "ratings from 3.8",
        "Top-100 accuracy (unseen): at least 0.05; better than popularity",
        "RMSE: at most 5% above that of mean plus damped biases",
    ):
        assert words in out
    assert out.splitlines()[-1].startswith("A run would train on 1")


def test_inspect_says_what_is_not_gated(tmp_path: Path) -> None:
    _ratings(tmp_path, 90)
    _, out = _invoke("data", "inspect", str(tmp_path))
    assert "Top-100 accuracy (unseen) is not gated: the catalogue has 90 movies" in out


def test_inspect_as_json_tells_the_same(tmp_path: Path) -> None:
    _ratings(tmp_path)
    code, out = _invoke("data", "inspect", str(tmp_path), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["summary"]["rows"]["read"] == 200
    assert found["outlook"]["like_threshold"] == 3.8
    assert (found["refused"], found["format"]) == ([], "csv")
    assert found["verdict"].startswith("A run would train on")
    rows = (tmp_path / "ratings.csv").read_text()
    (tmp_path / "ratings_copy.csv").write_text(rows)
    result = CliRunner().invoke(app, ["data", "inspect", str(tmp_path), "--json"])
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["refused"][0]["kind"] == "same_rows"
    assert found["refused"][0]["text"] in result.stderr


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


def test_inspect_suggests_the_settings_and_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "my ratings"
    folder.mkdir()
    rows = [f"{user},{movie},{1 + user * movie % 5}" for user in range(9) for movie in range(9)]
    (folder / "ratings.csv").write_text("\n".join(rows))
    code, out = _invoke("data", "inspect", str(folder), "--json")
    refused = json.loads(out.partition("\nerror:")[0])
    assert code == 2
    assert "looks like data" in refused["refused"][0]["text"]
    sets = [word for setting in refused["settings"] for word in ("--set", setting)]
    code, out = _invoke("data", "inspect", str(folder), "--json", *sets)
    assert code == 0
    command = shlex.split(json.loads(out)["command"])
    assert command == ["reelflow", "run", "--data", str(folder), *sets]

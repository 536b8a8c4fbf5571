"""`reelflow recommend`, `rate` and `similar` on a pushed folder alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app


@pytest.fixture(scope="module")
def output(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with one pushed model and nothing else."""
    folder = tmp_path_factory.mktemp("output")
    shutil.copytree(exported, folder / "serving/reelflow/1700000000")
    return folder


def _run(*arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


def _json(*arguments: object) -> Any:
    return json.loads(_run(*arguments, "--json"))


def test_recommend_shows_movies_and_their_source(output: Path) -> None:
    shown = _run("recommend", "--user", 1, "--k", 2, "--output", output)
    assert "Movies for user 1\nfrom what the model knows of the user" in shown
    assert "Movie 11 (2001)" in shown
    assert "Comedy" in shown
    assert "Movie 12 (2002)" not in shown


def test_recommend_as_json(output: Path) -> None:
    answer = _json("recommend", "--user", 1, "--k", 2, "--output", output)
    assert answer["user"] == "1"
    assert answer["source"] == "user"
    assert answer["model"] == str(output / "serving/reelflow/1700000000")
    assert [item["movie_id"] for item in answer["items"]] == ["11", "10"]
    assert set(answer["items"][0]) == {"movie_id", "title", "score", "rating"}
    assert answer["stars"]["highest"] == 5
    assert (answer["order"], answer["min_rating"]) == ("blend", None)


def test_order_and_least_rating(output: Path) -> None:
    command = ["recommend", "--user", 1, "--output", output]
    by_stars = _json(*command, "--order", "stars", "--min-rating", 3)["items"]
    ratings = [item["rating"] for item in by_stars]
    assert ratings == sorted(ratings, reverse=True)
    assert min(ratings) >= 3
    assert by_stars != _json(*command, "--min-rating", 3)["items"]
    shown = _run(*command, "--order", "stars")
    assert "rating (1 to 5)" in shown
    assert f"{ratings[0]:.2f}" in shown


def test_disliked_movies_count(output: Path) -> None:
    command = ["recommend", "--user", "x", "--liked", 4, "--output", output]
    liked, both = _json(*command), _json(*command, "--disliked", 6)
    assert liked["items"] != both["items"]
    assert "6" not in [item["movie_id"] for item in both["items"]]


def test_an_unknown_user_is_told_what_the_movies_come_from(output: Path) -> None:
    popular = _run("recommend", "--user", "x", "--output", output)
    assert "unknown to the model: the most popular movies" in popular
    liked = ["recommend", "--user", "x", "--liked", 4, "--exclude", 6, "--output", output]
    assert "new to the model: from the user's ratings, or the movies of --liked" in _run(*liked)
    assert [item["movie_id"] for item in _json(*liked, "--k", 1)["items"]] == ["11"]


def test_fewer_movies_than_asked_for(output: Path) -> None:
    assert "No more than 9 movies are left." in _run(
        "recommend", "--user", 2, "--k", 50, "--output", output
    )


def test_rate(output: Path) -> None:
    assert "User 1 would give Jumanji (1995) 1.94 on the scale of 1 to 5" in _run(
        "rate", "--user", 1, "--movie", 2, "--output", output
    )
    assert "unknown to the model" in _run("rate", "--user", "x", "--movie", 2, "--output", output)
    answer = _json("rate", "--user", "x", "--movie", 2, "--output", output)
    assert answer["title"] == "Jumanji (1995)"
    assert answer["known_user"] is False


def test_similar(output: Path) -> None:
    shown = _run("similar", "--movie", 1, "--k", 3, "--output", output)
    assert "Movies like Toy Story (1995)" in shown
    assert "cosine" in shown
    answer = _json("similar", "--movie", 1, "--k", 3, "--output", output)
    assert [item["movie_id"] for item in answer["items"]] == ["9", "7", "2"]


@pytest.mark.parametrize("folder", ["serving/reelflow", "serving/reelflow/1700000000"])
def test_a_model_may_be_named(output: Path, folder: str) -> None:
    answer = _json("similar", "--movie", 1, "--model", output / folder)
    assert answer["model"].endswith("/1700000000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rate", "--user", "1", "--movie", "Jumanji (1995)"], "use --movie 2."),
        (["similar", "--movie", "Twins"], "use --movie 3 or --movie 4."),
        (["recommend", "--user", "1", "--liked", "Jumanji"], "use --liked 2."),
        (["recommend", "--user", "1", "--disliked", "Jumanji"], "use --disliked 2."),
        (["recommend", "--user", "1", "--liked", "2", "--disliked", "2"], "both liked and"),
        (["recommend", "--user", "1", "--min-rating", "6"], "scale of the ratings, which is 1 to"),
        (["recommend", "--user", "1", "--exclude", "99"], "no movie with the id '99'"),
    ],
)
def test_a_title_or_an_unknown_id_is_bad_input(
    output: Path, arguments: list[str], message: str
) -> None:
    assert message in _run(*arguments, "--output", output, exit_code=2)


@pytest.mark.parametrize("option", ["--output", "--model"])
def test_without_a_model_the_remedy_is_named(tmp_path: Path, option: str) -> None:
    shown = _run("similar", "--movie", 1, option, tmp_path, exit_code=2)
    assert "There is no pushed model" in shown
    assert "Run `reelflow run` first." in shown


@pytest.mark.slow
def test_the_command_needs_neither_tfx_nor_beam_and_is_quiet(output: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(output / "serving/reelflow", tmp_path / "elsewhere")
    code = (
        "import sys; from pipeline.cli import main\n"
        "try: main()\n"
        "finally: assert not {'tfx', 'apache_beam'} & set(sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *"recommend --user 1 --json --model".split(), str(moved)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ended.stdout)["items"][0]["movie_id"] == "11"
    assert ended.stderr == ""


def test_lists_for_all_go_into_a_file(output: Path, tmp_path: Path) -> None:
    where = ["--output", output, "--to", tmp_path / "recs.jsonl"]
    shown = _run("recommend", "--all", "--k", 2, "--exclude", "11", *where)
    assert "10 rows to" in shown
    lines = (tmp_path / "recs.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["movie"] for row in rows if row["user"] == "1"] == ["10", "4"]
    _run("similar", "--all", "--k", 2, *where)
    assert len((tmp_path / "recs.jsonl").read_text().splitlines()) == 24
    (tmp_path / "users.txt").write_text("2\n")
    parts = ["--set", "beam.preset=direct", "--to", tmp_path / "parts.csv"]
    shown = _run(
        "recommend", "--users", tmp_path / "users.txt", "--k", 2, "--output", output, *parts
    )
    assert "1 parts" in shown
    (part,) = (tmp_path / "parts.csv").iterdir()
    assert (
        part.read_text().splitlines()[0]
        == '"user","rank","movie","score","predicted_rating","reasons"'
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recommend"], "--user ID"),
        (["similar"], "--movie ID"),
        (["recommend", "--all"], "--to recs.parquet"),
        (["recommend", "--all", "--to", "recs.xlsx"], "ends in none of"),
    ],
)
def test_what_is_missing_is_said(output: Path, arguments: list[str], words: str) -> None:
    assert words in _run(*arguments, "--output", output, exit_code=2).replace("\n", " ")

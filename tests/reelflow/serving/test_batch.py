"""Lists for all users: the same as one by one, in every form."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.base.errors import BadInput
from reelflow.saved_model.client import ServedModel
from reelflow.serving import batch
from reelflow.serving import messages as m
from reelflow.serving.batch import Job, write
from reelflow.serving.engine import Engine
from reelflow.serving.rules.messages import Boost, Choice, Rules
from tests.tiny_model import MOVIES, USERS

RULES = Rules(hide=[Choice(ids=["2"])], pin=["11"], boost=[Boost(genres=["Comedy"], weight=1)])


@pytest.fixture(scope="module")
def engine(served: ServedModel) -> Engine:
    return Engine(served)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two users a call, and a row group for each call."""
    monkeypatch.setattr(batch, "MOST_USERS", 2)
    monkeypatch.setattr(batch, "ROWS", 1)


def request(**conditions: Any) -> m.RecommendRequest:
    return m.RecommendRequest(**{"k": 4, **conditions})


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"k": 500},
        {"explain": True},
        {"genres": ["Comedy"], "order": "stars", "exclusions": ["4"]},
        {"min_rating": 3.0, "rules": RULES, "k": 12},
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_a_table_has_the_lists_of_the_server(
    exported: Path, engine: Engine, tmp_path: Path, conditions: dict[str, Any]
) -> None:
    asked = request(**conditions)
    target = tmp_path / "recs.parquet"
    told: list[tuple[int, int]] = []
    count = write(Job(str(exported), asked), target, lambda *at: told.append(at))
    table = pq.read_table(target)
    assert (table.schema, len(table)) == (batch.LISTS, count)
    assert told == [(2, 5), (4, 5), (5, 5)]
    answers = engine.recommend([asked.model_copy(update={"user_id": user}) for user in USERS])
    expected = [
        (
            user,
            rank,
            item.movie_id,
            pytest.approx(item.score),
            pytest.approx(item.predicted_rating),
            None if item.because is None else [one.movie_id for one in item.because],
        )
        for user, answer in zip(USERS, answers, strict=True)
        for rank, item in enumerate(answer.items, 1)
    ]
    assert rows_of(table) == expected


@pytest.mark.usefixtures("small_chunks")
def test_other_forms_hold_the_same(exported: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("3\nnobody\n\n3\n")
    job = Job(str(exported), request(explain=True, liked=["3", "7"]), str(users))
    for ending in batch.FORMS:
        write(job, tmp_path / f"recs{ending}", lambda *_: None)
    table = pq.read_table(tmp_path / "recs.parquet").to_pylist()
    assert {row["user"] for row in table} == {"3", "nobody"}
    lines = (tmp_path / "recs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table
    with open(tmp_path / "recs.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["movie"] for row in rows] == [row["movie"] for row in table]
    assert [row["reasons"] for row in rows] == ["|".join(row["reasons"]) for row in table]
    assert any(row["reasons"] for row in table)
    assert not [*tmp_path.glob(".*")]


def test_no_cell_of_a_csv_begins_a_formula(exported: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("=1+1\n-5\n")
    write(Job(str(exported), request(k=1), str(users)), tmp_path / "recs.csv", lambda *_: None)
    with open(tmp_path / "recs.csv", newline="") as file:
        assert [row["user"] for row in csv.DictReader(file)] == ["'=1+1", "-5"]


@pytest.mark.parametrize("conditions", [{}, {"genres": ["Comedy"]}, {"k": 500}])
@pytest.mark.usefixtures("small_chunks")
def test_similar_movies_are_those_of_the_server(
    exported: Path, engine: Engine, tmp_path: Path, conditions: dict[str, Any]
) -> None:
    asked = m.SimilarRequest(**{"k": 3, **conditions})
    write(Job(str(exported), asked), tmp_path / "similar.parquet", lambda *_: None)
    answers = engine.similar([(movie, asked, None) for movie in MOVIES])
    assert rows_of(pq.read_table(tmp_path / "similar.parquet")) == [
        (movie, rank, item.movie_id, pytest.approx(item.score))
        for movie, answer in zip(MOVIES, answers, strict=True)
        for rank, item in enumerate(answer.items, 1)
    ]


@pytest.mark.parametrize(
    ("conditions", "name", "words"),
    [
        ({"genres": ["Noir"]}, "recs.parquet", "no genre 'Noir'"),
        ({"min_rating": 9}, "recs.parquet", "which is 1 to 5"),
        ({"rules": Rules(hide=[Choice(genres=["Noir"])])}, "recs.parquet", "rules.hide.0"),
        ({}, "recs.txt", "ends in none of .parquet, .csv, .jsonl"),
    ],
)
def test_what_is_wrong_is_refused_before_a_file_is_made(
    exported: Path, tmp_path: Path, conditions: dict[str, Any], name: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        write(Job(str(exported), request(**conditions)), tmp_path / name, lambda *_: None)
    assert not [*tmp_path.iterdir()]

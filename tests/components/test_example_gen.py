"""The executor: exact quarantine, the same rows however the work is cut, refusals that reach us."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from reelflow.base.columns import RATING_SPLITS
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format, SplitConfig
from reelflow.data import files
from reelflow.data.formats.source import open_window
from reelflow.data.spans import find_window
from tests.reelflow.data.formats import sources
from tests.reelflow.data.ingest.runs import Run, execute
from tests.reelflow.data.ingest.tables import random_rows

HEADER = b"userId,movieId,rating,timestamp\n"
DAMAGE = {
    "encoding": lambda u, m, r, t: u.encode() + b"\xff," + f"{m},{r},{t}".encode(),
    "columns": lambda u, m, r, t: f"{u},{m},{r}".encode(),
    "empty_id": lambda u, m, r, t: f",{m},{r},{t}".encode(),
    "rating": lambda u, m, r, t: f"{u},{m},good,{t}".encode(),
    "rating_range": lambda u, m, r, t: f'{u},"{m}",9.5,{t}\r'.encode(),
    "timestamp": lambda u, m, r, t: f"{u},{m},{r},2001-01-01".encode(),
    "unknown_movie": lambda u, m, r, t: f"{u},none,{r},{t}".encode(),
}


def write_csv(folder: Path, count: int = 3_000, users: int = 50) -> list[bytes]:
    """A folder in the layout of the CSV releases; returns the rows of its ratings file."""
    movies = "".join(f"m{i},Movie {i} (19{i:02d}),Drama\n" for i in range(100))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{movies}")
    rows = [",".join(map(str, row)).encode() for row in random_rows(count, users=users)]
    (folder / "ratings.csv").write_bytes(HEADER + b"\n".join(rows))
    return rows


def values(run: Run) -> dict[str, list[tuple[Any, ...]]]:
    """Rows by split, sorted."""
    return {
        name: sorted(tuple(cell[0] for cell in row.values()) for row in run.rows("examples", name))
        for name in RATING_SPLITS
    }


def test_one_percent_of_every_damage(tmp_path: Path) -> None:
    rows = write_csv(tmp_path)
    chosen = np.random.default_rng(0).choice(len(rows), (len(DAMAGE) + 1, 30), replace=False)
    expected = []
    for (reason, damage), lines in zip(DAMAGE.items(), chosen, strict=False):
        for at in lines:
            rows[at] = damage(*rows[at].decode().split(","))
            expected.append((int(at) + 2, reason, rows[at]))
    # The row after a duplicated one is replaced by it; rows before the first are not touched.
    intact = sorted(set(range(len(rows))) - set(chosen[:-1].ravel().tolist()))
    for at in chosen[-1]:
        first = next(row for row in intact if row not in chosen[-1] and row < at)
        rows[at] = rows[first]
        expected.append((int(at) + 2, "duplicate", rows[at]))
    (tmp_path / "ratings.csv").write_bytes(HEADER + b"\n".join(rows) + b"\n\n")
    run = execute(tmp_path / "out", tmp_path, DataConfig(chunk_bytes=7_000))

    assert run.report["quarantined"] == dict.fromkeys([*DAMAGE, "duplicate"], 30)
    assert [(row.line, row.reason, row.row) for row in run.quarantined] == sorted(expected)
    assert run.report["rows"]["read"] == 3_000
    assert run.report["rows"]["kept"] == 3_000 - 8 * 30
    assert run.artifacts["quarantine"].rows == 240
    kept = sorted(row for rows in values(run).values() for row in rows)
    assert len(kept) == 2_760


def test_ids_of_refused_rows_alone_are_not_counted(tmp_path: Path) -> None:
    kept = [f"{user},{movie},4,{movie}" for user in range(4) for movie in range(40)]
    refused = ["u,1,9.5,1", ",2,4,1", "3,x,-1,1"]
    text = "\n".join(["userId,movieId,rating,timestamp", *kept, *refused])
    (tmp_path / "ratings.csv").write_text(text)
    data = DataConfig(format=Format.CSV, rating_min=0.5, rating_max=5)
    run = execute(tmp_path / "out", tmp_path, data)

    assert run.report["users"] == 4
    assert run.report["movies"] == 40
    assert len(run.rows("catalogue", "movies")) == 40


def test_outputs_follow_the_contract(tmp_path: Path) -> None:
    rows = write_csv(tmp_path)
    run = execute(tmp_path / "out", tmp_path, DataConfig(partitions=3))
    examples = run.artifacts["examples"]

    assert examples.get_int_custom_property("rows") == 3_000
    assert examples.split_names == '["train", "validation", "test"]'
    assert run.artifacts["catalogue"].split_names == '["movies", "users"]'
    names = sorted(path.name for path in (Path(examples.uri) / "Split-train").iterdir())
    assert names == [f"ratings-0000{i}-of-00003.parquet" for i in range(3)]
    some = run.rows("examples", "train")[0]
    assert list(some) == ["user_id", "movie_id", "rating", "timestamp"]
    assert all(isinstance(cell, list) for cell in some.values())

    movies = run.rows("catalogue", "movies")
    assert movies[7] == {
        "user_id": None,
        "timestamp": None,
        "movie_id": ["m7"],
        "title": ["Movie 7 (1907)"],
        "genres": ["Drama"],
        "year": [1907],
    }
    assert run.report["rows"]["read"] == len(rows)
    assert (run.report["users"], run.report["movies"]) == (50, 100)
    shard = Path(run.artifacts["catalogue"].uri) / "Split-movies/movies-00000-of-00001.parquet"
    assert str(pq.read_schema(shard).field("genres").type) == "large_list<item: large_binary>"
    users = {row["user_id"][0]: row["timestamp"] for row in run.rows("catalogue", "users")}
    train = values(run)["train"]
    for user, times in users.items():
        mine = [row[3] for row in train if row[0] == user]
        assert times == [min(mine), max(mine)]
    assert set(users) == {row[0] for row in train}


@pytest.mark.parametrize("kind", ["auto", "temporal", "last", "random", "leave_last"])
def test_rows_do_not_depend_on_how_the_work_is_cut(tmp_path: Path, kind: str) -> None:
    rows = write_csv(tmp_path)
    config = SplitConfig(kind=kind)
    whole = execute(tmp_path / "1", tmp_path, DataConfig(partitions=1), config)
    cut = execute(tmp_path / "2", tmp_path, DataConfig(partitions=5, chunk_bytes=9_000), config)
    assert values(cut) == values(whole)
    assert cut.report == whole.report

    (tmp_path / "ratings.csv").write_bytes(gzip.compress(HEADER + b"\r\n".join(rows)))
    packed = execute(tmp_path / "3", tmp_path, DataConfig(chunk_bytes=9_000), config)
    assert values(packed) == values(whole)
    assert packed.report["data_hash"] == whole.report["data_hash"]


def test_data_hash_is_of_the_content(tmp_path: Path) -> None:
    rows = write_csv(tmp_path, 500)
    before = execute(tmp_path / "1", tmp_path).report["data_hash"]
    (tmp_path / "ratings.csv").write_bytes(HEADER + b"\n".join(rows[::-1]))
    assert execute(tmp_path / "2", tmp_path).report["data_hash"] == before

    (tmp_path / "ratings.csv").write_bytes(HEADER + b"\n".join(rows[1:]))
    assert execute(tmp_path / "3", tmp_path).report["data_hash"] != before


def test_own_csv_without_movies_file(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(
        "user,movie,stars\n" + "".join(f"u{i % 5},f{i},4\n" for i in range(100))
    )
    run = execute(tmp_path / "out", tmp_path)

    assert run.report["format"] == "csv"
    assert run.report["movies"] == 100
    movies = run.rows("catalogue", "movies")
    assert movies[1] == {
        "user_id": None,
        "timestamp": None,
        "movie_id": ["f1"],
        "title": ["f1"],
        "genres": [],
        "year": None,
    }
    assert run.rows("examples", "train")[0]["timestamp"] is None
    assert run.rows("catalogue", "users")[0]["timestamp"] is None


def test_user_attributes_only_if_opted_in(tmp_path: Path) -> None:
    sources.movielens_1m(tmp_path)
    rows = "".join(f"{u % 20}::{1 + u // 20}::{4 + u % 2}::{u}\n" for u in range(40))
    (tmp_path / "ratings.dat").write_text(rows)
    plain = execute(tmp_path / "1", tmp_path)
    run = execute(tmp_path / "2", tmp_path, DataConfig(use_users=True, partitions=1))
    users = {row["user_id"][0]: row for row in run.rows("catalogue", "users")}

    assert "gender" not in plain.rows("catalogue", "users")[0]
    assert users["1"]["gender"] == ["F"]
    assert users["1"]["age"] == [1]
    assert all(row["gender"] is None for user, row in users.items() if user != "1")
    assert run.rows("catalogue", "movies")[0]["zip_code"] is None


def test_predefined_row_in_both_files_is_kept_in_train(tmp_path: Path) -> None:
    sources.movielens_100k(tmp_path)
    (tmp_path / "u1.base").write_text("".join(f"{u}\t1\t{3 + u % 2}\t{u}\n" for u in range(30)))
    (tmp_path / "u1.test").write_text("5\t1\t4\t5\n5\t2\t3\t6\n")
    split = SplitConfig(kind="predefined", train="u1.base", test="u1.test")
    run = execute(tmp_path / "out", tmp_path, split=split)

    assert values(run)["test"] == [("5", "2", 3.0, 6)]
    assert [tuple(row) for row in run.quarantined] == [("u1.test", 1, "duplicate", b"5\t1\t4\t5")]
    assert run.report["files"] == ["u1.base", "u1.test"]


def refusal(tmp_path: Path, **options: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        execute(tmp_path / "out", tmp_path, **options)
    return caught.value


def test_no_ratings(tmp_path: Path) -> None:
    write_csv(tmp_path)
    (tmp_path / "ratings.csv").write_bytes(HEADER)
    assert "no ratings in ratings.csv" in refusal(tmp_path).message


def test_no_valid_ratings(tmp_path: Path) -> None:
    write_csv(tmp_path)
    (tmp_path / "ratings.csv").write_bytes(HEADER + b"1,m1,9,1\n1,m1\n1,m1,8,1\n")
    error = refusal(tmp_path, data=DataConfig(rating_max=5))
    evidence = tmp_path / "out/quarantine/1-refused/quarantine.tsv"

    assert "none of the 3 ratings" in error.message
    assert "columns 1, rating_range 2" in error.message
    assert "data.rating_max = 9" in error.message
    assert str(evidence) in error.message
    assert evidence.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"test": 0.001}, "the test split is empty"),
        ({"kind": "leave_last", "test": 5}, "at least 7 ratings"),
        ({"kind": "temporal"}, "too many are equal"),
    ],
)
def test_empty_split(tmp_path: Path, split: dict[str, Any], expected: str) -> None:
    write_csv(tmp_path)
    (tmp_path / "ratings.csv").write_bytes(HEADER + b"1,m1,4,9\n1,m2,4,9\n2,m1,4,9\n")
    assert expected in refusal(tmp_path, split=SplitConfig(**split)).message


@pytest.mark.parametrize("kind", ["temporal", "leave_last"])
def test_split_by_time_without_times(tmp_path: Path, kind: str) -> None:
    sources.netflix(tmp_path)
    error = refusal(tmp_path, split=SplitConfig(kind=kind))
    assert "has no timestamps" in error.message


def test_damage_met_on_a_worker_is_bad_input(tmp_path: Path) -> None:
    rows = write_csv(tmp_path)
    packed = gzip.compress(HEADER + b"\n".join(rows))
    (tmp_path / "ratings.csv").write_bytes(packed[:-40])
    assert "stream is damaged" in refusal(tmp_path).message


def test_a_span_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / f"data/{number}"
        folder.mkdir(parents=True)
        write_csv(folder)
    window = find_window(str(tmp_path / "data/{SPAN}"))
    spans = {"spans": window.to_json()}
    paths = open_window(DataConfig(), window, SplitConfig()).paths
    chosen = {**spans, "input_fingerprint": files.fingerprint(paths)}
    # The second holds what the first does, and nobody minds.
    data = DataConfig(max_quarantined=1)
    run = execute(tmp_path / "a", tmp_path, data, spans=chosen)
    assert run.report["span"] == "2"
    assert run.report["spans"] == ["1", "2"]

    with (tmp_path / "data/1/ratings.csv").open("ab") as file:
        file.write(b"\n1,m1,4,1")
    with pytest.raises(BadInput, match="changed while they were read"):
        execute(tmp_path / "b", tmp_path, data, spans=chosen)

"""The same ratings, whatever they are written in, are the same data to a run."""

from __future__ import annotations

import bz2
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.config import DataConfig
from tests.reelflow.data.ingest.runs import execute

HEADER = ("user_id", "movie_id", "rating", "timestamp")
ROWS = [
    (f"u{user}", f"m{movie}", float((user * movie) % 5 + 1), 1_600_000_000 + 86_400 * user)
    for user in range(12)
    for movie in range(user % 7 + 3)
]


def text(delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(map(str, row)) + end for row in [HEADER, *ROWS])


def plain(folder: Path) -> None:
    (folder / "ratings.csv").write_text(text())


def tabs(folder: Path) -> None:
    (folder / "ratings.tsv").write_bytes(text("\t", "\r").replace(".0", ",0").encode())


def json_lines(folder: Path) -> None:
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS]
    (folder / "ratings.jsonl.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))


def parquet(folder: Path) -> None:
    columns = map(list, zip(*ROWS, strict=True))
    table = pa.table(dict(zip(HEADER, columns, strict=True)))
    pq.write_table(table, folder / "ratings.parquet", row_group_size=10)


def archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "set.zip", "w") as file:
        file.writestr("set/ratings.csv", text("::"))


def netflix_prize(folder: Path) -> None:
    for movie in range(9):
        rows = "".join(
            f"{u},{r:g},2020-09-{13 + int(u[1:])}\n" for u, m, r, _ in ROWS if m == f"m{movie}"
        )
        (folder / f"mv_{movie}.txt").write_text(f"{movie}:\n{rows}")


@pytest.mark.parametrize("write", [tabs, json_lines, parquet, archive])
def test_forms_and_containers_do_not_matter(tmp_path: Path, write: Callable[[Path], None]) -> None:
    reports = []
    for form in (plain, write):
        folder = tmp_path / form.__name__
        folder.mkdir()
        form(folder)
        data = DataConfig(chunk_bytes=1024, partitions=2)
        reports.append(execute(tmp_path / f"out-{form.__name__}", folder, data).report)
    expected, report = reports

    assert report["data_hash"] == expected["data_hash"]
    assert report["rows"] == expected["rows"]
    assert report["rows"]["kept"] == len(ROWS)


def test_netflix_prize(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    netflix_prize(folder)
    report = execute(tmp_path / "out", folder, DataConfig(partitions=2)).report

    assert report["format"] == "netflix-prize"
    assert report["rows"]["kept"] == report["rows"]["read"] == len(ROWS)
    assert report["users"] == 12

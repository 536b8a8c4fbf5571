"""Damaged rows are told from valid ones, exactly and wherever the blocks are cut."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelflow.data.formats.adapter import Layout, RatingsFile
from reelflow.data.forms.delimited import split_lines
from reelflow.data.parse import Parsed, Rules, parse_chunk, parse_rows
from reelflow.data.quarantine import NAMES
from reelflow.data.reading import plan_chunks
from reelflow.data.scale import Bounds

COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
CSV = Layout(b",", COLUMNS, quoted=True)
DAT = Layout(b"::", COLUMNS, quoted=False)
RULES = Rules(Bounds(0.5, 5.0), pa.array(["m1", "m2", "é"]))


def parsed(block: bytes, layout: Layout = CSV, rules: Rules = RULES) -> Parsed:
    return parse_rows(split_lines(block, 0, layout), 0, layout, rules)


def verdicts(block: bytes, layout: Layout = CSV, rules: Rules = RULES) -> list[str]:
    """Reason of each row in order, empty for a valid one."""
    result = parsed(block, layout, rules)
    at = dict.fromkeys(result.ratings.column("offset").to_pylist(), "")
    for row in result.rejected.to_pylist():
        at[row["offset"]] = NAMES[row["reason"]]
    assert result.read == len(at)
    return [at[offset] for offset in sorted(at)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"u1,m1,4.5,100", ""),
        (b" u1 , m1,\t4.5 , 100 ", ""),
        (b"u1,m1,.5,7.0", ""),
        (b"u1,m1,5.,0", ""),
        (b"u1,m1,5e0,0", ""),
        (b'"u1","m1","4","100"', ""),
        (b'"u,1",m1,4,100', ""),
        (b'u1,m1,4,"100"', ""),
        ("Zoë,é,4,1".encode(), ""),
        (b'"u1",m1,"4",100', ""),
        (b'"u ""1""",m1,4,100', ""),
        (b'u1,m1,4,100"', "timestamp"),
        (b'u1,"m1",4,1"00"', "timestamp"),
        (b'"","m1","4","100"', "empty_id"),
        (b'"u1""m1","m1","4","100"', ""),
        (b'"u1,m1","4","100"', "columns"),
        (b'"u1","m1","4","100",""', "columns"),
        (b'"u1","m1","4,"100"', "columns"),
        (b'"', "columns"),
        (b"u\xe91,m1,4,100", "encoding"),
        (b"u\xe91,m1", "encoding"),
        (b"u1,m1,4", "columns"),
        (b"u1,m1,4,100,x", "columns"),
        (b'u1,"m1,4,100', "columns"),
        (b'u1,"m1"x,4,100', "columns"),
        (b"u1,m1,4\r,100", "columns"),
        (b"x", "columns"),
        (b",m1,4,100", "empty_id"),
        (b"u1,,x,100", "empty_id"),
        (b'u1," ",4,100', "empty_id"),
        (b"u1,m1,,100", "rating"),
        (b"u1,m1,good,100", "rating"),
        (b"u1,m1,nan,100", "rating"),
        (b"u1,m1,-inf,100", "rating"),
        (b"u1,m1,1e999,100", "rating"),
        (b"u1,m1,0x4,100", "rating"),
        (b"u1,m1,5.5,100", "rating_range"),
        (b"u1,m1,0,x", "rating_range"),
        (b"u1,m1,-4,100", "rating_range"),
        (b"u1,m1,4,", "timestamp"),
        (b"u1,m1,4,100.5", ""),
        (b"u1,m1,4,-7", "timestamp_range"),
        (b"u1,m1,4,1600000000000", "timestamp_range"),
        (b"u1,m1,4,0x10", "timestamp"),
        (b"u1,m1,4,1234567890123456789", "timestamp"),
        (b"u1,m9,4,yesterday", "timestamp"),
        (b"u1,m9,4,100", "unknown_movie"),
    ],
)
def test_reasons(row: bytes, reason: str) -> None:
    assert verdicts(row) == [reason]
    assert verdicts(row + b"\r\n") == [reason]
    # Beside valid rows other paths are taken.
    good = b"u1,m1,4.5,100\n"
    assert verdicts(good + row + b"\n" + good) == ["", reason, ""]


@pytest.mark.parametrize("row", [b",,,", b" ", b' , ,"",\t', b",", b'"",""', b",,,,,,\r"])
def test_a_row_of_blank_cells_is_a_blank_line(row: bytes) -> None:
    good = b"u1,m1,4.5,100\n"
    assert verdicts(row) == []
    assert verdicts(good + row + b"\n" + good + b"u1,m1,good,1\n" + row) == ["", "", "rating"]


def test_values_that_stand_for_no_rating_are_neither_kept_nor_damaged() -> None:
    result = parsed(
        b"u1,m1,-1,1\nu1,m1,0,1\nu1,m1,4,1\nu1,m1,9,1\n", rules=replace(RULES, unrated=(-1, 0))
    )
    assert (result.ratings.num_rows, result.unrated, result.read) == (1, 2, 4)
    assert result.outside.tolist() == [9]


def test_values() -> None:
    table = parsed(b'u1,m1,4.5,100\n\n\r\n"u ""2""",m2,3,1').ratings

    assert table.drop(["file"]).to_pylist() == [
        {"user_id": "u1", "movie_id": "m1", "rating": 4.5, "timestamp": 100, "offset": 0},
        {"user_id": 'u "2"', "movie_id": "m2", "rating": 3.0, "timestamp": 1, "offset": 17},
    ]


def test_quotes_are_read_as_the_csv_module_reads_them() -> None:
    rng = np.random.default_rng(5)
    pieces = ["a", '"', '"', ",", ",", '""', '","', "b"]
    rows = ["".join(rng.choice(pieces, rng.integers(1, 12))) for _ in range(4_000)]
    layout = Layout(b",", ("user_id", "movie_id", "rating"), quoted=True)
    expected = []
    for row in rows:
        try:
            values = next(csv.reader([f"{row},1"], strict=True))
        except csv.Error:
            values = []
        expected.append(tuple(values[:2]) if len(values) == 3 and all(values) else None)
    block = "".join(f"{row},1\n" for row in rows).encode()
    result = parsed(block, layout, Rules(Bounds(0, 1), None)).ratings
    found = zip(result["user_id"].to_pylist(), result["movie_id"].to_pylist(), strict=True)

    assert list(found) == [pair for pair in expected if pair]
    assert result.num_rows > 20


def test_quotes_mean_nothing_where_the_format_has_none() -> None:
    table = parsed(b'"u1::m1::4::100\n', DAT).ratings
    assert table.column("user_id").to_pylist() == ['"u1']


def test_two_byte_delimiter() -> None:
    block = b"u1::m1::4::100\nu:1::m2::3::7\nu1::m1::4\nu1\x1fm1::4::100\nu1::m1::4::100::5\n"
    assert verdicts(block, DAT) == ["", "", "columns", "columns", "columns"]
    assert parsed(block, DAT).ratings.column("user_id").to_pylist() == ["u1", "u:1"]


def test_columns_in_any_order_and_without_time() -> None:
    layout = Layout(b",", ("rating", None, "movie_id", "user_id"), quoted=False)
    table = parsed(b"4,ignored,m1,u1\n", layout).ratings

    assert table.column("user_id").to_pylist() == ["u1"]
    assert table.column("timestamp").to_pylist() == [None]


def test_nothing_to_read() -> None:
    for block in (b"", b"\n\r\n\n"):
        result = parsed(block)
        assert (result.read, result.ratings.num_rows, result.rejected.num_rows) == (0, 0, 0)


def test_every_movie_is_accepted_without_movies_file() -> None:
    assert verdicts(b"u1,m9,4,100\n", rules=Rules(Bounds(0.5, 5), None)) == [""]


MIXED = (
    b"\xef\xbb\xbfu,m,r,t\r\n"
    + "Zoë,é,4,1\r\n".encode()
    + b'"u,1",m1,4,100\n\n'
    + b"u\xe91,m1,4,100\n"
    + b"u1,m1,4\r\n"
    + b"u1,m1,4,100\n"
    + b'u2,"m2",9,100'
)


@pytest.mark.parametrize("chunk_bytes", range(1, len(MIXED) + 2))
def test_chunk_boundaries_do_not_matter(tmp_path: Path, chunk_bytes: int) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(MIXED)
    file = RatingsFile(str(path), path.name, CSV, MIXED.index(b"\n") + 1)

    def read(size: int) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for chunk in plan_chunks([file], size):
            for result in parse_chunk([file], chunk, RULES, size):
                rows += [tuple(row.values()) for row in result.ratings.to_pylist()]
                rows += [tuple(row.values()) for row in result.rejected.to_pylist()]
        return sorted(rows, key=str)

    assert len(read(2**20)) == 6
    assert read(chunk_bytes) == read(2**20)


def test_one_long_line_among_short_ones() -> None:
    rows = b"u1,m1,4,100\n" * 1000
    long = b"u" * 3_000_000 + b",m1,4,100\n"
    assert parsed(rows + long + rows).ratings.num_rows == 2001


def test_many_damaged_rows_leave_the_others_intact() -> None:
    rng = np.random.default_rng(1)
    rows = [f"u{i},m1,4,{i}".encode() for i in range(3000)]
    broken = rng.choice(3000, 300, replace=False)
    for at in broken:
        rows[at] = rows[at].replace(b",", b";", 1)
    result = parsed(b"\r\n".join(rows))

    assert result.rejected.num_rows == 300
    kept = sorted(set(range(3000)) - set(broken.tolist()))
    assert result.ratings.column("user_id").to_pylist() == [f"u{i}" for i in kept]
    assert result.ratings.column("timestamp").to_pylist() == kept

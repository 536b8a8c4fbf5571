"""Refused rows are found again: file, line, reason and every byte."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest

from reelflow.data import schema
from reelflow.data.formats.adapter import Layout, RatingsFile
from reelflow.data.quarantine import (
    NAMES,
    QuarantinedRow,
    find_rows,
    write_quarantine,
)
from tests.ingested import read_quarantine

CONTENT = b'h\r\n\nok\nbad\t\xff one\r\nok\n\x00"two"\nlast'


def ratings_file(path: Path, content: bytes, gzipped: bool = False) -> RatingsFile:
    path.write_bytes(gzip.compress(content) if gzipped else content)
    return RatingsFile(str(path), path.name, Layout(b",", (), False), 3, "gzip" if gzipped else "")


def rejected(*rows: tuple[int, int, str]) -> pa.Table:
    files, offsets, reasons = zip(*rows, strict=True)
    codes = [NAMES.index(reason) for reason in reasons]
    return pa.table([list(files), list(offsets), codes], schema=schema.REJECTED)


@pytest.mark.parametrize("gzipped", [False, True])
def test_rows_come_back_byte_for_byte(tmp_path: Path, gzipped: bool) -> None:
    files = [
        ratings_file(tmp_path / "a", CONTENT, gzipped),
        ratings_file(tmp_path / "b", b"h\nx\n", gzipped),
    ]
    places = rejected(
        (1, 2, "rating"),
        (0, CONTENT.index(b"last"), "columns"),
        (0, CONTENT.index(b"bad"), "encoding"),
        (0, CONTENT.index(b"\x00"), "duplicate"),
    )
    expected = [
        QuarantinedRow("a", 4, "encoding", b"bad\t\xff one\r"),
        QuarantinedRow("a", 6, "duplicate", b'\\x00"two"'),
        QuarantinedRow("a", 7, "columns", b"last"),
        QuarantinedRow("b", 2, "rating", b"x"),
    ]
    sink = io.BytesIO()
    write_quarantine(find_rows(places, files), sink)

    assert sink.getvalue().startswith(b"file\tline\treason\trow\na\t4\tencoding\tbad\t\xff one\r\n")
    assert list(read_quarantine(io.BytesIO(sink.getvalue()))) == expected


def test_rows_far_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelflow.data.quarantine._BLOCK", 64)
    content = b"".join(b"row %d\n" % i for i in range(500))
    file = ratings_file(tmp_path / "a", content)
    wanted = [0, 1, 250, 251, 499]
    places = rejected(*[(0, content.index(b"row %d\n" % i), "rating") for i in wanted])

    found = list(find_rows(places, [file]))
    assert [(row.line, row.row) for row in found] == [(i + 1, b"row %d" % i) for i in wanted]


def test_a_hostile_row_does_nothing_in_a_terminal_or_a_spreadsheet() -> None:
    rows = {
        b"1::2\x1b]0;x\x07\x9b\xc2\x9b::5": rb"1::2\x1b]0;x\x07" + b"\x9b" + rb"\xc2\x9b::5",
        b"=1+1\t-2\t-2a\t+3,4\t@x\t 5": b"'=1+1\t-2\t'-2a\t'+3,4\t'@x\t 5",
        b"1,x\r=1,2\r": rb"1,x\x0d=1,2" + b"\r",
        b"1,two\nlines": rb"1,two\nlines",
        b"-1,2,3.5,\xff": b"'-1,2,3.5,\xff",
        b"1,-2,3.5": b"1,-2,3.5",
        "１\t＝1".encode(): "１\t'＝1".encode(),
    }
    sink = io.BytesIO()
    write_quarantine((QuarantinedRow("=f", 3, "columns", row) for row in rows), sink)

    lines = sink.getvalue().split(b"\n")[1:-1]
    assert lines == [b"'=f\t3\tcolumns\t" + row for row in rows.values()]

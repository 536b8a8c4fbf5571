"""What the random folders of `tests/reelflow/data/fuzz.py` have found, one line of truth each."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.base.errors import BadInput
from reelflow.config.loading import load
from reelflow.data.formats.cells import parse_list
from reelflow.data.formats.source import Source
from reelflow.data.inputs import open_data
from reelflow.data.inspection import inspect
from reelflow.data.parse import Rules, parse_files

PLAIN = b"user_id,movie_id,rating\n1,2,3\n"


def opened(folder: Path) -> Source:
    return open_data(load(), str(folder))


def test_a_zip_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("ratings.csv", PLAIN)
    data = bytearray(sink.getvalue())
    data[data.rindex(b"PK\x01\x02") + 6] = 109  # the version that is needed to extract
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(BadInput, match=r"set\.zip cannot be unpacked: zip file version 10\.9"):
        opened(tmp_path)


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(PLAIN)
    (tmp_path / "movies.jsonl").write_bytes(
        b'{"movie_id": "2", "title": "\\ud83d\\ude00"}\n{"movie_id": "3", "title": "\\ud83d"}\n'
    )
    reading = opened(tmp_path).movies_reading()
    assert reading is not None
    assert reading.table.column("title").to_pylist() == ["\U0001f600"]
    assert reading.summaries[0].quarantined == {"encoding": 1}
    assert parse_list('["\\ud83d\\ude00"]') == ["\U0001f600"]
    assert parse_list('["\\ud83d"]') is None


def test_a_compressed_file_with_a_header_alone_has_no_row(tmp_path: Path) -> None:
    (tmp_path / "ratings-1.csv").write_bytes(PLAIN * 1)
    (tmp_path / "ratings-2.csv.gz").write_bytes(gzip.compress(PLAIN.splitlines()[0] + b"\n"))
    found = inspect(load(), str(tmp_path))
    assert found.summary.rows.read == found.summary.rows.kept == 1


def test_two_columns_of_a_parquet_file_with_one_name(tmp_path: Path) -> None:
    table = pa.table(
        [["1"], ["2"], [3.0], [4.0]], names=["user_id", "movie_id", "rating", "rating"]
    )
    pq.write_table(table, tmp_path / "ratings.parquet")
    with pytest.raises(BadInput, match="several columns are called rating"):
        opened(tmp_path)


def test_nulls_of_a_parquet_file_are_no_ratings(tmp_path: Path) -> None:
    ratings = pa.array(["4", None, "5"]).dictionary_encode()
    table = pa.table({"user_id": ["1", "2", "3"], "movie_id": ["1", "2", "3"], "rating": ratings})
    pq.write_table(table, tmp_path / "ratings.parquet")
    source = opened(tmp_path)
    ((_, parsed),) = parse_files(source.ratings_files, Rules.of(source, None), 2**20)
    assert parsed.ratings.column("rating").to_pylist() == [4.0, 5.0]
    assert parsed.rejected.num_rows == 1


def test_a_readme_is_no_table_and_a_workbook_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("Read me.\n")
    with pytest.raises(
        BadInput, match=r"No ratings files were recognised in .*: found README\.txt"
    ):
        opened(tmp_path)
    (tmp_path / "README.txt").unlink()
    (tmp_path / "ratings.xlsx").write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(BadInput, match="an Excel workbook"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("decimal", "values"),
    [(".", [1234.0, 2000.5, 12.0, 1_234_567.0]), (",", [1.234, None, 12.0, None])],
)
def test_commas_between_thousands_are_asked_for(
    tmp_path: Path, decimal: str, values: list[float | None]
) -> None:
    cells = ("1,234", "2,000.5", "12", "1,234,567")
    text = "".join(f'{i};{i};"{cell}"\n' for i, cell in enumerate(cells))
    (tmp_path / "ratings.csv").write_text(f"user_id;movie_id;plays\n{text}")
    mapping = 'data.columns={rating="plays"}'
    source = open_data(load(None, [mapping, f'data.decimal="{decimal}"']), str(tmp_path))
    ((_, parsed),) = parse_files(source.ratings_files, Rules.of(source, None), 2**20)
    expected = [value for value in values if value is not None]
    assert parsed.ratings.column("rating").to_pylist() == pytest.approx(expected)

    (tmp_path / "ratings.csv").write_text('user_id,movie_id,rating\n1,1,"1,234"\n2,2,7\n')
    with pytest.raises(BadInput, match="1,234 may stand between thousands"):
        opened(tmp_path)

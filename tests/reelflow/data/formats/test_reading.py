"""Files as people have them are read right: one line of truth for each form."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format, SplitConfig
from reelflow.data.formats.adapter import Form
from reelflow.data.formats.source import Source, open_source
from reelflow.data.parse import Rules, parse_chunk
from reelflow.data.quarantine import find_rows
from reelflow.data.reading import plan_chunks

Row = tuple[Any, ...]
TWO = [("u1", "m1", 4.0, 1_600_000_000), ("u2", "m2", 3.5, 1_600_000_060)]
PLAIN = "user_id,movie_id,rating,timestamp\nu1,m1,4,1600000000\nu2,m2,3.5,1600000060\n"


def opened(folder: Path, **data: Any) -> Source:
    return open_source(DataConfig(**data), str(folder), SplitConfig())


def rows(source: Source, block_bytes: int = 2**20) -> list[Row]:
    """All valid ratings, in order of file and place."""
    found: list[Row] = []
    for chunk in plan_chunks(source.ratings_files, block_bytes):
        for parsed in parse_chunk(source.ratings_files, chunk, Rules.of(source, None), block_bytes):
            found += [tuple(row.values())[:4] for row in parsed.ratings.to_pylist()]
    return found


def refused(source: Source) -> list[tuple[int, str, bytes]]:
    """Line, reason and bytes of every refused row."""
    tables = [
        parsed.rejected
        for chunk in plan_chunks(source.ratings_files, 2**20)
        for parsed in parse_chunk(source.ratings_files, chunk, Rules.of(source, None))
    ]
    found = find_rows(pa.concat_tables(tables), source.ratings_files)
    return [(row.line, row.reason, row.row) for row in found]


def refusal(folder: Path, **data: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        opened(folder, **data)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\n\n" + PLAIN,
        "# made on Monday\n#\n" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        "#" + PLAIN,
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "::"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", " "),
        PLAIN.replace(",", "   ").replace("u1", "  u1"),
        PLAIN.replace(",", ";").replace("3.5", "3,5"),
        PLAIN.replace(",", "\t").replace("3.5", "3,5"),
        PLAIN.replace("3.5", '"3,5"').replace("4", '"4,0"', 1),
        '"user_id","movie_id","rating","timestamp"\n"u1","m1","4","1600000000"\n'
        '"u2","m2","3.5","1600000060"\n',
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "u1\tm1\t4\t1600000000\nu2\tm2\t3.5\t1600000060\n",
        PLAIN.replace("1600000000", "1600000000.0").replace("1600000060", "1600000060.0"),
        PLAIN.replace("00000000", "00000000000").replace("00000060", "00000060999"),
        PLAIN.replace("1600000000", "2020-09-13 12:26:40").replace(
            "1600000060", "2020-09-13T13:27:40.25+01:00"
        ),
        PLAIN.replace("1600000000", "2020/09/13 12:26:40").replace(
            "1600000060", "2020/09/13 12:27:40"
        ),
        PLAIN.replace("1600000000", "20200913122640").replace("1600000060", "20200913122740"),
    ],
)
def test_delimited_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "ratings.csv").write_bytes(text.encode())
    source = opened(tmp_path)

    assert rows(source) == TWO
    assert rows(source, 7) == TWO
    assert source.ratings_files[0].layout.declared == set()


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("ratings.csv.gz", gzip.compress),
        ("ratings.csv.bz2", bz2.compress),
        ("ratings.csv.xz", lzma.compress),
        ("ratings.csv", gzip.compress),
    ],
)
def test_compressed_text(tmp_path: Path, name: str, compress: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(compress(PLAIN.encode()))
    source = opened(tmp_path)

    assert rows(source) == TWO
    assert source.ratings_files[0].compression in ("gzip", "bzip2", "xz")


def test_latin_1_is_taken_where_a_file_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(PLAIN.replace("u1", "José").encode("latin-1"))
    source = opened(tmp_path)

    assert rows(source)[0][0] == "José"
    assert source.ratings_files[0].layout.encoding == "latin-1"
    # Declared, it is damage.
    assert refused(opened(tmp_path, encoding="utf-8")) == [
        (2, "encoding", "José,m1,4,1600000000".encode("latin-1"))
    ]


def test_a_damaged_line_does_not_make_a_file_latin_1(tmp_path: Path) -> None:
    text = PLAIN.replace("u1", "José").encode() + "Jos\xe9,m1,4,1\n".encode("latin-1")
    (tmp_path / "ratings.csv").write_bytes(text)
    assert [line for line, *_ in refused(opened(tmp_path))] == [4]


@pytest.mark.parametrize("where", [["u1"], ["m2"]])
def test_nul_bytes_are_damage(tmp_path: Path, where: list[str]) -> None:
    (tmp_path / "ratings.csv").write_text(PLAIN.replace(where[0], "u\0"))
    assert [reason for _, reason, _ in refused(opened(tmp_path))] == ["encoding"]


def test_rows_without_a_header_by_position(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(PLAIN.partition("\n")[2])
    error = refusal(tmp_path)

    assert "the first line looks like data" in error.message
    assert "data.header = false" in error.remedy
    positions = {"user_id": "1", "movie_id": "2", "rating": "3", "timestamp": "4"}
    listed = ", ".join(f'{column} = "{at}"' for column, at in positions.items())
    assert listed in error.remedy
    assert rows(opened(tmp_path, header=False, columns=positions)) == TWO
    assert rows(opened(tmp_path, columns=positions)) == TWO


def test_times_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(PLAIN.replace("1600000", "some day "))
    error = refusal(tmp_path)

    assert "some day 000" in error.message
    assert "data.timestamp_format" in error.remedy
    for options in ({"timestamps": False}, {"columns": {"timestamp": ""}}):
        source = opened(tmp_path, **options)
        assert not source.has_timestamps
        assert rows(source) == [(*row[:3], None) for row in TWO]


def test_times_by_a_format(tmp_path: Path) -> None:
    text = PLAIN.replace("1600000000", "04/05/2020").replace("1600000060", "06/05/2020")
    (tmp_path / "ratings.csv").write_text(text)
    assert "timestamp_format" in refusal(tmp_path).remedy  # day or month

    found = rows(opened(tmp_path, timestamp_format="%d/%m/%Y"))
    assert [row[3] for row in found] == [1588550400, 1588723200]


class TestJsonLines:
    LINES = (
        {"user_id": "u1", "asin": "m1", "overall": 4.0, "timestamp": 1600000000, "x": [1]},
        {"user_id": "u2", "asin": "m2", "overall": 3.5, "timestamp": 1600000060, "x": {"a": 1}},
    )

    def text(self) -> str:
        return "".join(json.dumps(line) + "\n" for line in self.LINES)

    def test_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "ratings.jsonl").write_text(self.text())
        source = opened(tmp_path, ratings="ratings.jsonl")

        assert rows(source) == rows(source, 30) == TWO
        assert source.ratings_files[0].layout.form is Form.JSON_LINES
        assert source.ratings_files[0].layout.unused == ["x"]

    def test_damaged_lines_are_put_aside(self, tmp_path: Path) -> None:
        bad = ["{}", '{"user_id": "u1"', "[]", '{"user_id": ["a"], "asin": "m"}', "null"]
        more = '{"user_id": 7, "asin": 8, "overall": "2", "timestamp": "1600000000"}'
        lines = [*self.text().splitlines(), *bad, more, '{"user_id": "\\ud800", "asin": "1"}']
        (tmp_path / "r.json").write_text("\n".join(lines))
        source = opened(tmp_path, ratings="r.json")

        assert rows(source) == rows(source, 20) == [*TWO, ("7", "8", 2.0, 1_600_000_000)]
        assert [(line, reason) for line, reason, _ in refused(source)] == [
            (3, "empty_id"),
            *((line, "columns") for line in range(4, 8)),
            (9, "encoding"),
        ]
        assert [row.decode() for *_, row in refused(source)][:5] == bad

    def test_arrays_are_refused_with_words(self, tmp_path: Path) -> None:
        (tmp_path / "ratings.json").write_text(json.dumps(self.LINES))
        assert "JSON array" in refusal(tmp_path, ratings="*.json").message


class TestNetflixPrize:
    TEXT = "11:\n901,1,2004-01-11\n902,4,2004-02-12\n\n12:\n901,3,2004-01-11\nx\n903,5,\n7:\n8:\n"

    def test_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "combined_data_1.txt").write_text(self.TEXT)
        source = opened(tmp_path, ratings="combined*")

        assert rows(source) == [
            ("901", "11", 1.0, 1073779200),
            ("902", "11", 4.0, 1076544000),
            ("901", "12", 3.0, 1073779200),
        ]
        assert refused(source) == [(7, "columns", b"x"), (8, "timestamp", b"903,5,")]

    def test_chunks_know_their_movie(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("reelflow.data.forms.netflix_prize._WINDOW", 16)
        rng = np.random.default_rng(3)
        lines, expected = [], []
        for movie in range(40):
            lines.append(f"{movie}:")
            for user in range(rng.integers(0, 9)):
                lines.append(f"{user},{user % 5 + 1},2004-01-11")
                expected.append((str(user), str(movie)))
        (tmp_path / "combined_data_1.txt").write_text("\n".join(lines) + "\n")
        source = opened(tmp_path, ratings="combined*")
        for size in (1, 2, 3, 5, 17, 100):
            assert [row[:2] for row in rows(source, size)] == expected


class TestParquet:
    def write(self, folder: Path, **columns: Any) -> Path:
        path = folder / "ratings.parquet"
        table = {"user_id": ["u1", "u2"], "movie_id": ["m1", "m2"], "rating": [4.0, 3.5]}
        pq.write_table(pa.table({**table, **columns}), path, row_group_size=1)
        return path

    @pytest.mark.parametrize(
        "times",
        [
            pa.array([1600000000, 1600000060]),
            pa.array([1600000000, 1600000060], pa.timestamp("s")),
            pa.array([1600000000123, 1600000060999], pa.timestamp("ms", "Europe/Paris")),
            pa.array([1600000000.0, 1600000060.5]),
            pa.array([1600000000123, 1600000060999]),
            pa.array(["2020-09-13 12:26:40", "2020-09-13 12:27:40"]),
            pa.array(["1600000000", "1600000060"]).dictionary_encode(),
        ],
    )
    def test_is_read(self, tmp_path: Path, times: pa.Array) -> None:
        self.write(tmp_path, timestamp=times, unused=[[1], []])
        source = opened(tmp_path, ratings="ratings.parquet")

        assert rows(source) == rows(source, 1) == TWO
        assert len(plan_chunks(source.ratings_files, 1)) == 2
        assert source.ratings_files[0].layout.unused == ["unused"]

    def test_ids_are_texts(self, tmp_path: Path) -> None:
        self.write(tmp_path, user_id=[7, None], movie_id=[2.0, 2.5])
        source = opened(tmp_path, ratings="ratings.parquet")

        assert rows(source) == [("7", "2", 4.0, None)]
        [(number, reason, row)] = refused(source)
        assert (number, reason) == (2, "empty_id")
        assert json.loads(row) == {"user_id": None, "movie_id": 2.5, "rating": 3.5}

    def test_damage_is_said(self, tmp_path: Path) -> None:
        path = self.write(tmp_path)
        path.write_bytes(path.read_bytes()[:-20])
        assert "the Parquet file is damaged" in refusal(tmp_path, ratings="*.parquet").message

    def test_nothing_in_a_file_is_run(self, tmp_path: Path) -> None:
        """A type of Python's own is pickled code (CVE-2023-47248)."""
        sign = tmp_path / "sign"
        if not hasattr(pa, "PyExtensionType"):
            pytest.skip("this Arrow has no such types")

        class Bomb(pa.PyExtensionType):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(pa.int64())

            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(sign),)

        hidden = pa.ExtensionArray.from_storage(Bomb(), pa.array([1, 2]))
        nested = pa.StructArray.from_arrays([hidden], ["x"])
        for column in (hidden, nested):
            self.write(tmp_path, extra=column)
            assert "extension type" in refusal(tmp_path, ratings="*.parquet").message
            assert not sign.exists()

    def test_lists_are_no_ids(self, tmp_path: Path) -> None:
        self.write(tmp_path, user_id=[["u1"], ["u2"]])
        assert "list" in refusal(tmp_path, ratings="*.parquet").message


class TestShapesThatAreNoRatings:
    def test_matrix(self, tmp_path: Path) -> None:
        header = "user," + ",".join(f"film{at}" for at in range(30))
        body = "\n".join(f"{u}," + ",".join("" if m % 3 else "4" for m in range(30)) for u in "ab")
        (tmp_path / "ratings.csv").write_text(f"{header}\n{body}\n")
        error = refusal(tmp_path)

        assert "one wide matrix" in error.message
        assert "melt" in error.remedy
        jester = "\n".join(",".join(["74", *["-7.82", "99"] * 50]) for _ in range(3))
        (tmp_path / "ratings.csv").write_text(jester)
        assert "one wide matrix" in refusal(tmp_path).message

    @pytest.mark.parametrize(
        "header",
        [
            "Title,Date",
            "Const,Your Rating,Date Rated,Title",
            "Date,Name,Year,Letterboxd URI,Rating",
        ],
    )
    def test_exports_of_one_person(self, tmp_path: Path, header: str) -> None:
        cells = ",".join("x" for _ in header.split(","))
        (tmp_path / "ratings.csv").write_text(f"{header}\n{cells}\n")
        assert "of one person" in refusal(tmp_path).message

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"PK\x03\x04rest", "Excel"),
            (b"<html><body>404</body></html>", "HTML"),
            (PLAIN.encode("utf-16"), "UTF-16"),
            (bytes(range(256)), "longer|header|no text"),
            (b"\n \n\n", "blank lines"),
        ],
    )
    def test_files_of_other_kinds(self, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "ratings.csv").write_bytes(content)
        assert any(word in refusal(tmp_path).message for word in words.split("|"))


def test_zip_needs_no_unpacking(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("ml/ratings.csv", PLAIN)
        archive.writestr("ml/movies.csv", "movie_id,title\nm1,A\nm2,B\n")
        archive.writestr("__MACOSX/ml/._ratings.csv", b"\0")
    source = opened(tmp_path)

    assert rows(source) == TWO
    assert source.ratings_files[0].name == "ml.zip!ml/ratings.csv"
    movies = source.read_movies()
    assert movies is not None
    assert movies.column("title").to_pylist() == ["A", "B"]


class TestWhichFilesAreRead:
    def write(self, folder: Path, *names: str, text: str = PLAIN) -> None:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    @pytest.mark.parametrize(
        "name",
        ["ratings.tsv", "ratings.txt", "rating.csv", "Ratings.csv", "ratings_2020.dat", "x.inter"],
    )
    def test_usual_names_are_found(self, tmp_path: Path, name: str) -> None:
        self.write(tmp_path, name, text=PLAIN.replace(",", "\t"))
        assert rows(opened(tmp_path)) == TWO

    def test_the_only_table_of_ratings_is_taken(self, tmp_path: Path) -> None:
        self.write(tmp_path, "log.csv")
        self.write(tmp_path, "tags.csv", text="tag,count\nx,1\n")
        source = opened(tmp_path)

        assert [file.name for file in source.ratings_files] == ["log.csv"]
        assert source.adapter.only_table
        self.write(tmp_path, "log2.csv")
        assert "log.csv, log2.csv" in refusal(tmp_path).message

    def test_the_only_file_says_what_it_lacks(self, tmp_path: Path) -> None:
        self.write(tmp_path, "NetflixViewingHistory.csv", text="Title,Date\nx,1/2/20\n")
        assert "viewing history" in refusal(tmp_path).message

    def test_the_same_file_compressed_is_not_read_again(self, tmp_path: Path) -> None:
        self.write(tmp_path, "ratings.csv", "ratings.parquet")
        (tmp_path / "ratings.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
        source = opened(tmp_path)

        assert rows(source) == TWO
        assert source.look_alikes == ("ratings.csv.gz", "ratings.parquet")

    def test_two_archives_may_be_two_sets(self, tmp_path: Path) -> None:
        for name in ("a.zip", "b.zip"):
            with zipfile.ZipFile(tmp_path / name, "w") as archive:
                archive.writestr("ratings.csv", PLAIN)
        assert "may be two data sets" in refusal(tmp_path).message
        assert rows(opened(tmp_path, ratings="a.zip!*")) == TWO

    def test_netflix_prize_as_published(self, tmp_path: Path) -> None:
        self.write(tmp_path, "training_set/mv_1.txt", text="1:\nu,4,2004-01-11\n")
        self.write(tmp_path, "training_set/mv_2.txt", text="2:\nu,5,2004-01-11\n")
        self.write(tmp_path, "movie_titles.txt", text="1,2003,One, Two\n2,NULL,Two\n")
        source = opened(tmp_path)

        assert source.format is Format.NETFLIX_PRIZE
        assert [row[:3] for row in rows(source)] == [("u", "1", 4.0), ("u", "2", 5.0)]
        movies = source.read_movies()
        assert movies is not None
        assert movies.column("title").to_pylist() == ["One, Two", "Two"]

    def test_book_crossing(self, tmp_path: Path) -> None:
        text = '"User-ID";"ISBN";"Book-Rating"\n"1";"034X";"0"\n"2";"034X";"5"\n'
        self.write(tmp_path, "BX-Book-Ratings.csv", text=text)
        source = opened(tmp_path)

        assert source.format is Format.BOOK_CROSSING
        assert rows(source) == [("2", "034X", 5.0, None)]
        assert source.unrated == (0.0,)

    def test_damaged_archive(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ratings.csv", PLAIN * 9)
        data = bytearray((tmp_path / "a.zip").read_bytes())
        data[45] ^= 0xFF
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(BadInput):
            rows(opened(tmp_path))
        (tmp_path / "a.zip").write_bytes(data[:60])
        assert "zip archive is damaged" in refusal(tmp_path).message

    def test_small_files_are_read_together(self, tmp_path: Path) -> None:
        expected = []
        for number in range(30):
            text = "".join(f"u{u},m{number},4,{number + u}\n" for u in range(number % 4))
            bad = f"x{number}\n"
            self.write(tmp_path, f"ratings-{number:02}.csv", text=PLAIN[:34] + text + bad)
            expected += [(f"u{u}", f"m{number}", 4.0, number + u) for u in range(number % 4)]
        source = opened(tmp_path)

        assert len(plan_chunks(source.ratings_files, 2**20)) == 1
        assert len(plan_chunks(source.ratings_files, 2**12)) > 2
        for size in (2**20, 2**12, 300):
            assert rows(source, size) == expected
        assert [line for line, *_ in refused(source)] == [2 + number % 4 for number in range(30)]

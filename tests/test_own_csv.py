"""Each line of the table in docs/how-to/own-csv.md, tried on made-up files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.base.errors import BadInput
from reelflow.config.loading import load
from reelflow.data.inspection import inspect
from tests.reelflow.data.fuzz import Files, zipped

PAGE: Final = Path(__file__).parents[1] / "docs" / "how-to" / "own-csv.md"
HEADING: Final = "## What is read, asked for and refused"
OUTCOMES: Final = ("read", "asked for", "refused")


class Line(NamedTuple):
    """A line of the table."""

    files: str
    outcome: str
    more: str

    @property
    def settings(self) -> list[str]:
        """The settings that the line names, as overrides."""
        return re.findall(r"`(data\.[^`]*=[^`]*)`", self.more)

    @property
    def said(self) -> list[str]:
        """The words of the message, which stand in quotes."""
        return re.findall(r"“([^”]*)”", self.more)


def lines() -> list[Line]:
    """Read the table."""
    text = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    rows = [row.strip("|").split(" | ") for row in text.splitlines() if row.startswith("|")]
    return [Line(*(cell.strip() for cell in row)) for row in rows[2:]]


ROWS: Final = [
    (str(user), str(movie), str(1 + (user * movie) % 5), str(1_400_000_000 + 86_400 * at))
    for at, (user, movie) in enumerate(
        (user, movie) for user in range(1, 9) for movie in range(1, 7)
    )
]
"""Ratings of eight users, of six movies each."""
HEADER: Final = ("user_id", "movie_id", "rating", "timestamp")


def table(
    header: Sequence[str] | None = HEADER,
    rows: Sequence[Sequence[str]] = ROWS,
    by: str = ",",
    end: str = "\n",
) -> bytes:
    """Return a table as text."""
    return "".join(by.join(row) + end for row in [*([header] if header else []), *rows]).encode()


def ratings(change: str, *, at: int) -> list[tuple[str, ...]]:
    """Return the rows with one column changed, by a format of user, movie, rating and time."""
    return [(*row[:at], change.format(*row), *row[at + 1 :]) for row in ROWS]


def parquet() -> bytes:
    sink = io.BytesIO()
    columns = zip(*ROWS, strict=True)
    pq.write_table(pa.table(dict(zip(HEADER, map(list, columns), strict=True))), sink)
    return sink.getvalue()


def json_lines() -> bytes:
    rows = (json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS)
    return "\n".join(rows).encode()


MOVIES: Final = table(("movie_id", "title"), [(str(i), f"Amélie {i} (2001)") for i in range(1, 7)])
_PRIZE: Final = "".join(
    f"{movie}:\n" + "".join(f"{u},{r},2005-09-0{1 + int(u)}\n" for u, m, r, _ in ROWS if m == movie)
    for movie in map(str, range(1, 7))
).encode()
_BOOKS: Final = [
    (f'"{user}"', f'"034545104{movie}"', f'"{2 * int(r)}"') for user, movie, r, _ in ROWS
]
_WIDE: Final = [[str(user), *(str(user * joke % 7) for joke in range(30))] for user in range(9)]
_METADATA: Final = [
    (f"{i}00", "\"[{'id': 18, 'name': 'Drama'}]\"", f"tt01{i}", f"Title {i}") for i in range(1, 7)
]

FILES: Final[dict[str, list[Files]]] = {
    "Columns by comma, semicolon, tab, bar or `::`": [
        {"ratings.csv": table(by=by)} for by in (",", ";", "\t", "|", "::")
    ],
    "Values in quotes, a byte order mark, line ends of Windows or of an old Mac": [
        {"ratings.csv": table(HEADER, [[f'"{cell}"' for cell in row] for row in ROWS])},
        {"ratings.csv": b"\xef\xbb\xbf" + table()},
        {"ratings.csv": table(end="\r\n")},
        {"ratings.csv": table(end="\r")},
    ],
    "UTF-8, and Latin-1 where a file is no UTF-8": [
        {"ratings.csv": table(), "movies.csv": MOVIES},
        {"ratings.csv": table(), "movies.csv": MOVIES.decode().encode("latin-1")},
    ],
    "Numbers with a decimal comma": [
        {"ratings.csv": table(rows=ratings("{2},5", at=2), by=by)} for by in (";", "\t")
    ],
    "Times in seconds, also with `.0`, in milliseconds, as ISO 8601 or as a date": [
        {"ratings.csv": table(rows=ratings(form, at=3))}
        for form in ("{3}", "{3}.0", "{3}000", "2015-0{0}-1{1}T08:30:00Z", "2015-0{0}-1{1}")
    ],
    "Any of these as `.gz`, `.bz2` or `.xz`, or in a `.zip`": [
        {"ratings.csv.gz": gzip.compress(table())},
        {"ratings.csv.bz2": bz2.compress(table())},
        {"ratings.csv.xz": lzma.compress(table())},
        {"set.zip": zipped({"ratings.csv": table(), "movies.csv": MOVIES}, "set/")},
    ],
    "Parquet": [{"ratings.parquet": parquet()}],
    "JSON lines": [{"ratings.jsonl": json_lines()}],
    "Ratings on any scale: 0 to 10, -10 to 10, per cent": [
        {"ratings.csv": table(rows=ratings(form, at=2))} for form in ("{2}0", "-{2}", "{2}.5")
    ],
    "No ratings: each row is a view, a purchase, a play": [
        {"ratings.csv": table(HEADER[:2], [row[:2] for row in ROWS])}
    ],
    "MovieLens 100K, 1M, 10M, 20M, 25M, 32M, latest": [
        {
            "u.data": table(None, by="\t"),
            "u.item": b"".join(b"%d|T (1999)|||%s\n" % (i, b"|0" * 19) for i in range(1, 7)),
        },
        {
            "ratings.dat": table(None, by="::"),
            "movies.dat": b"".join(b"%d::T::Drama\n" % i for i in range(1, 7)),
        },
        {
            "ratings.csv": table(("userId", "movieId", "rating", "timestamp")),
            "movies.csv": table(
                ("movieId", "title", "genres"), [(str(i), "T", "Drama") for i in range(1, 7)]
            ),
        },
    ],
    "MovieTweetings, with 0 to 10 and UTF-8": [
        {
            "ratings.dat": table(None, ratings("{2}0", at=2), by="::"),
            "movies.dat": "".join(f"{i}::Amélie (2001)::Drama\n" for i in range(1, 7)).encode(),
        }
    ],
    "Netflix as CSV, and the text files of the Netflix Prize": [
        {
            "Netflix_Dataset_Rating.csv": table(
                ("User_ID", "Rating", "Movie_ID"), [(u, r, m) for u, m, r, _ in ROWS]
            ),
            "Netflix_Dataset_Movie.csv": table(
                ("Movie_ID", "Year", "Name"), [(str(i), "1999", "T") for i in range(1, 7)]
            ),
        },
        {
            "combined_data_1.txt": _PRIZE,
            "movie_titles.csv": b"".join(b"%d,NULL,T, 2\n" % i for i in range(1, 7)),
        },
    ],
    "Book-Crossing": [
        {
            "BX-Book-Ratings.csv": table(('"User-ID"', '"ISBN"', '"Book-Rating"'), _BOOKS, ";"),
            "BX-Books.csv": table(
                ('"ISBN"', '"Book-Title"'), [(f'"034545104{i}"', '"T"') for i in range(1, 7)], ";"
            ),
        }
    ],
    "RecBole's atomic files": [
        {
            "set.inter": table(
                ("user_id:token", "item_id:token", "rating:float", "timestamp:float"), by="\t"
            )
        }
    ],
    "Kaggle's `rating.csv` and `movie.csv`": [
        {
            "rating.csv": table(("userId", "movieId", "rating", "timestamp")),
            "movie.csv": table(
                ("movieId", "title", "genres"), [(str(i), "T", "Drama") for i in range(1, 7)]
            ),
        }
    ],
    "Kaggle's `movies_metadata.csv`, `links.csv` and `credits.csv`": [
        {
            "ratings.csv": table(("userId", "movieId", "rating", "timestamp")),
            "movies_metadata.csv": table(("id", "genres", "imdb_id", "title"), _METADATA),
            "links.csv": table(
                ("movieId", "imdbId", "tmdbId"), [(str(i), f"01{i}", f"{i}00") for i in range(1, 7)]
            ),
            "credits.csv": table(
                ("cast", "crew", "id"), [("[]", "[]", f"{i}00") for i in range(1, 7)]
            ),
        }
    ],
    "The only table of ratings, whatever its name": [
        {"likes.csv": table(), "README.txt": b"Read me.\n", "photo.jpg": b"\xff\xd8\xff\xe0"}
    ],
    "A table without a header": [{"ratings.csv": table(None)}],
    "Columns by other names": [{"ratings.csv": table(("who", "what", "stars", "when"))}],
    "A column that may hold ratings or not": [
        {"ratings.csv": table(("user_id", "movie_id", "plays"), [row[:3] for row in ROWS])}
    ],
    "Days and months that cannot be told apart": [
        {"ratings.csv": table(rows=ratings("0{0}/0{1}/2015", at=3))}
    ],
    "Commas that may stand between thousands": [
        {"ratings.csv": table(rows=ratings("{2},{3:.3}", at=2), by=by)} for by in (";", "\t")
    ],
    "Several tables of ratings under other names": [
        {"likes.csv": table(), "likes-2.csv": table(rows=ROWS[:20])}
    ],
    "A file and its copy or sample": [
        {"ratings.csv": table(), "ratings-small.csv": table(rows=ROWS[:20])},
    ],
    "A column for each movie": [
        {"ratings.csv": table(("user", *(f"joke{i}" for i in range(30))), _WIDE)}
    ],
    "The export of one person: IMDb, Letterboxd, Netflix": [
        {
            "ratings.csv": table(
                ("Const", "Your Rating", "Date Rated", "Title"),
                [("tt01", "10", "2019-01-05", "Heat")],
            )
        },
        {
            "ratings.csv": table(
                ("Date", "Name", "Year", "Letterboxd URI", "Rating"),
                [("2021-03-01", "Heat", "1995", "https://boxd.it/1", "4.5")],
            )
        },
        {"ratings.csv": table(("Title", "Date"), [("Heat", "1/5/20")])},
    ],
    "A JSON array": [{"ratings.json": b"[" + json_lines().replace(b"\n", b",") + b"]"}],
    "A web page saved as CSV": [
        {"ratings.csv": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"}
    ],
    "An Excel workbook": [
        {"ratings.xlsx": zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})},
        {"ratings.csv": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)},
    ],
    "UTF-16": [{"ratings.csv": table().decode().encode("utf-16")}],
    "A damaged or incomplete archive": [
        {"ratings.csv.gz": gzip.compress(table())[:-20]},
        {"set.zip": zipped({"ratings.csv": table()})[:-40]},
    ],
    "An empty file": [{"ratings.csv": b""}],
    "Nothing of the kind: photos, a README": [
        {"IMG_1.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)), "README.txt": b"Read me.\n"}
    ],
}
"""Made-up files of each line of the table."""


def test_every_line_has_files_and_every_file_a_line() -> None:
    table = lines()
    assert [line.files for line in table] == list(FILES)
    assert {line.outcome for line in table} == set(OUTCOMES)


@pytest.mark.parametrize("line", lines(), ids=lambda line: re.sub(r"\W+", " ", line.files).strip())
def test_the_line_is_true(line: Line, tmp_path: Path) -> None:
    for at, files in enumerate(FILES[line.files]):
        folder = tmp_path / str(at)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if line.outcome != "read":
            with pytest.raises(BadInput) as refused:
                inspect(load(), str(folder)).raise_for_refusal()
            words = str(refused.value)
            assert all(said in words for said in line.said), words
            for setting in line.settings:
                assert setting.partition("=")[0].strip() in words
        if line.outcome != "refused":
            found = inspect(
                load(None, line.settings if line.outcome == "asked for" else []), str(folder)
            )
            found.raise_for_refusal()
            assert found.summary.rows.read == found.summary.rows.kept == len(ROWS)

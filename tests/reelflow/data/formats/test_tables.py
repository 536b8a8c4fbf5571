"""Movies and users as people have them: every kind of file with the right values, said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.base.errors import BadInput
from reelflow.data.formats.layouts import TableLayout
from reelflow.data.formats.netflix import TITLES
from reelflow.data.formats.tables import TableReading, read_table

MOVIES = TableLayout("movies")
USERS = TableLayout("users")


def reading(path: Path, content: str | bytes, layout: TableLayout = MOVIES) -> TableReading:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(str(path), path.name, layout)


def movie(path: Path, content: str | bytes, layout: TableLayout = MOVIES) -> list[Any]:
    """Id, title, genres and year of the last movie."""
    row = reading(path, content, layout).table.to_pylist()[-1]
    return [row["movie_id"], row["title"], row["genres"], row["year"]]


CAFE = ["1", "Café (1995)", ["Drama", "War"], 1995]


@pytest.mark.parametrize(
    "content",
    [
        "movieId,title,genres\n1,Café (1995),Drama|War\n",
        "movieId,title,genres\r\n1,Café (1995),Drama|War",
        "movieId,title,genres\r1,Café (1995),Drama|War\r",
        "\ufeffmovieId;title;genres\n\n1;Café (1995);Drama,War\n",
        "movieId\ttitle\tgenres\n1\tCafé (1995)\tDrama, War\n",
        'id|name|genre\n"1"|"Café (1995)"|"Drama;War"\n',
        "movieId::title::genres\n1::Café (1995)::Drama|War\n",
        'movieId,title,genres\n1,Café (1995),"[""Drama"", ""War""]"\n',
        "movieId,title,genres\n1,Café (1995),\"['Drama', 'War']\"\n",
        "id,title,genres\n1,Café (1995),\"[{'id': 18, 'name': 'Drama'}, {'name': 'War'}]\"\n",
        "item_id:token\ttitle:token_seq\tclass:token_seq\n1\tCafé (1995)\tDrama War\n",
        '{"asin": 1, "title": "Café (1995)", "categories": [["Drama", "War"]]}\n',
        "{'asin': '1', 'title': 'Café (1995)', 'genre': 'Drama|War', 'price': 3.5}\n",
    ],
)
def test_every_way_of_writing_a_movie(tmp_path: Path, content: str) -> None:
    assert movie(tmp_path / "movies.csv", content) == CAFE


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_encoding_is_found_out_and_said(tmp_path: Path, encoding: str) -> None:
    text = "movieId,title,genres\n1,Café (1995),Drama|War\n"
    read = reading(tmp_path / "movies.csv", text.encode(encoding))
    assert read.table.column("title").to_pylist() == ["Café (1995)"]
    assert read.summaries[0].encoding == encoding
    windows = reading(tmp_path / "movies.csv", "id,title\n1,“É” – one…\n".encode("cp1252"))
    assert windows.table.column("title").to_pylist() == ["“É” – one…"]
    assert windows.summaries[0].encoding == "cp1252"


def test_a_damaged_line_does_not_change_the_encoding(tmp_path: Path) -> None:
    lines = [f"{n},Café {n}".encode() for n in range(20)]
    read = reading(tmp_path / "movies.csv", b"id,title\n" + b"\n".join([*lines, b"99,Caf\xe9\n"]))
    assert read.table.num_rows == 20
    assert [tuple(row) for row in read.refused] == [("movies.csv", 22, "encoding", b"99,Caf\xe9")]


def test_parquet_and_lists_in_it(tmp_path: Path) -> None:
    table = pa.table(
        {"movieId": [1.0, 2.0], "title": ["A", None], "genres": [["War"], None], "year": [1995, 7]}
    )
    pq.write_table(table, tmp_path / "movies.parquet")
    read = read_table(str(tmp_path / "movies.parquet"), "movies.parquet", MOVIES)
    assert read.table.to_pylist() == [
        {"movie_id": "1", "title": "A", "genres": ["War"], "year": 1995},
        {"movie_id": "2", "title": "2", "genres": [], "year": 7},
    ]
    assert (read.summaries[0].form, read.summaries[0].delimiter) == ("Parquet", "")


def test_the_titles_of_the_netflix_prize(tmp_path: Path) -> None:
    content = "1,2003,Dinosaur Planet\n2,NULL,One, Two: Café\n".encode("latin-1")
    assert movie(tmp_path / "movie_titles.txt", content, TITLES) == [
        "2",
        "One, Two: Café",
        [],
        None,
    ]


BOOKS = (
    '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher"\n'
    '"0195153448";"Classical \\"Mythology\\"; vol. 1";"Mark P. O. Morford";"2002";"OUP"\n'
    '"0002005018";"Clara &amp; Callan";"R. Wright";"0";"A&B"\n'
    '"078946697X";"DK Readers (Level 4)\\";\\"Michael Teitelbaum";"2000";"DK"\n'
)


def test_book_crossing(tmp_path: Path) -> None:
    layout = TableLayout("movies", features=("book-author",))
    read = reading(
        tmp_path / "BX-Books.csv", (BOOKS + '"1";"Né";"";"";""\n').encode("latin-1"), layout
    )
    assert read.table.to_pylist()[:2] == [
        {
            "movie_id": "0195153448",
            "title": 'Classical "Mythology"; vol. 1',
            "genres": [],
            "year": 2002,
            "features": ["book-author=Mark P. O. Morford"],
        },
        {
            "movie_id": "0002005018",
            "title": "Clara & Callan",
            "genres": [],
            "year": None,
            "features": ["book-author=R. Wright"],
        },
    ]
    # An author swallowed by the title is a column less.
    assert [(row.line, row.reason) for row in read.refused] == [(4, "columns")]
    summary = read.summaries[0]
    assert (summary.delimiter, summary.encoding, summary.unused) == (";", "latin-1", ["Publisher"])


def test_users_of_book_crossing(tmp_path: Path) -> None:
    content = '"User-ID";"Location";"Age"\n"1";"nyc, new york, usa";NULL\n"2";"stockton";"18.0"\n'
    users = reading(tmp_path / "BX-Users.csv", content, USERS).table
    assert users.column("age").to_pylist() == [None, 18]
    assert users.column("user_id").to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "anime_id,name,genre,type,episodes,rating,members",
            '1,Kimi no Na wa.,"Drama, Romance, School",Movie,1,9.37,200630',
            ["1", "Kimi no Na wa.", ["Drama", "Romance", "School"], None],
        ),
        (
            "book_id,goodreads_book_id,best_book_id,work_id,books_count,isbn,authors,"
            "original_publication_year,original_title,title",
            "1,2767052,2767052,2792775,272,439023483,Suzanne Collins,2008.0,The Games,"
            '"The Games (1, #1)"',
            ["1", "The Games (1, #1)", [], 2008],
        ),
        (
            "adult,genres,id,imdb_id,title,release_date",
            "False,\"[{'id': 16, 'name': 'Animation'}]\",862,tt0114709,Toy Story,1995-10-30",
            ["862", "Toy Story", ["Animation"], 1995],
        ),
        ("id,movie,genre", "7,Seven,Crime", ["7", "Seven", ["Crime"], None]),
        ("show_id,title,listed_in,release_year", "s1,A,x,2020", ["s1", "A", [], 2020]),
    ],
)
def test_the_headers_of_public_sets(
    tmp_path: Path, header: str, row: str, expected: list[Any]
) -> None:
    assert movie(tmp_path / "x.csv", f"{header}\n{row}\n") == expected


def test_bad_rows_are_set_aside_with_their_bytes(tmp_path: Path) -> None:
    good = "".join(f"{n},T{n},Drama\n" for n in range(10, 50))
    content = (
        f"movieId,title,genres\n{good}7,short\n,empty,Drama\n10,T10,Drama\n11,other,Drama\n"
        '8,"open quote,Drama\n9,"Bar, The",Drama\n3,"several\nlines",Drama\n4,"a "b" c",Drama\n'
    )
    read = reading(tmp_path / "movies.csv", content, TableLayout("movies"))
    assert [(row.line, row.reason, row.row) for row in read.refused] == [
        (42, "columns", b"7,short"),
        (43, "empty_id", b",empty,Drama"),
        (45, "conflict", b"11,other,Drama"),
        (46, "columns", b'8,"open quote,Drama'),
    ]
    summary = read.summaries[0]
    assert (summary.rows, summary.kept, summary.duplicates) == (48, 43, 1)
    assert summary.rows == summary.kept + summary.duplicates + summary.refused
    ids, titles = (read.table.column(at).to_pylist() for at in (0, 1))
    assert [titles[ids.index(i)] for i in "934"] == ["Bar, The", "several lines", 'a "b" c']


@pytest.mark.parametrize(
    ("lists", "separator", "genres"),
    [
        (["Drama|War", "Sci-Fi, old|War"], "|", {"War": 2, "Drama": 1, "Sci-Fi, old": 1}),
        (["Drama; War", "War"], ";", {"War": 2, "Drama": 1}),
        (["Drama, War", "['War', 'Noir']"], ",", {"War": 2, "Drama": 1, "Noir": 1}),
        (["Drama/War", "War/Noir", "Noir/Drama"], "/", {"Drama": 2, "Noir": 2, "War": 2}),
        (["Action/Adventure", "Drama"], None, {"Action/Adventure": 1, "Drama": 1}),
        (["(no genres listed)", "Drama"], None, {"Drama": 1}),
        (["(War,Drama)", "{War}", "Noir"], ",", {"War": 2, "Drama": 1, "Noir": 1}),
        (["Drama War", "War", "Drama", "Film Noir"], None, {"Drama": 2, "War": 2, "Film Noir": 1}),
    ],
)
def test_the_separator_of_genres_is_found_out(
    tmp_path: Path, lists: list[str], separator: str | None, genres: dict[str, int]
) -> None:
    rows = "".join(f"{n}\t{cell}\n" for n, cell in enumerate(lists))
    found = reading(tmp_path / "m.csv", f"id\tgenres\n{rows}").summaries[0].genres
    assert found is not None
    assert (found.separator, found.frequent) == (separator, genres)
    assert (found.declared, found.distinct) == (False, len(genres))


def test_the_separator_of_genres_may_be_declared(tmp_path: Path) -> None:
    layout = TableLayout("movies", genre_separator=" - ")
    assert movie(tmp_path / "m.csv", "id,genres\n1,Drama - War\n", layout)[2] == ["Drama", "War"]


def test_columns_by_position_and_a_mapping_of_its_own(tmp_path: Path) -> None:
    positions = TableLayout("movies", mapping={"movie_id": "2", "title": "1"})
    assert movie(tmp_path / "m.csv", "A (1999),x\nB (2001),y\n", positions) == [
        "y",
        "B (2001)",
        [],
        2001,
    ]
    named = TableLayout("movies", mapping={"movie_id": "imdb_id"})
    assert movie(tmp_path / "m.csv", "id,imdb_id,title\n1,tt1,A\n", named)[0] == "tt1"
    # The ratings' mapping counts where its names occur.
    ratings = TableLayout("movies", ratings_mapping={"movie_id": "sku", "user_id": "who"})
    assert movie(tmp_path / "m.csv", "sku,title\n1,A\n", ratings)[0] == "1"


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        ("key,label\n1,A\n", MOVIES, r"\[data.movies_columns\] movie_id = "),
        ("key,label\n1,A\n", USERS, r"\[data.users_columns\] user_id = .*data.users = \"\""),
        ("id,title\n1,A\n", TableLayout("movies", mapping={"movie_id": "9"}), "from 1 to 2"),
        ("1,A\n", TableLayout("movies", mapping={"title": "2"}), "none for movie_id"),
        ("", MOVIES, "is empty"),
        ("id,title\n", MOVIES, "holds no movie"),
        ("[1, 2]", MOVIES, "one JSON array"),
        ("id\0title\n", MOVIES, "zero bytes"),
        ("id,title\n1,A\n".encode("utf-16"), MOVIES, "UTF-16"),
        (b"PAR1 damaged PAR1", MOVIES, "Parquet file is damaged"),
    ],
)
def test_what_is_no_table_is_said(
    tmp_path: Path, content: str | bytes, layout: TableLayout, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        reading(tmp_path / "movies.csv", content, layout)


def test_ids_as_numbers(tmp_path: Path) -> None:
    layout = TableLayout("movies", numeric_ids=True)
    read = reading(tmp_path / "m.csv", "id,title\n007,A\n7.0,A\nx07,B\n0,C\n-3.,D\n", layout)
    assert read.table.column("movie_id").to_pylist() == ["7", "x07", "0", "-3"]
    # Content is the same, however the id is written.
    assert read.summaries[0].duplicates == 1


def test_values_of_json_are_as_text(tmp_path: Path) -> None:
    rows = [{"id": 3.0, "title": "A", "more": {"x": [1]}}, {"id": 4, "year": 1999, "title": None}]
    text = "\n".join(map(json.dumps, [*rows, [1]]))
    read = reading(tmp_path / "m.json", text, TableLayout("movies"))
    assert [tuple(row.values()) for row in read.table.to_pylist()] == [
        ("3", "A", [], None),
        ("4", "4", [], 1999),
    ]
    assert [(row.line, row.reason, row.row) for row in read.refused] == [(3, "columns", b"[1]")]

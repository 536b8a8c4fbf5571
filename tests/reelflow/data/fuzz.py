"""Random folders of ratings files: real rows of every format, then damaged.

Every folder follows from its number alone, so that one that fails can be made again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from random import Random
from typing import Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

Files = dict[str, bytes]
"""Name of each file in a folder to its content."""

_TITLES: Final = (
    "Alien (1979)",
    "Amélie (2001)",
    'The "Big" One',
    "Heat; or, Cold",
    "七人の侍 (1954)",
)


def _rows(random: Random, count: int) -> list[tuple[str, str, str, str]]:
    """Return user, movie, rating and time of some ratings, now and then the same one twice."""
    scale = random.choice([(1, 5, 1), (1, 10, 2), (0, 10, 1), (-10, 10, 1), (0, 100, 1)])
    low, high, step = scale
    rows = []
    for _ in range(count):
        value = random.randint(low, high) / step
        rows.append(
            (
                str(random.randint(1, 7)),
                str(random.randint(1, 9)),
                f"{value:g}",
                str(random.randint(1_100_000_000, 1_600_000_000)),
            )
        )
    if rows and random.random() < 0.3:
        rows.append(random.choice(rows))
    return rows


def _movies(random: Random) -> list[tuple[str, str, str]]:
    genres = ("Drama", "Drama|War", "", "(no genres listed)", "Comedy|Romance|War")
    return [(str(i), random.choice(_TITLES), random.choice(genres)) for i in range(1, 10)]


def _csv(header: str, rows: list[tuple[str, ...]], delimiter: str = ",") -> bytes:
    def cell(text: str) -> str:
        quoted = text.replace('"', '""')
        return f'"{quoted}"' if delimiter in text or '"' in text else text

    lines = [header] * bool(header) + [delimiter.join(map(cell, row)) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _plain(random: Random) -> Files:
    return {
        "ratings.csv": _csv("userId,movieId,rating,timestamp", _rows(random, 20)),
        "movies.csv": _csv("movieId,title,genres", _movies(random)),
    }


def _double_colon(random: Random) -> Files:
    encoding = random.choice(["utf-8", "latin-1"])
    movies = "".join(f"{'::'.join(row)}\n" for row in _movies(random))
    return {
        "ratings.dat": "".join(f"{'::'.join(row)}\n" for row in _rows(random, 20)).encode(),
        "movies.dat": movies.encode(encoding, errors="replace"),
        "users.dat": b"1::F::1::10::48067\n2::M::56::16::70072\n",
    }


def _tabs(random: Random) -> Files:
    flags = "|0" * 19
    items = [f"{i}|{title}|01-Jan-1995||http://x{flags}" for i, title, _ in _movies(random)]
    return {
        "u.data": "".join("\t".join(row) + "\n" for row in _rows(random, 20)).encode(),
        "u.item": "\n".join(items).encode("latin-1", errors="replace"),
        "u.user": b"1|24|M|technician|85711\n2|53|F|other|94043\n",
    }


def _netflix(random: Random) -> Files:
    rows = [(user, rating, movie) for user, movie, rating, _ in _rows(random, 20)]
    movies = [(movie, "1999", title) for movie, title, _ in _movies(random)]
    return {
        "Netflix_Dataset_Rating.csv": _csv("User_ID,Rating,Movie_ID", rows),
        "Netflix_Dataset_Movie.csv": _csv("Movie_ID,Year,Name", movies),
    }


def _prize(random: Random) -> Files:
    blocks = [
        f"{movie}:\n" + "".join(f"{user},{rating},2005-09-06\n" for user, _, rating, _ in rows)
        for movie in range(1, 5)
        if (rows := _rows(random, 5))
    ]
    titles = "".join(
        f"{i},{random.choice(['NULL', '1999'])},{random.choice(_TITLES)}\n" for i in range(1, 5)
    )
    if random.random() < 0.5:
        return {
            "combined_data_1.txt": "".join(blocks).encode(),
            "movie_titles.csv": titles.encode("latin-1", errors="replace"),
        }
    return {
        **{f"mv_{i:07d}.txt": block.encode() for i, block in enumerate(blocks, start=1)},
        "movie_titles.txt": titles.encode("latin-1", errors="replace"),
    }


def _own(random: Random) -> Files:
    delimiter = random.choice([",", ";", "\t", "|"])
    header = delimiter.join(
        random.choice([("user", "item", "score", "when"), ("uid", "isbn", "rating", "ts")])
    )
    rows = _rows(random, 20)
    if delimiter != "," and random.random() < 0.5:
        rows = [(u, m, f"{float(r) + 0.5:.1f}".replace(".", ","), t) for u, m, r, t in rows]
    return {"ratings.csv": _csv(header, rows, delimiter)}


def _headerless(random: Random) -> Files:
    return {"ratings.csv": _csv("", _rows(random, 20))}


def _iso(random: Random) -> Files:
    form = random.choice(
        ["{}-0{}-1{}", "{}-0{}-1{} 08:30:00", "{}-0{}-1{}T08:30:00Z", "1{2}/0{1}/{0}"]
    )
    rows = [
        (
            *row[:3],
            form.format(random.randint(1995, 2020), random.randint(1, 9), random.randint(0, 9)),
        )
        for row in _rows(random, 20)
    ]
    return {"ratings.csv": _csv("user_id,movie_id,rating,timestamp", rows)}


def _books(random: Random) -> Files:
    def line(*cells: str) -> str:
        return ";".join(f'"{cell}"' for cell in cells) + "\r\n"

    ratings = [line("User-ID", "ISBN", "Book-Rating")]
    ratings += [
        line(user, f"034545104{movie}", rating) for user, movie, rating, _ in _rows(random, 20)
    ]
    names = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher")
    books = [line(*names)]
    books += [
        line(f"034545104{i}", title.replace('"', '\\"'), "Ann", "1999", "X")
        for i, title, _ in _movies(random)
    ]
    return {
        "BX-Book-Ratings.csv": "".join(ratings).encode(),
        "BX-Books.csv": "".join(books).encode("latin-1", errors="replace"),
    }


def _atomic(random: Random) -> Files:
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    return {
        "set.inter": _csv(header, _rows(random, 20), "\t"),
        "ratings.csv": _csv(header, _rows(random, 9), "\t"),
    }


def _kaggle(random: Random) -> Files:
    genres = "[{'id': 18, 'name': 'Drama'}, {'id': 35, 'name': 'Comedy'}]"
    metadata = [(f"{i}00", genres, title) for i, title, _ in _movies(random)]
    links = [(str(i), f"011470{i}", f"{i}00") for i in range(1, 10)]
    return {
        "ratings_small.csv": _csv("userId,movieId,rating,timestamp", _rows(random, 20)),
        "movies_metadata.csv": _csv("id,genres,title", metadata),
        "links.csv": _csv("movieId,imdbId,tmdbId", links),
        "credits.csv": b"cast,crew,id\n[],[],100\n",
    }


def _table(random: Random) -> pa.Table:
    users, movies, ratings, times = zip(*_rows(random, 20), strict=True)
    numbers = random.random() < 0.5
    return pa.table(
        {
            "user_id": pa.array(list(map(int, users))) if numbers else pa.array(users),
            "movie_id": pa.array(movies),
            "rating": pa.array(list(map(float, ratings))),
            "timestamp": pa.array(list(map(int, times)), pa.timestamp("s") if numbers else None),
        }
    )


_TYPES: Final = (
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.int8(),
    pa.int64(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.bool_(),
    pa.decimal128(20, 3),
    pa.date32(),
    pa.timestamp("ms"),
    pa.timestamp("us", "Europe/Berlin"),
    pa.time64("us"),
    pa.duration("s"),
    pa.null(),
    pa.list_(pa.string()),
    pa.struct([("a", pa.int64())]),
    pa.dictionary(pa.int32(), pa.string()),
)


def _odd_column(random: Random, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with some nulls, in another type if its values can be cast."""
    values = [None if random.random() < 0.1 else value for value in column.to_pylist()]
    kind = random.choice(_TYPES)
    try:
        return pa.chunked_array([pa.array(values, column.type).cast(kind)])
    except pa.ArrowException:
        return pa.chunked_array([pa.nulls(len(values), kind)])


def _oddly_stored(random: Random, table: pa.Table) -> bytes:
    """Return a table as Parquet; some columns may have odd types, or the same name."""
    for at, name in enumerate(table.column_names):
        if random.random() < 0.15:
            table = table.set_column(at, name, _odd_column(random, table.column(at)))
    if random.random() < 0.1:
        table = table.append_column(random.choice(table.column_names), table.column(1))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=random.choice([5, 1000]))
    return sink.getvalue()


def _parquet(random: Random) -> Files:
    files = {"ratings.parquet": _oddly_stored(random, _table(random))}
    if random.random() < 0.3:
        ids, titles, genres = map(list, zip(*_movies(random), strict=True))
        listed = [text.split("|") for text in genres] if random.random() < 0.5 else genres
        movies = pa.table({"movie_id": ids, "title": titles, "genres": listed})
        files["movies.parquet"] = _oddly_stored(random, movies)
    return files


def _json_lines(random: Random) -> Files:
    names = ("user_id", "movie_id", "rating", "timestamp")
    odd = (None, True, [], {"a": 1}, 1e400, -0.0, 10**30, "\ud800", "", "4,5", [1, "x"])
    lines = []
    for row in _rows(random, 20):
        fields: dict[str, object] = dict(zip(names, row, strict=True))
        if random.random() < 0.5:
            fields["rating"] = float(row[2])
        if random.random() < 0.05:
            fields[random.choice(names)] = random.choice(odd)
        if random.random() < 0.05:
            del fields[random.choice(names)]
        lines.append(f"{json.dumps(fields)}\n")
    files = {random.choice(["ratings.jsonl", "ratings.json"]): "".join(lines).encode()}
    if random.random() < 0.3:
        named = [
            {"movie_id": movie, "title": title, "genres": random.choice((genres, [genres], *odd))}
            for movie, title, genres in _movies(random)
        ]
        files["movies.jsonl"] = "\n".join(map(json.dumps, named)).encode()
    return files


def _packed(random: Random) -> Files:
    files = random.choice([_plain, _double_colon, _headerless])(random)
    kind = random.choice(["gz", "bz2", "zip", "both"])
    if kind == "zip":
        return {"ml.zip": zipped(files, random.choice(["", "ml/", "a/b/"]))}
    pack = bz2.compress if kind == "bz2" else gzip.compress
    packed = {
        f"{name}.{'bz2' if kind == 'bz2' else 'gz'}": pack(data) for name, data in files.items()
    }
    return {**files, **packed} if kind == "both" else packed


def _wide(random: Random) -> Files:
    header = "user," + ",".join(f"joke{i}" for i in range(30))
    rows = [(str(user), *(str(random.choice([99, 1, 5])) for _ in range(30))) for user in range(5)]
    return {"ratings.csv": _csv(header, rows)}


FORMATS: Final[tuple[Callable[[Random], Files], ...]] = (
    _plain,
    _double_colon,
    _tabs,
    _netflix,
    _prize,
    _own,
    _headerless,
    _iso,
    _books,
    _atomic,
    _kaggle,
    _parquet,
    _json_lines,
    _packed,
    _wide,
)
"""Makers of folders that are as they should be."""


def zipped(files: Files, prefix: str = "") -> bytes:
    """Return a zip file with these members below a folder."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{prefix}{name}", data)
    return sink.getvalue()


# Damage to the bytes of one file.

_CELLS: Final = tuple(
    word.encode()
    for word in (
        "", " ", "NULL", "nan", "inf", "-Infinity", "1e999", "-0", "1,5", "1.5.5", "0x10", "+3",
        "٣", "½", "a\tb", "2020-13-45", "0000-00-00", "12:30", "\u2028", "\ufeff", "\x00", "\x1f",
        "99999999999999999999", "-1", "1e400", "\"", "\"\"", "\"a", "\\N", "#REF!", "=1+1",
        "1 000", "true", "\x85", "None", "{}", "[", "[\"\\ud800\"]",
    )
)  # fmt: skip


def _place(random: Random, data: bytes) -> int:
    return random.randint(0, len(data))


def _flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        if changed:
            changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _insert(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    return (
        data[:at]
        + random.choice((*_CELLS, b"\r", b"\n", b"\r\n\n", b"::", random.randbytes(3)))
        + data[at:]
    )


def _cut(random: Random, data: bytes) -> bytes:
    first, second = sorted((_place(random, data), _place(random, data)))
    return data[:first] + data[second:]


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: _place(random, data)]


def _double(random: Random, data: bytes) -> bytes:
    first, second = sorted((_place(random, data), _place(random, data)))
    return data[:second] + data[first:]


def _cell(random: Random, data: bytes) -> bytes:
    """Replace a cell by one that is odd."""
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    delimiter = random.choice([b",", b";", b"\t", b"::"])
    cells = lines[at].split(delimiter)
    cells[random.randrange(len(cells))] = random.choice(_CELLS)
    lines[at] = delimiter.join(cells)
    return b"\n".join(lines)


def _column(random: Random, data: bytes) -> bytes:
    """Replace, drop or double a column of all lines."""
    delimiter = random.choice([b",", b";", b"\t"])
    how, value, place = random.randrange(3), random.choice(_CELLS), random.randrange(4)
    lines = []
    for line in data.split(b"\n"):
        cells = line.split(delimiter)
        if len(cells) > place:
            cells[place : place + 1] = ([value], [], [cells[place]] * 2)[how]
        lines.append(delimiter.join(cells))
    return b"\n".join(lines)


def _header(random: Random, data: bytes) -> bytes:
    first, _, rest = data.partition(b"\n")
    changes = (
        rest,
        first + b"\n" + data,
        first.upper() + b"\n" + rest,
        first.replace(b"ating", b"anking") + b"\n" + rest,
        first + b",extra\n" + rest,
        b"\xef\xbb\xbf" + data,
        b"sep=;\n" + data,
        b"# a comment\n\n" + data,
        b"," + first + b"\n" + rest,
    )
    return random.choice(changes)


def _line_ends(random: Random, data: bytes) -> bytes:
    return data.replace(
        b"\n", random.choice([b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\x00\n", b" \n", b""])
    )


def _delimiters(random: Random, data: bytes) -> bytes:
    """Give some or all lines another delimiter."""
    before, after = random.sample([b",", b";", b"\t", b"|", b" ", b"::"], 2)
    share = random.choice([0.1, 0.5, 1.0])
    lines = (
        line.replace(before, after) if random.random() < share else line
        for line in data.split(b"\n")
    )
    return b"\n".join(lines)


def _encoding(random: Random, data: bytes) -> bytes:
    text = data.decode("utf-8", errors="replace")
    encoding = random.choice(
        ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7", "shift-jis"]
    )
    return text.encode(encoding, errors="replace")


def _lines(random: Random, data: bytes) -> bytes:
    """Shuffle, repeat or lengthen lines."""
    lines = data.split(b"\n")
    how = random.randrange(4)
    if how == 0:
        random.shuffle(lines)
    elif how == 1:
        lines *= 3
    elif how == 2:
        lines.insert(random.randint(0, len(lines)), b"x" * random.choice([300, 70_000]))
    else:
        lines.insert(random.randint(0, len(lines)), b",".join([b"1"] * random.choice([30, 3000])))
    return b"\n".join(lines)


def _quote(random: Random, data: bytes) -> bytes:
    """Quote all cells, or leave a quote open."""
    if random.random() < 0.5:
        return b"\n".join(b'"' + line.replace(b",", b'","') + b'"' for line in data.split(b"\n"))
    at = _place(random, data)
    return data[:at] + b'"' + data[at:]


def _noise(random: Random, data: bytes) -> bytes:
    size = random.choice([0, 1, 7, 500])
    head = random.choice(
        [
            b"",
            b"\x1f\x8b",
            b"PK\x03\x04",
            b"PAR1",
            b"BZh9",
            b"\xfd7zXZ\x00",
            b"(\xb5/\xfd",
            b"\xff\xfe",
        ]
    )
    return head + random.randbytes(size)


def _other_thing(random: Random, data: bytes) -> bytes:
    return random.choice(
        (
            b"",
            b"\n",
            b"\x00" * 64,
            b"<!DOCTYPE html><html><body>404</body></html>\n",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500,  # an old Excel file
            zipped({"[Content_Types].xml": b"<xml/>", "xl/workbook.xml": b"<xml/>"}),
            b'[{"user_id": 1, "movie_id": 2, "rating": 3}]',
            b'{"a": [1, 2',
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
            data[:10] * 50,
        )
    )


def _pack(random: Random, data: bytes) -> bytes:
    """Compress, whatever the name says; now and then not to the end, or twice."""
    how = random.randrange(5)
    packed = (gzip.compress, bz2.compress, gzip.compress, gzip.compress, bz2.compress)[how](data)
    if how == 2:
        return packed[: _place(random, packed)]
    if how == 3:
        return gzip.compress(packed) if random.random() < 0.5 else packed + packed
    return packed


BYTES: Final = (
    _flip, _insert, _cut, _truncate, _double, _cell, _cell, _column, _header, _line_ends,
    _delimiters, _encoding, _lines, _quote, _noise, _other_thing, _pack,
)  # fmt: skip
"""Damages to the bytes of one file."""


# Damage to the folder.


def _rename(random: Random, files: Files) -> Files:
    name = random.choice(list(files))
    data = files.pop(name)
    others = (
        *(f"{name}.gz", f"{name}.zip", f"{name}.bz2", "ratings.csv", "movies.csv"),
        *(f"copy of {name}", "ratings.csv.csv", "ratings-2.csv", "ratings.parquet", "ü.csv"),
        "ratings.jsonl",
    )
    return {**files, random.choice(others): data}


def _drop(random: Random, files: Files) -> Files:
    files.pop(random.choice(list(files)))
    return files


def _swap(random: Random, files: Files) -> Files:
    first, second = random.choice(list(files)), random.choice(list(files))
    files[first], files[second] = files[second], files[first]
    return files


def _more(random: Random, files: Files) -> Files:
    name = random.choice(list(files))
    others = {
        "ratings-1.csv": files[name],
        f"{name}.gz": gzip.compress(files[name]),
        "ratings_small.csv": files[name][: len(files[name]) // 2],
        "photo.jpg": b"\xff\xd8\xff\xe0" + random.randbytes(50),
        "ml.zip": zipped({name: files[name]}),
        "README.txt": b"Read me.\n",
    }
    added = random.choice(list(others))
    return {**files, added: others[added]}


def _zip_oddly(random: Random, files: Files) -> Files:
    members = {
        **files,
        random.choice(
            [
                "../evil.csv",
                "/abs.csv",
                "__MACOSX/._ratings.csv",
                "a/",
                "ratings.csv",
                "b/ratings.csv",
            ]
        ): b"1,2,3\n",
    }
    packed = zipped(members)
    return {"set.zip": _flip(random, packed) if random.random() < 0.4 else packed}


FOLDERS: Final = (_rename, _drop, _swap, _more, _zip_oddly)
"""Damages to a folder."""


def _plan(number: int) -> tuple[Random, Callable[[Random], Files], int]:
    random = Random(number)
    return random, random.choice(FORMATS), random.choice((0, 1, 1, 1, 2, 2, 3, 4))


def damages(number: int) -> int:
    """Return how often the folder of a number is damaged."""
    return _plan(number)[2]


def folder(number: int) -> Files:
    """Return the folder of a number: a format's files with up to four damages."""
    random, make, count = _plan(number)
    files = make(random)
    for _ in range(count):
        if not files:
            break
        if random.random() < 0.2:
            files = random.choice(FOLDERS)(random, files)
        else:
            name = random.choice(list(files))
            files[name] = random.choice(BYTES)(random, files[name])
    return files


def settings(number: int) -> list[str]:
    """Return overrides of the configuration that go with a folder, mostly none."""
    random = Random(f"settings {number}")
    if random.random() < 0.75:
        return []
    return random.choice(
        (
            ["data.unrated=0"],
            ["data.rating_min=1", "data.rating_max=5"],
            ['data.feedback="events"'],
            ['data.feedback="counts"'],
            ['data.format="csv"', 'data.ratings="*"'],
            ['data.format="csv"', 'data.delimiter=";"'],
            ['data.columns={user_id="user", movie_id="item", rating="score"}'],
            ['data.format="movielens-1m"'],
            ['data.format="netflix"'],
            ["data.use_users=true"],
            ['data.movie_features=["Book-Author"]'],
            ["data.chunk_bytes=1024"],
            ['split.kind="predefined"', 'split.train="ratings*"', 'split.test="*.dat"'],
        )
    )

"""Movies and users: their files to Arrow tables, with the checks that every format shares."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import files, schema
from reelflow.data.formats.adapter import Adapter, Movie, Text, User
from reelflow.data.formats.headers import find_columns

_NO_GENRES: Final = frozenset({"", "(no genres listed)", "unknown"})
_USER_COLUMNS: Final = tuple(schema.USERS.names)
_MEND: Final = "Mend or remove the line."
_TITLE_YEAR: Final = re.compile(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)[\s\"]*$")


def title_year(title: str) -> int | None:
    """Return the year that ends a title, as in `Heat (1995)`; of a span of years, the first."""
    match = _TITLE_YEAR.search(title)
    return int(match.group(1)) if match else None


def split_genres(text: str) -> list[str]:
    """Split `Action|Drama`, in order and without repetitions; names for "none" are left out."""
    return [part for part in split_values(text) if part.lower() not in _NO_GENRES]


def split_values(text: str) -> list[str]:
    """Split `Ida Lupino|Orson Welles`, in order, without repetitions and empty parts."""
    parts = (part.strip() for part in text.split("|"))
    return list(dict.fromkeys(part for part in parts if part))


def whole_number(text: str | None) -> int | None:
    """Return an integer, also one written as `1995.0`, or None if the text is none."""
    match = re.fullmatch(r"\s*(-?\d{1,18})(?:\.0*)?\s*", text or "")
    return int(match.group(1)) if match else None


def unquoted_rows(text: Text, count: int, *, maxsplit: int = -1) -> Iterator[tuple[int, list[str]]]:
    """Split the lines of a file without quoting at the delimiter, and skip blank lines.

    Yields:
        Line number from 1, and the `count` values.

    Raises:
        BadInput: a line has another number of columns.
    """
    # str.splitlines would also break at characters that may stand in a title.
    for line, row in enumerate(text.content.split("\n"), start=1):
        if row.strip():
            values = row.rstrip("\r").split(text.delimiter, maxsplit)
            check_count(text.path, line, len(values), count)
            yield line, values


def check_count(path: str, line: int, found: int, expected: int) -> None:
    """Raise BadInput unless a line of a movies' or users' file has the columns it should have."""
    if found != expected:
        raise BadInput(f"{path}, line {line}: {found} columns instead of {expected}.", _MEND)


def read_text(path: str, adapter: Adapter) -> Text:
    """Read and decode a file of movies or users.

    Raises:
        BadInput: the file cannot be read, or is in none of the format's encodings.
    """
    return Text(
        path=path,
        content=_decoded(path, adapter.encodings),
        delimiter=adapter.table_delimiter or adapter.delimiter,
        columns=adapter.mapping,
        features=adapter.movie_features,
    )


def _decoded(path: str, encodings: tuple[str, ...]) -> str:
    with files.open_content(path, files.is_gzip(path)) as file:
        data = file.read()
    problem = ""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = f"line {line} holds the byte {data[error.start]:#04x}"
    raise BadInput(f"{path} is not UTF-8: {problem}.", "Save the file as UTF-8.")


def movies_table(
    movies: Iterable[Movie], path: str, with_features: bool = False, required: bool = True
) -> pa.Table:
    """Make a table of `schema.MOVIES` in the movies' order, if asked with their features.

    Raises:
        BadInput: no movie at all though one is `required`, one without an id, or one that is there
            twice.
    """
    rows = list(movies)
    if not rows and not required:
        movies_schema = schema.MOVIES.append(schema.FEATURES) if with_features else schema.MOVIES
        return movies_schema.empty_table()
    _check_ids([(row.line, row.movie_id) for row in rows], path, "movie", columns.MOVIE_ID)
    table = pa.table(
        [
            pa.array([row.movie_id for row in rows], pa.string()),
            pa.array([row.title for row in rows], pa.string()),
            pa.array([row.genres for row in rows], pa.list_(pa.string())),
            pa.array([row.year for row in rows], pa.int64()),
        ],
        schema=schema.MOVIES,
    )
    if with_features:
        values = pa.array([list(row.features) for row in rows], schema.FEATURES.type)
        table = table.append_column(schema.FEATURES, values)
    return table


def users_table(users: Iterable[User], path: str) -> pa.Table:
    """Make a table of `schema.USERS` in the users' order.

    Raises:
        BadInput: no user at all, one without an id, or one that is there twice.
    """
    rows = list(users)
    _check_ids([(row.line, row.user_id) for row in rows], path, "user", columns.USER_ID)
    values = zip(*(row[1:] for row in rows), strict=True)
    arrays = [pa.array(cells, at.type) for cells, at in zip(values, schema.USERS, strict=True)]
    return pa.table(arrays, schema=schema.USERS)


def first_of_each(parts: Sequence[pa.Table]) -> pa.Table:
    """Join tables; of rows with the same id (the first column) only the first is kept."""
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables(parts).combine_chunks()
    rows: dict[str, int] = {}
    for row, identity in enumerate(table.column(0).to_pylist()):
        rows.setdefault(identity, row)
    return table.take(pa.array(list(rows.values())))


def _check_ids(ids: list[tuple[int, str]], path: str, what: str, column: str) -> None:
    if not ids:
        raise BadInput(f"{path} holds no {what}.", "Restore the file.")
    first: dict[str, int] = {}
    for line, value in ids:
        if not value:
            raise BadInput(f"{path}, line {line}: the {column} is empty.", _MEND)
        if first.setdefault(value, line) != line:
            raise BadInput(
                f"{path}, line {line}: {column} {value} is in line {first[value]} already.",
                f"Keep one line for each {what}.",
            )


def read_movies(text: Text) -> Iterator[Movie]:
    """Read movies with `movie_id`, and with `title`, `genres` (by `|`) and `year` if there are any.

    Without a title the id is shown; without a year column the year that ends the title is taken.

    Raises:
        BadInput: the header has no movie id, or a line is short.
    """
    for line, row, further in _rows(text, columns.MOVIES_COLUMNS, (columns.MOVIE_ID,)):
        title = row.get(columns.TITLE) or row[columns.MOVIE_ID]
        year = whole_number(row.get(columns.YEAR))
        yield Movie(
            line=line,
            movie_id=row[columns.MOVIE_ID],
            title=title,
            genres=split_genres(row.get(columns.GENRES, "")),
            year=title_year(title) if year is None else year,
            features=[
                f"{name}={value}" for name, cell in further.items() for value in split_values(cell)
            ],
        )


def read_users(text: Text) -> Iterator[User]:
    """Read users with `user_id` and, where there are any, gender, age, occupation, zip code.

    Raises:
        BadInput: the header has no user id, or a line is short.
    """
    for line, row, _ in _rows(text, _USER_COLUMNS, (columns.USER_ID,)):
        yield User(
            line=line,
            user_id=row[columns.USER_ID],
            gender=row.get(columns.GENDER) or None,
            age=whole_number(row.get(columns.AGE)),
            occupation=row.get(columns.OCCUPATION) or None,
            zip_code=row.get(columns.ZIP_CODE) or None,
        )


def _rows(
    text: Text, known: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    """Yield line, canonical columns, and the columns declared as features that the file has."""
    reader = csv.reader(io.StringIO(text.content, newline=""), delimiter=text.delimiter)
    names = [name.strip() for name in next(reader, [])]
    # The mapping is written for the ratings; here it counts where its names occur.
    mapping = {column: name for column, name in text.columns.items() if name in names}
    positions = find_columns(names, known, required, mapping, text.path)
    lower = [name.lower() for name in names]
    further = {name: lower.index(name.lower()) for name in text.features if name.lower() in lower}
    line = reader.line_num + 1
    try:
        for values in reader:
            if values:
                check_count(text.path, line, len(values), len(names))
                cells = [value.strip() for value in values]
                yield (
                    line,
                    {column: cells[at] for column, at in positions.items()},
                    {name: cells[at] for name, at in further.items()},
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{text.path}, line {line}: {error}.", _MEND) from error

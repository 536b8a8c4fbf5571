"""Movies and users: their files to Arrow tables, with the checks that every format shares."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import containers, schema
from reelflow.data.formats import headers
from reelflow.data.formats.adapter import Adapter, Movie, Text, User

_NO_GENRES: Final = frozenset({"", "(no genres listed)", "unknown"})
_MEND: Final = "Mend or remove the line."


def title_year(title: str) -> int | None:
    """Return the year that ends a title, as in `Heat (1995)`; of a span of years, the first."""
    match = re.search(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)[\s\"]*$", title)
    return int(match.group(1)) if match else None


def split_values(text: str) -> list[str]:
    """Split `Ida Lupino|Orson Welles`, in order, without repetitions and empty parts."""
    parts = (part.strip() for part in text.split("|"))
    return list(dict.fromkeys(part for part in parts if part))


def split_genres(text: str) -> list[str]:
    """Split `Action|Drama` as `split_values` does; names for "none" are left out."""
    return [part for part in split_values(text) if part.lower() not in _NO_GENRES]


def whole_number(text: str | None) -> int | None:
    """Return an integer, also one written as `1995.0`, or None if the text is none."""
    match = re.fullmatch(r"\s*(-?\d{1,18})(?:\.0*)?\s*", text or "")
    return int(match.group(1)) if match else None


def user(line: int, cells: Mapping[str, str]) -> User:
    """Make a user of the cells of a line by canonical column, all but the id optional."""
    return User(
        line=line,
        user_id=cells[columns.USER_ID].strip(),
        gender=cells.get(columns.GENDER) or None,
        age=whole_number(cells.get(columns.AGE)),
        occupation=cells.get(columns.OCCUPATION) or None,
        zip_code=cells.get(columns.ZIP_CODE, "").strip() or None,
    )


def read_text(path: str, adapter: Adapter) -> Text:
    """Read and decode a file of movies or users.

    Raises:
        BadInput: the file cannot be read, or is in none of the format's encodings.
    """
    with containers.open_content(path) as file:
        data = file.read()
    problem = ""
    for encoding in adapter.encodings:
        try:
            return Text(path, data.decode(encoding), adapter)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = f"line {line} holds the byte {data[error.start]:#04x}"
    raise BadInput(f"{path} is not UTF-8: {problem}.", "Save the file as UTF-8.")


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
            _check_count(text.path, line, len(values), count)
            yield line, values


def _check_count(path: str, line: int, count: int, expected: int) -> None:
    if count != expected:
        raise BadInput(f"{path}, line {line}: {count} columns instead of {expected}.", _MEND)


def read_movies(text: Text) -> Iterator[Movie]:
    """Read movies with `movie_id`, and with `title`, `genres` (by `|`) and `year` if there are any.

    Without a title the id is shown; without a year column the year that ends the title is taken.

    Raises:
        BadInput: the header has no movie id, or a line is short.
    """
    for line, row, further in _rows(text, columns.MOVIES_COLUMNS, columns.MOVIE_ID):
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
    for line, row, _ in _rows(text, schema.USERS.names, columns.USER_ID):
        yield user(line, row)


def _rows(
    text: Text, known: Sequence[str], required: str
) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    """Yield line, canonical columns, and the columns declared as features that the file has."""
    reader = csv.reader(io.StringIO(text.content, newline=""), delimiter=text.delimiter)
    names = [name.strip() for name in next(reader, [])]
    # The mapping is written for the ratings; here it counts where its names occur.
    mapping = {column: name for column, name in text.adapter.mapping.items() if name in names}
    positions = headers.find_columns(names, known, (required,), mapping, text.path)
    lower = [name.lower() for name in names]
    features = text.adapter.movie_features
    further = {name: lower.index(name.lower()) for name in features if name.lower() in lower}
    line = reader.line_num + 1
    try:
        for values in reader:
            if values:
                _check_count(text.path, line, len(values), len(names))
                cells = [value.strip() for value in values]
                yield (
                    line,
                    {column: cells[at] for column, at in positions.items()},
                    {name: cells[at] for name, at in further.items()},
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{text.path}, line {line}: {error}.", _MEND) from error


def to_table(
    rows: Iterable[Movie] | Iterable[User],
    path: str,
    what: str,
    table_schema: pa.Schema,
    required: bool = True,
) -> pa.Table:
    """Make a table of movies or users in their order.

    Args:
        rows: what a format read.
        path: the file, for messages.
        what: `movie` or `user`, likewise.
        table_schema: the columns; the first is the id.
        required: refuse a file without rows.

    Raises:
        BadInput: no row though one is required, one without an id, or an id that is there twice.
    """
    column = table_schema.names[0]
    cells = [row._asdict() for row in rows]
    if required and not cells:
        raise BadInput(f"{path} holds no {what}.", "Restore the file.")
    first: dict[str, int] = {}
    for row in cells:
        line, value = row["line"], row[column]
        if not value:
            raise BadInput(f"{path}, line {line}: the {column} is empty.", _MEND)
        if first.setdefault(value, line) != line:
            raise BadInput(
                f"{path}, line {line}: {column} {value} is in line {first[value]} already.",
                f"Keep one line for each {what}.",
            )
    return pa.Table.from_pylist(cells, schema=table_schema)


def first_of_each(parts: Sequence[pa.Table]) -> pa.Table:
    """Join tables; of rows with the same id (the first column) only the first is kept."""
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables(parts).combine_chunks()
    rows: dict[str, int] = {}
    for row, identity in enumerate(table.column(0).to_pylist()):
        rows.setdefault(identity, row)
    return table.take(pa.array(list(rows.values())))

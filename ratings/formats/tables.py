"""Files of films and users to Arrow tables, with the checks that every format shares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from ratings import files, schema
from ratings.errors import BadInput
from ratings.formats.adapter import Adapter, Movie, Text, User

_NO_GENRES = frozenset({"", "(no genres listed)", "unknown"})
_MEND = "Mend or remove the line."
_TITLE_YEAR = re.compile(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)[\s\"]*$")


def title_year(title: str) -> int | None:
    """The release year that ends a title, as in `Heat (1995)`; of a span of years, the first."""
    match = _TITLE_YEAR.search(title)
    return int(match.group(1)) if match else None


def split_genres(text: str) -> list[str]:
    """`Action|Drama` to its parts, in order and once each; names for "none" give none."""
    return [part for part in split_values(text) if part.lower() not in _NO_GENRES]


def split_values(text: str) -> list[str]:
    """`Ida Lupino|Orson Welles` to its parts, in order and once each; empty ones are none."""
    parts = (part.strip() for part in text.split("|"))
    return list(dict.fromkeys(part for part in parts if part))


def whole_number(text: str | None) -> int | None:
    """An integer, also one written as `1995.0`, or None where there is none."""
    match = re.fullmatch(r"\s*(-?\d{1,18})(?:\.0*)?\s*", text or "")
    return int(match.group(1)) if match else None


def plain_rows(text: Text, count: int, *, maxsplit: int = -1) -> Iterator[tuple[int, list[str]]]:
    """Lines of a file without quoting, split at the delimiter; blank lines are skipped.

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
    """Raise BadInput unless a line of a films' or users' file has the columns it should have."""
    if found != expected:
        raise BadInput(f"{path}, line {line}: {found} columns instead of {expected}.", _MEND)


def read_text(path: str, adapter: Adapter) -> Text:
    """Read and decode a file of films or users.

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
    """Films to a table of `schema.MOVIES`, in their order; with the column of features if asked.

    Raises:
        BadInput: no film at all though one is `required`, one without an id, or one that is there
            twice.
    """
    rows = list(movies)
    if not rows and not required:
        movies_schema = schema.MOVIES.append(schema.FEATURES) if with_features else schema.MOVIES
        return movies_schema.empty_table()
    _check_ids([(row.line, row.movie_id) for row in rows], path, "film", "movie_id")
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
    """Users to a table of `schema.USERS`, in their order.

    Raises:
        BadInput: no user at all, one without an id, or one that is there twice.
    """
    rows = list(users)
    _check_ids([(row.line, row.user_id) for row in rows], path, "user", "user_id")
    columns = zip(*(row[1:] for row in rows), strict=True)
    arrays = [pa.array(cells, at.type) for cells, at in zip(columns, schema.USERS, strict=True)]
    return pa.table(arrays, schema=schema.USERS)


def first_of_each(found: Sequence[pa.Table]) -> pa.Table:
    """Tables one below the other, of rows with the same id (the first column) the first alone."""
    if len(found) == 1:
        return found[0]
    table = pa.concat_tables(found).combine_chunks()
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

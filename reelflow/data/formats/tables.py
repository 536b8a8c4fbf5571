"""Files of movies and users to Arrow tables, with the checks that every format shares."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import files, schema
from reelflow.data.formats.adapter import Adapter, Movie, Text, User

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
    """Movies to a table of `schema.MOVIES`, in their order; with the column of features if asked.

    Raises:
        BadInput: no movie at all though one is `required`, one without an id, or one that is there
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


# Movies and users in CSV files with a header: the CSV releases and a user's own files.


_USER_COLUMNS = tuple(schema.USERS.names)


def read_movies(text: Text) -> Iterator[Movie]:
    """Movies with `movie_id`, and with `title`, `genres` (by `|`) and `year` if there are any.

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
    """Users with `user_id` and those of gender, age, occupation and zip code that there are.

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
    text: Text, wanted: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    """Line, canonical columns, and those columns declared as features that the file has."""
    reader = csv.reader(io.StringIO(text.content, newline=""), delimiter=text.delimiter)
    names = [name.strip() for name in next(reader, [])]
    # The mapping is written for the ratings; here it counts where its names occur.
    mapping = {column: name for column, name in text.columns.items() if name in names}
    found = find_columns(names, wanted, required, mapping, text.path)
    plain = [name.lower() for name in names]
    further = {name: plain.index(name.lower()) for name in text.features if name.lower() in plain}
    line = reader.line_num + 1
    try:
        for values in reader:
            if values:
                check_count(text.path, line, len(values), len(names))
                cells = [value.strip() for value in values]
                yield (
                    line,
                    {column: cells[at] for column, at in found.items()},
                    {name: cells[at] for name, at in further.items()},
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{text.path}, line {line}: {error}.", "Mend or remove the line.") from error


# Header lines: which column of a CSV is which canonical column.


ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    columns.USER_ID: ("userid", "user", "customerid", "uid"),
    columns.MOVIE_ID: ("movieid", "movie", "filmid", "itemid", "film", "item"),
    columns.RATING: ("rating", "ratings", "stars", "score"),
    columns.TIMESTAMP: ("timestamp", "ratingtimestamp", "unixtime", "ts"),
    columns.TITLE: ("title", "movietitle", "filmtitle", "name"),
    columns.GENRES: ("genres", "genre"),
    columns.YEAR: ("year", "releaseyear"),
    columns.GENDER: ("gender", "sex"),
    columns.AGE: ("age",),
    columns.OCCUPATION: ("occupation", "job"),
    columns.ZIP_CODE: ("zipcode", "zip", "postcode", "postalcode"),
}
"""Header names that are understood without a mapping: letters and digits in lower case."""


def split_header(line: str, delimiter: str, quoted: bool = True) -> list[str]:
    """The names in a header line, without surrounding blanks."""
    if not quoted:
        return [name.strip() for name in line.split(delimiter)]
    names = next(csv.reader([line], delimiter=delimiter), [])
    return [name.strip() for name in names]


def find_columns(
    names: Sequence[str],
    wanted: Sequence[str],
    required: Sequence[str],
    mapping: Mapping[str, str],
    path: str,
) -> dict[str, int]:
    """Positions of the wanted canonical columns.

    Args:
        names: the header's names.
        wanted: canonical columns to look for.
        required: those of `wanted` that must be there.
        mapping: canonical column to header name, from the configuration.
        path: the file, for messages.

    Returns:
        Canonical column to position, for the columns that were found.

    Raises:
        BadInput: a required column is missing; says which names there are, and the nearest.
    """
    found = {}
    for column in wanted:
        position = _position(names, column, mapping.get(column))
        if position is not None:
            found[column] = position
    missing = [column for column in required if column not in found]
    # A mapped column that is not required is asked for all the same.
    missing += [c for c in wanted if c in mapping and c not in found and c not in missing]
    if missing:
        raise _wrong_header(names, missing, mapping, path)
    return found


def _position(names: Sequence[str], column: str, mapped: str | None) -> int | None:
    if mapped is not None:
        return names.index(mapped) if mapped in names else None
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]
    return next((plain.index(alias) for alias in ALIASES[column] if alias in plain), None)


def _wrong_header(
    names: Sequence[str], missing: Sequence[str], mapping: Mapping[str, str], path: str
) -> BadInput:
    hints = []
    for column in missing:
        near = difflib.get_close_matches(mapping.get(column, column), names, n=1, cutoff=0.4)
        hints.append(f'{column} = "{near[0] if near else "..."}"')
    wanted = ", ".join(f"{c} (mapped to {mapping[c]})" if c in mapping else c for c in missing)
    return BadInput(
        f"{path}: the header has no column for {wanted}; it has: {', '.join(names)}.",
        f"Say which is which in the configuration: [data.columns] {', '.join(hints)}"
        ' (with data.format = "csv"), and check data.delimiter.',
    )

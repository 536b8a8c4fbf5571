"""Films and users in CSV files with a header: the CSV releases and a user's own files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from components.trainer import features
from ratings import schema
from ratings.errors import BadInput
from ratings.formats import header, tables
from ratings.formats.adapter import Movie, Text, User

_USER_COLUMNS = tuple(schema.USERS.names)


def read_movies(text: Text) -> Iterator[Movie]:
    """Films with `movie_id`, and with `title`, `genres` (by `|`) and `year` if there are any.

    Without a title the id is shown; without a year column the year that ends the title is taken.

    Raises:
        BadInput: the header has no film id, or a line is short.
    """
    for line, row, further in _rows(text, features.MOVIES_COLUMNS, (features.MOVIE_ID,)):
        title = row.get(features.TITLE) or row[features.MOVIE_ID]
        year = tables.whole_number(row.get(features.YEAR))
        yield Movie(
            line=line,
            movie_id=row[features.MOVIE_ID],
            title=title,
            genres=tables.split_genres(row.get(features.GENRES, "")),
            year=tables.title_year(title) if year is None else year,
            features=[
                f"{name}={value}"
                for name, cell in further.items()
                for value in tables.split_values(cell)
            ],
        )


def read_users(text: Text) -> Iterator[User]:
    """Users with `user_id` and those of gender, age, occupation and zip code that there are.

    Raises:
        BadInput: the header has no user id, or a line is short.
    """
    for line, row, _ in _rows(text, _USER_COLUMNS, (features.USER_ID,)):
        yield User(
            line=line,
            user_id=row[features.USER_ID],
            gender=row.get(schema.GENDER) or None,
            age=tables.whole_number(row.get(schema.AGE)),
            occupation=row.get(schema.OCCUPATION) or None,
            zip_code=row.get(schema.ZIP_CODE) or None,
        )


def _rows(
    text: Text, wanted: Sequence[str], required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    """Line, canonical columns, and those columns declared as features that the file has."""
    reader = csv.reader(io.StringIO(text.content, newline=""), delimiter=text.delimiter)
    names = [name.strip() for name in next(reader, [])]
    # The mapping is written for the ratings; here it counts where its names occur.
    mapping = {column: name for column, name in text.columns.items() if name in names}
    found = header.find_columns(names, wanted, required, mapping, text.path)
    plain = [name.lower() for name in names]
    further = {name: plain.index(name.lower()) for name in text.features if name.lower() in plain}
    line = reader.line_num + 1
    try:
        for values in reader:
            if values:
                tables.check_count(text.path, line, len(values), len(names))
                cells = [value.strip() for value in values]
                yield (
                    line,
                    {column: cells[at] for column, at in found.items()},
                    {name: cells[at] for name, at in further.items()},
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{text.path}, line {line}: {error}.", "Mend or remove the line.") from error

"""Movies and users: their files to Arrow tables, bad rows set aside, with an account of each."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.data import containers, quarantine, schema
from reelflow.data.formats import cells, headers
from reelflow.data.formats.cells import Cell
from reelflow.data.formats.joins import PEOPLE, linked_id, read_credits, read_links
from reelflow.data.formats.layouts import FLAG, TableLayout
from reelflow.data.formats.records import Found, Record, open_table
from reelflow.data.formats.summary import GenreSummary, TableSummary
from reelflow.data.ids import number_id
from reelflow.data.quarantine import QuarantinedRow, Reason

_ENTITY: Final = re.compile(r"&(amp|quot|lt|gt|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_NOTHING: Final = frozenset({"", "null", "none", "nan", "\\n", "n/a"})
"""Cells of users that say nothing, in lower case."""
_FREQUENT: Final = 10
_SHOWN: Final = 5
"""Refused rows that a message shows."""
_SHOWN_BYTES: Final = 80


@dataclass(frozen=True)
class TableReading:
    """Movies or users, and what became of the rows of their files."""

    table: pa.Table
    """Of `schema.MOVIES`, with `schema.FEATURES` if any are declared, or of `schema.USERS`."""
    summaries: tuple[TableSummary, ...]
    """One for each file."""
    refused: tuple[QuarantinedRow, ...]
    """Rows in quarantine, in the order of files and lines."""


@dataclass(frozen=True)
class _Row:
    """A row that can be used: its place, its id, and its cells by canonical column."""

    line: int
    raw: bytes
    identity: str
    values: dict[str, Cell]


def read_table(path: str, name: str, layout: TableLayout, required: bool = True) -> TableReading:
    """Read a file of movies or users, in its order.

    Rows that cannot be used are set aside with the reason. Of a movie or user that is there twice
    the first row counts; the same content again is a duplicate, other content is set aside.

    Args:
        path: the file.
        name: its name inside the data folder, for the quarantine.
        layout: what is known of the file.
        required: refuse a file without rows.

    Raises:
        BadInput: the file cannot be read, its header names no id, or none of its rows can be used;
            or it has none though one is required.
    """
    opened = open_table(path, layout)
    places, flags, further = _columns(opened.found, layout, path)
    rows: dict[str, _Row] = {}
    refused: list[tuple[Record, Reason]] = []
    read = duplicates = 0
    for record in opened.records:
        read += 1
        row = None if record.refused else _row(record, places, flags, further, layout)
        if row is None or not row.identity:
            refused.append((record, record.refused or quarantine.EMPTY_ID))
            continue
        first = rows.setdefault(row.identity, row)
        if first is not row:
            same = first.values == row.values
            duplicates += same
            if not same:
                refused.append((record, quarantine.CONFLICT))
    people = _people(layout, further)
    links = layout.links if _by_links(opened.found, places, layout) else ""
    used, unlinked = list(rows.values()), 0
    for row in used if people else ():
        of_movie = people.get(linked_id(row.identity), {})
        row.values.update({_feature(name): values for name, values in of_movie.items()})
    if links:
        used, unlinked = _linked(used, links, layout.numeric_ids)
    counts = Counter(reason.name for _, reason in refused)
    summary = TableSummary(
        file=name,
        what=layout.what,
        form=opened.found.form,
        encoding=opened.found.encoding,
        delimiter=opened.found.delimiter,
        header=bool(opened.found.names),
        columns={c: _label(opened.found, at) for c, at in places.items()},
        unused=[
            name
            for at, name in enumerate(opened.found.names)
            if at not in {*places.values(), *further.values()}
        ],
        rows=read,
        kept=len(rows) - unlinked,
        duplicates=duplicates,
        links=_base(links),
        unlinked=unlinked,
        credits=_base(layout.credits) if people else None,
        quarantined=dict(counts),
    )
    aside = tuple(
        QuarantinedRow(name, record.line, reason.name, record.raw) for record, reason in refused
    )
    _check(summary, aside, layout, path, required)
    if layout.what == "users":
        table = pa.Table.from_pylist([_user(row) for row in used], schema=schema.USERS)
    else:
        genres, summary = _genres(used, summary, layout)
        table = _movies(used, genres, layout)
    return TableReading(table, (summary,), aside)


def _columns(
    found: Found, layout: TableLayout, path: str
) -> tuple[dict[str, int], dict[int, str], dict[str, int]]:
    """Return the places of canonical columns, the genre of each flag, the places of features."""
    if layout.columns is not None:
        named = {name: at for at, name in enumerate(layout.columns) if name is not None}
        flags = {at: n.removeprefix(FLAG) for n, at in named.items() if n.startswith(FLAG)}
        return {n: at for n, at in named.items() if not n.startswith(FLAG)}, flags, {}
    if layout.by_position:
        return layout.places(found.first, path), {}, {}
    places = layout.find(found.names, path)
    simple = [name.lower() for name in found.names]
    further = {
        name: simple.index(name.lower()) for name in layout.features if name.lower() in simple
    }
    return places, {}, further


def _people(layout: TableLayout, further: Mapping[str, int]) -> Mapping[str, dict[str, list[str]]]:
    """Read the features that credits have and the movies' file has not."""
    wanted = [n for n in layout.features if n.lower() in PEOPLE and n not in further]
    return read_credits(layout.credits, wanted) if wanted and layout.credits else {}


def _by_links(found: Found, places: Mapping[str, int], layout: TableLayout) -> bool:
    """Return True if ids are to be looked up: by the configuration, or since they are TMDB's."""
    if not layout.links or not found.names:
        return False
    simple = [headers.simple_name(name) for name in found.names]
    tmdb = simple[places[columns.MOVIE_ID]] in ("id", "imdbid") and "imdbid" in simple
    return tmdb or layout.links_declared


def _linked(rows: Sequence[_Row], links: str, numeric: bool) -> tuple[list[_Row], int]:
    """Return the rows with the ratings' ids, and the number of those without one."""
    ids = read_links(links, [row.identity for row in rows])
    linked: dict[str, _Row] = {}
    unlinked = 0
    for row in rows:
        of_ratings = ids.get(linked_id(row.identity), [])
        unlinked += not of_ratings
        for identity in map(number_id, of_ratings) if numeric else of_ratings:
            linked.setdefault(identity, replace(row, identity=identity))
    return list(linked.values()), unlinked


def _base(path: str) -> str | None:
    return containers.base_name(path.rpartition("/")[2]) or None


def _label(found: Found, at: int) -> str:
    return found.names[at] if found.names else str(at + 1)


def _row(
    record: Record,
    places: Mapping[str, int],
    flags: Mapping[int, str],
    further: Mapping[str, int],
    layout: TableLayout,
) -> _Row:
    values: dict[str, Cell] = {column: record.cells[at] for column, at in places.items()}
    if flags:
        values[columns.GENRES] = [
            name for at, name in flags.items() if cells.whole_number(_text(record.cells[at])) == 1
        ]
    for name, at in further.items():
        values[_feature(name)] = record.cells[at]
    identity = _text(values[layout.known[0]]).strip()
    if layout.numeric_ids:
        identity = number_id(identity)
    values[layout.known[0]] = identity
    return _Row(record.line, record.raw, identity, values)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "|".join(cell)


def _plain(cell: Cell) -> str:
    """Return a text for people: entities of HTML become the characters they stand for."""
    text = _text(cell)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
    return " ".join(text.split())


def _check(
    summary: TableSummary,
    refused: Sequence[QuarantinedRow],
    layout: TableLayout,
    path: str,
    required: bool,
) -> None:
    """Refuse a file of which nothing is left, or not enough."""
    what = layout.what.removesuffix("s")
    if required and not summary.rows:
        raise BadInput(f"{path} holds no {what}.", "Restore the file.")
    if summary.kept or not summary.rows:
        return
    if summary.unlinked:
        raise BadInput(f"{path}: none of its movies is in {summary.links}.", "Restore the file.")
    reasons = ", ".join(f"{name} {n:,}" for name, n in summary.quarantined.items())
    shown = "; ".join(
        f"line {row.line} ({row.reason}) {row.row[:_SHOWN_BYTES].decode('utf-8', 'replace')!r}"
        for row in refused[:_SHOWN]
    )
    raise BadInput(
        f"{path}: none of the {summary.rows:,} rows can be used: {reasons}. The first: {shown}.",
        "Mend the file.",
    )


def _genres(
    rows: Sequence[_Row], summary: TableSummary, layout: TableLayout
) -> tuple[list[list[str]], TableSummary]:
    """Split the genres of movies, and say how."""
    found = [row.values.get(columns.GENRES, "") for row in rows]
    if columns.GENRES not in summary.columns and not any(found):
        return [[] for _ in rows], summary
    separator = layout.genre_separator
    if separator is None and summary.columns.get(columns.GENRES, "").endswith(":token_seq"):
        separator = " "  # as RecBole writes lists
    declared = separator is not None
    if separator is None:
        separator = cells.find_separator(found)
    split = [[_plain(g) for g in cells.split_genres(cell, separator)] for cell in found]
    if not declared:
        split = cells.split_words(split)
    counts = Counter(genre for genres in split for genre in genres)
    listed = sum(not isinstance(c, str) or cells.parse_list(c) is not None for c in found)
    genres = GenreSummary(
        separator=separator,
        declared=declared,
        listed=listed,
        distinct=len(counts),
        movies=sum(map(bool, split)),
        frequent=dict(sorted(counts.items(), key=lambda at: (-at[1], at[0]))[:_FREQUENT]),
    )
    return split, summary.model_copy(update={"genres": genres})


def _movies(rows: Sequence[_Row], genres: Sequence[list[str]], layout: TableLayout) -> pa.Table:
    """Make the table of movies.

    Without a title the id is shown; without a year column the year that ends the title is taken.
    """
    made = []
    for row, of_movie in zip(rows, genres, strict=True):
        title = _plain(row.values.get(columns.TITLE, "")) or row.identity
        year = cells.year_of(_text(row.values.get(columns.YEAR, "")))
        made.append(
            {
                columns.MOVIE_ID: row.identity,
                columns.TITLE: title,
                columns.GENRES: of_movie,
                columns.YEAR: cells.title_year(title) if year is None else year,
                columns.FEATURES: [
                    f"{name}={value}"
                    for name in layout.features
                    for value in cells.split_values(row.values.get(_feature(name), ""))
                ],
            }
        )
    fields = schema.MOVIES.append(schema.FEATURES) if layout.features else schema.MOVIES
    return pa.Table.from_pylist(made, schema=fields)


def _feature(name: str) -> str:
    return f"{columns.FEATURES}={name}"


def _user(row: _Row) -> dict[str, Any]:
    """Return the cells of a user, all but the id optional."""
    texts = {column: _text(cell).strip() for column, cell in row.values.items()}
    known = {column: text for column, text in texts.items() if text.lower() not in _NOTHING}
    return {
        columns.USER_ID: row.identity,
        columns.GENDER: known.get(columns.GENDER),
        columns.AGE: cells.whole_number(known.get(columns.AGE)),
        columns.OCCUPATION: known.get(columns.OCCUPATION),
        columns.ZIP_CODE: known.get(columns.ZIP_CODE),
    }


def first_of_each(readings: Sequence[TableReading]) -> TableReading:
    """Join readings; of rows with the same id only the first is kept, as of the newest span."""
    if len(readings) == 1:
        return readings[0]
    table = pa.concat_tables([reading.table for reading in readings]).combine_chunks()
    rows: dict[str, int] = {}
    for row, identity in enumerate(table.column(0).to_pylist()):
        rows.setdefault(identity, row)
    return TableReading(
        table.take(pa.array(list(rows.values()))),
        tuple(summary for reading in readings for summary in reading.summaries),
        tuple(row for reading in readings for row in reading.refused),
    )

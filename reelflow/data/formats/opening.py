"""Ratings files, opened: their form and columns, declared by the configuration or found out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Feedback
from reelflow.data import files, times
from reelflow.data.formats import headers, shapes, sniff
from reelflow.data.formats.adapter import Adapter, Form, Layout, RatingsFile
from reelflow.data.formats.sniff import Sample
from reelflow.data.forms import netflix_prize
from reelflow.data.forms.json_lines import parse_object, text_of
from reelflow.data.forms.parquet_rows import check_types
from reelflow.data.parquet import MAGIC, open_parquet

_SHOWN: Final = 60
"""Characters of a line that a message shows."""
_DATES: Final = (
    *("date", "datetime", "time", "ratingdate", "ratingtime", "ratedate", "ratedat", "when"),
    *("reviewdate", "reviewtime", "reviewtimestamp", "createdat", "dateadded"),
)
"""Names of columns that are times only where they can be read as such."""
_ALIASES: Final = {
    **headers.ALIASES,
    columns.TIMESTAMP: (*headers.ALIASES[columns.TIMESTAMP], *_DATES),
}
_SAMPLE_ROWS: Final = 1000
"""Of Parquet, in which the form of times is looked for."""


def open_ratings_file(
    folder: str, name: str, adapter: Adapter, split: str | None, data: DataConfig
) -> RatingsFile:
    """Look at the beginning of a ratings file, and find out its form and columns.

    A column of ratings may be missing where `data.feedback` can do without.

    Raises:
        BadInput: the file is empty, unreadable, or its header lacks a column; or it may have
            ratings under a name that is not understood, or times.
    """
    path = files.join(folder, name)
    sample = sniff.read_sample(path)
    if sample.head.startswith(MAGIC):
        layout, start = _open_parquet(path, adapter, data), 0
    elif sample.head.lstrip().startswith(b"{"):
        layout, start = _open_json(sample, adapter, data), sample.mark
    elif netflix_prize.HEADER.fullmatch(sample.head.strip().split(b"\n", 1)[0]):
        layout, start = _open_netflix_prize(sample, data), sample.mark
    else:
        layout, start = _open_text(sample, adapter, data)
    events = data.feedback is Feedback.EVENTS  # whatever it holds, a row is an event
    layout = replace(
        layout,
        columns=tuple(
            None if events and column == columns.RATING else column for column in layout.columns
        ),
        declared=frozenset(
            key
            for key in ("delimiter", "header", "decimal", "encoding", "timestamp_format")
            if getattr(data, key) is not None
        ),
    )
    return RatingsFile(path, name, layout, start, sample.compression, split)


def _open_text(sample: Sample, adapter: Adapter, data: DataConfig) -> tuple[Layout, int]:
    """Return the layout of a text, and the position of its first rating."""
    shapes.refuse_other_text(sample)
    encoding = data.encoding or sample.encoding
    lines = sample.lines(encoding)
    if not lines:
        raise BadInput(
            f"{sample.path} holds nothing but blank lines.",
            "Restore the file, or take it out of the data folder.",
        )
    mapping = adapter.mapping
    if adapter.columns is None:
        sample, lines = _without_comments(sample, lines, mapping)
    delimiter = adapter.delimiter or sniff.find_delimiter(
        lines, lambda cells: data.header is not False and _names_columns(cells, mapping)
    )
    quoted = adapter.quoted and len(delimiter) == 1 and delimiter != " "
    first = sniff.split_line(lines[0], delimiter, quoted)
    positions = [name for name in mapping.values() if name]
    by_position = data.header is False or (
        data.header is None
        and len(positions) > 0
        and all(map(str.isdecimal, positions))
        and sniff.looks_like_data(first)
        and first not in ([str(at + i) for i in range(len(first))] for at in (0, 1))
    )
    names: tuple[str, ...] = ()
    start = sample.mark
    if adapter.columns is not None:
        column_names = adapter.columns
    elif by_position:
        column_names = _by_position(sample, lines, first, delimiter, mapping)
    else:
        names = tuple(first)
        if data.header is None:
            _refuse_no_header(sample, lines, names, delimiter, mapping)
        column_names = _by_name(sample, lines, names, delimiter, mapping, data.feedback)
        # Blank lines may stand before the header.
        blank = len(sample.head) - len(sample.head.lstrip(b"\r\n \t"))
        rest = replace(sample, head=sample.head[blank:])
        start += blank + len(rest.first_line())
        lines = lines[1:]
    rows = [sniff.split_line(line, delimiter, quoted) for line in lines]

    def cells(column: str) -> list[str]:
        at = column_names.index(column) if column in column_names else len(column_names)
        return [row[at] for row in rows if at < len(row) == len(column_names)]

    decimal = data.decimal or _find_decimal(sample, cells(columns.RATING))
    column_names, form = _with_times(
        sample.path, names, column_names, cells(columns.TIMESTAMP), adapter, data
    )
    layout = Layout(
        delimiter=delimiter.encode(),
        columns=column_names,
        quoted=quoted,
        form=Form.DELIMITED,
        names=names,
        encoding=encoding,
        line_end=sample.line_end,
        decimal=decimal,
        times=form,
    )
    return layout, start


def _open_netflix_prize(sample: Sample, data: DataConfig) -> Layout:
    rating = (columns.USER_ID, columns.RATING, columns.TIMESTAMP)
    return Layout(
        b",",
        rating if data.timestamps else _without_times(rating),
        quoted=False,
        form=Form.NETFLIX_PRIZE,
        line_end=sample.line_end,
        times=data.timestamp_format or times.ISO,
    )


def _open_json(sample: Sample, adapter: Adapter, data: DataConfig) -> Layout:
    """Return the layout of JSON lines, whose names are the keys of the objects of the sample."""
    encoding = data.encoding or sample.encoding
    lines = sample.lines(encoding)
    objects = [row for line in lines if (row := parse_object(line)) is not None]
    if not objects:
        raise BadInput(
            f"{sample.path} begins with a brace, and its lines are no JSON objects.",
            "Write one object a line (JSON lines), as `jq -c` does.",
        )
    names = tuple(dict.fromkeys(name for row in objects for name in row))
    column_names = _by_name(sample, [], names, "", adapter.mapping, data.feedback)

    def cells(column: str) -> list[str]:
        if column not in column_names:
            return []
        name = names[column_names.index(column)]
        return [text_of(row.get(name)) or "" for row in objects]

    column_names, form = _with_times(
        sample.path, names, column_names, cells(columns.TIMESTAMP), adapter, data
    )
    return Layout(
        delimiter=b"",
        columns=column_names,
        quoted=False,
        form=Form.JSON_LINES,
        names=names,
        encoding=encoding,
        line_end=sample.line_end,
        decimal=data.decimal or _find_decimal(sample, cells(columns.RATING)),
        times=form,
    )


def _open_parquet(path: str, adapter: Adapter, data: DataConfig) -> Layout:
    with open_parquet(path) as file:
        fields = file.schema_arrow
        names = tuple(fields.names)
        sample = Sample(path, "", 0, b"", ())
        column_names = _by_name(sample, [], names, "", adapter.mapping, data.feedback)
        chosen = [
            (c, n, fields.field(at).type)
            for at, (c, n) in enumerate(zip(column_names, names, strict=True))
            if c
        ]
        twice = next((name for _, name, _ in chosen if names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"{path}: several columns are called {twice}.", "Rename the others.")
        check_types(chosen, path)
        cells: list[object] = []
        for column, name, _ in chosen:
            if column == columns.TIMESTAMP and file.metadata.num_rows:
                batch = next(file.iter_batches(_SAMPLE_ROWS, columns=[name], use_threads=False))
                cells = batch.column(0).to_pylist()
    texts = ["" if cell is None else str(cell) for cell in cells]
    column_names, form = _with_times(path, names, column_names, texts, adapter, data)
    return Layout(b"", column_names, False, Form.PARQUET, names, times=form)


def _without_comments(
    sample: Sample, lines: list[str], mapping: Mapping[str, str]
) -> tuple[Sample, list[str]]:
    """Leave out comments before the header or the first row, which may hold the header.

    Excel writes `sep=;` there, KONECT lines that begin with a percent sign.
    """
    while len(lines) > 1 and re.match(r"[#%]|sep=.$", lines[0]):
        if any(_names_columns(sniff.split_line(lines[0], d), mapping) for d in sniff.DELIMITERS):
            break
        blank = len(sample.head) - len(sample.head.lstrip(b"\r\n \t"))
        skipped = blank + len(replace(sample, head=sample.head[blank:]).first_line())
        sample = replace(sample, mark=sample.mark + skipped, head=sample.head[skipped:])
        lines = lines[1:]
    return sample, lines


def _names_columns(names: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Return True if names of a header say which column is the user's and which the movie's."""
    wanted = (columns.USER_ID, columns.MOVIE_ID)
    known = columns.RATINGS_COLUMNS
    mapping = {column: name for column, name in mapping.items() if column in known and name}
    try:
        headers.find_columns(names, known, wanted, mapping, "")
    except BadInput:
        return False
    return True


def _by_name(
    sample: Sample,
    lines: Sequence[str],
    names: Sequence[str],
    delimiter: str,
    mapping: Mapping[str, str],
    feedback: Feedback,
) -> tuple[str | None, ...]:
    """Return the canonical name of each column by the header."""
    required = [columns.USER_ID, columns.MOVIE_ID]
    known = [column for column in columns.RATINGS_COLUMNS if mapping.get(column) != ""]
    mapping = {column: name for column, name in mapping.items() if column in known}
    unmapped = [name for name in names if name not in mapping.values()]
    maybe = feedback is Feedback.AUTO and headers.value_column(unmapped) is not None
    if columns.RATING in known and (maybe or feedback in (Feedback.STARS, Feedback.COUNTS)):
        required.append(columns.RATING)
    if not _names_columns(names, mapping):
        shapes.refuse_known_shapes(sample, lines, names, delimiter)
    positions = headers.find_columns(names, known, required, mapping, sample.path, aliases=_ALIASES)
    column_at = {position: column for column, position in positions.items()}
    return tuple(column_at.get(position) for position in range(len(names)))


def _find_decimal(sample: Sample, cells: Sequence[str]) -> str:
    if example := sniff.by_thousands(cells):
        raise BadInput(
            f"{sample.path}: the comma of {example} may stand between thousands, or be a decimal "
            "comma.",
            'Set data.decimal = "." if it stands between thousands, data.decimal = "," if not.',
            ['data.decimal="."'],
        )
    return sniff.find_decimal(cells)


def _by_position(
    sample: Sample,
    lines: Sequence[str],
    first: Sequence[str],
    delimiter: str,
    mapping: Mapping[str, str],
) -> tuple[str | None, ...]:
    """Return the canonical name of each column by the positions that the mapping gives."""
    column_at: dict[int, str] = {}
    for column in columns.RATINGS_COLUMNS:
        text = mapping.get(column, "")
        if text and not (text.isdecimal() and 1 <= int(text) <= len(first)):
            raise BadInput(
                f"{sample.path}: data.columns maps {column} to {text!r}, and there is no header.",
                f"Give the position, from 1 to {len(first)}.",
            )
        if text and column_at.setdefault(int(text), column) != column:
            raise BadInput(
                f"data.columns: {column_at[int(text)]} and {column} are both mapped to {text}.",
                "Map each to a column of its own.",
            )
    if not {columns.USER_ID, columns.MOVIE_ID} <= set(column_at.values()):
        raise BadInput(
            f"{sample.path} has no header, and data.columns does not say which column is which.",
            *shapes.positions_remedy(lines, delimiter),
        )
    return tuple(column_at.get(position) for position in range(1, len(first) + 1))


def _refuse_no_header(
    sample: Sample,
    lines: Sequence[str],
    names: Sequence[str],
    delimiter: str,
    mapping: Mapping[str, str],
) -> None:
    if _names_columns(names, mapping) or not sniff.looks_like_data(names):
        return
    shapes.refuse_known_shapes(sample, lines, names, delimiter)
    shown = lines[0] if len(lines[0]) <= _SHOWN else f"{lines[0][:_SHOWN]}..."
    raise BadInput(
        f"{sample.path}: the first line looks like data, not like a header: {shown}",
        *shapes.positions_remedy(lines, delimiter),
    )


def _with_times(
    path: str,
    names: Sequence[str],
    column_names: tuple[str | None, ...],
    cells: Sequence[str],
    adapter: Adapter,
    data: DataConfig,
) -> tuple[tuple[str | None, ...], str]:
    """Return the columns, without that of the times if these are not read, and the times' form."""
    if not data.timestamps or columns.TIMESTAMP not in column_names:
        return _without_times(column_names), "s"
    form = data.timestamp_format or times.recognise(cells)
    if form:
        return column_names, form
    name = names[column_names.index(columns.TIMESTAMP)] if names else ""
    if columns.TIMESTAMP not in adapter.mapping and headers.simple_name(name) in _DATES:
        return _without_times(column_names), "s"
    example = next((cell for cell in cells if cell), "")
    raise BadInput(
        f"{path}: times as {example!r} are not understood.",
        "Set data.timestamp_format, as '%d/%m/%Y' (a format of strptime) or iso; or leave the "
        "times out with data.timestamps = false.",
    )


def _without_times(column_names: tuple[str | None, ...]) -> tuple[str | None, ...]:
    return tuple(None if column == columns.TIMESTAMP else column for column in column_names)

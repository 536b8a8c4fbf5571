"""Sentences on how files were understood: what was found out, and what was declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reelflow.base import columns
from reelflow.data.formats.adapter import Form, Layout, RatingsFile
from reelflow.data.formats.source import Source
from reelflow.data.formats.summary import GenreSummary, TableSummary

_DELIMITERS: Final = {
    b",": "commas",
    b";": "semicolons",
    b"\t": "tabs",
    b"|": "bars",
    b"::": "double colons",
    b" ": "blanks",
    b"\x01": "control characters (\\x01)",
}
_ENCODINGS: Final = {"utf-8": "UTF-8", "latin-1": "Latin-1", "cp1252": "Windows-1252"}
_TIMES: Final = {
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970",
    "iso": "ISO 8601",
}
_NAMED: Final = 3
"""File names at most in a sentence."""


def reading_sentences(source: Source) -> list[str]:
    """Return how the ratings files were understood, those of one layout together."""
    groups: dict[tuple[Layout, str], list[str]] = {}
    for file in source.ratings_files:
        groups.setdefault((file.layout, file.compression), []).append(file.name)
    sentences = [
        f"{_listed(names)}: {'; '.join(_parts(layout, compression))}."
        for (layout, compression), names in groups.items()
    ]
    if source.adapter.only_table:
        sentences.append("No other file of the folder is a table of ratings.")
    if source.look_alikes:
        sentences.append(
            f"Not read: {_listed(source.look_alikes)}, which may hold the same ratings or others; "
            "data.ratings says which files are read."
        )
    return sentences


def used_columns(file: RatingsFile) -> dict[str, str]:
    """Return canonical column to the header's name, or the position where there is no header."""
    layout = file.layout
    return {
        column: layout.names[at] if layout.names else str(at + 1)
        for at, column in enumerate(layout.columns)
        if column is not None
    }


def table_sentences(summary: TableSummary) -> list[str]:
    """Return how a file of movies or users was understood, and what became of its rows."""
    form = summary.form
    if summary.delimiter:
        form += f" with {_DELIMITERS.get(summary.delimiter.encode(), repr(summary.delimiter))}"
        form += ", with a header" if summary.header else ", without a header"
    parts = [form]
    if summary.encoding:
        parts.append(_ENCODINGS[summary.encoding])
    if summary.links:
        parts.append(f"ids by {summary.links}")
    if summary.credits:
        parts.append(f"people from {summary.credits}")
    if summary.unused:
        parts.append(f"not used: {', '.join(summary.unused)}")
    counts = [f"{summary.kept:,} of {summary.rows:,} rows kept"]
    if summary.duplicates:
        counts.append(f"{summary.duplicates:,} there twice with the same content")
    if summary.unlinked:
        counts.append(f"{summary.unlinked:,} without an id in {summary.links}")
    if summary.refused:
        reasons = ", ".join(f"{name} {rows:,}" for name, rows in summary.quarantined.items())
        counts.append(f"{summary.refused:,} in quarantine ({reasons})")
    sentences = [f"{summary.file}: {'; '.join(parts)}.", f"{', '.join(counts)}."]
    return sentences if summary.genres is None else [*sentences, _genres(summary.genres)]


def _genres(genres: GenreSummary) -> str:
    ways = []
    if genres.listed:
        ways.append("lists")
    if genres.separator is not None:
        mark = "blanks" if genres.separator == " " else f"`{genres.separator}`"
        ways.append(f"{mark} between them" + (", as declared" if genres.declared else ""))
    how = " and ".join(ways) or "one for each movie"
    frequent = ", ".join(f"{name} {movies:,}" for name, movies in genres.frequent.items())
    return f"{genres.distinct:,} different genres ({how}): {frequent or 'none'}."


def _parts(layout: Layout, compression: str) -> Iterable[str]:
    form = layout.form.value
    if layout.form is Form.DELIMITED:
        form = f"text with {_DELIMITERS.get(layout.delimiter, repr(layout.delimiter.decode()))}"
        form += ", with a header" if layout.names else ", without a header"
    yield f"{form} ({compression})" if compression else form
    if layout.form is not Form.PARQUET:
        yield _ENCODINGS[layout.encoding]
    if layout.line_end == b"\r":
        yield "lines that end with carriage returns"
    if layout.decimal == ",":
        yield "decimal commas"
    if columns.TIMESTAMP in layout.columns:
        yield f"times as {_TIMES.get(layout.times, layout.times)}"
    if layout.unused:
        yield f"not used: {', '.join(layout.unused)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

"""Sentences on how ratings files were understood: what was found out, and what was declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reelflow.base import columns
from reelflow.data.formats.adapter import Form, Layout, RatingsFile
from reelflow.data.formats.source import Source

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

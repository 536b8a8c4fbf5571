"""Text from ratings files and requests, made harmless for terminals, logs, pages and spreadsheets.

Titles, ids, names of columns and damaged rows are whatever a file holds. Inside the program
they stay as they are; each way out has one place that calls this module.
"""

from __future__ import annotations

import logging
import re

# Control characters but tab and newline, DEL, C1, and marks that turn the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def printable(text: str) -> str:
    """Return a text without what a terminal would obey instead of showing it."""
    return _UNPRINTABLE.sub("", text)


def printable_json(text: str) -> str:
    """Return JSON with escapes for what a terminal would obey; its value is the same."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _PrintableRecord(logging.LogRecord):
    """A record whose message and traceback are printable."""

    def getMessage(self) -> str:
        return printable(super().getMessage())

    def __setattr__(self, name: str, value: object) -> None:
        if name == "exc_text" and isinstance(value, str):
            value = printable(value)
        super().__setattr__(name, value)


def keep_logs_printable() -> None:
    """Let every logger of this process, those of libraries too, write printable text only."""
    logging.setLogRecordFactory(_PrintableRecord)


def no_formula(text: str) -> str:
    """Return the text of a cell, with an apostrophe in front if a spreadsheet would compute it."""
    # What a spreadsheet skips before a formula may stand in front of it.
    first = printable(text).lstrip(" \xa0\ufeff")
    if first.startswith(_FORMULA) and not _NUMBER.fullmatch(first.strip()):
        return f"'{text}"
    return text

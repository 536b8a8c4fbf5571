"""Cells of movies and users: numbers, years, lists of genres by the separator that they have."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

Cell = str | list[str]
"""A text, or a list where the form of the file has lists."""

SEPARATORS: Final = ("|", ";", ",", "/")
"""Separators of lists that are found out, the strongest first."""
_SHARE: Final = 0.02
"""Share of the lists that have a separator at least."""
_NO_GENRES: Final = frozenset(
    {"", "(no genres listed)", "unknown", "none", "null", "nan", "n/a", "[]", "\\n"}
)
_BRACKETS: Final = re.compile(r"^\s*(?:\(([^()]*)\)|\{([^{}]*)\})\s*$")
_NAMES: Final = ("name", "title", "value", "description", "label")
"""Keys of an object that stand for it."""
_LONGEST: Final = 100_000
"""Characters of a text that is read as a list."""
_DEEPEST: Final = 8
"""Lists in lists that are looked into."""
_LAST_YEAR: Final = 9999


def whole_number(text: str | None) -> int | None:
    """Return an integer, also one written as `1995.0`, or None if the text is none."""
    match = re.fullmatch(r"\s*(-?\d{1,18})(?:\.0*)?\s*", text or "")
    return int(match.group(1)) if match else None


def year_of(text: str) -> int | None:
    """Return the year of `1995`, `1995.0`, `1995-07-21`, `21-Jul-1995`, `Apr 3, 1998 to ...`.

    None without any; 0 stands for none, too.
    """
    number = whole_number(text)
    if number is None:
        match = re.search(r"(?<!\d)\d{4}(?!\d)", text)
        number = int(match.group()) if match else None
    elif number > _LAST_YEAR:  # 19950721
        number = number // 10_000 if len(str(number)) == len("YYYYMMDD") else None
    return number or None


def title_year(title: str) -> int | None:
    """Return the year that ends a title, as in `Heat (1995)`; of a span of years, the first."""
    match = re.search(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)[\s\"]*$", title)
    return int(match.group(1)) if match else None


def as_text(value: Any) -> str:
    """Return a value of JSON or Parquet as the text of a cell; whole numbers without `.0`."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def as_cell(value: Any) -> Cell:
    """Return a value of JSON or Parquet as a cell; lists stay lists."""
    return _flat(value) if isinstance(value, (list, tuple)) else as_text(value)


def _flat(value: Any, depth: int = 0) -> list[str]:
    """List the names in nested lists and objects, as `[{"id": 18, "name": "Drama"}]`."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, (list, tuple)):
        return [name for part in value for name in _flat(part, depth + 1)]
    if isinstance(value, dict):
        chosen = [value[key] for key in _NAMES if isinstance(value.get(key), str)]
        # Without any such key the keys are what is listed, as `{"Drama": 12}`.
        return chosen[:1] or [str(key) for key in value]
    return [as_text(value)]


def parse_list(text: str) -> list[Any] | None:
    """Read a list as JSON or as Python writes it; None if the text is none.

    Nothing is evaluated: only literals are read.
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")) or len(text) > _LONGEST:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            if "\\" in text:  # half a surrogate pair is no text
                json.dumps(value, ensure_ascii=False, default=str).encode()
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value if isinstance(value, list) else None
    return None


def split_values(cell: Cell, separator: str | None = "|") -> list[str]:
    """Split `Ida Lupino|Orson Welles`, in order, without repetitions and empty parts.

    Lists, and texts that are one (`["Ida Lupino"]`), need no separator.
    """
    if isinstance(cell, str):
        listed = parse_list(cell)
        parts = cell.split(separator) if listed is None and separator else [cell]
        parts = parts if listed is None else _flat(listed)
    else:
        parts = cell
    stripped = (" ".join(part.split()) for part in parts)
    return list(dict.fromkeys(part for part in stripped if part))


def split_genres(cell: Cell, separator: str | None = "|") -> list[str]:
    """Split `Action|Drama` as `split_values` does; names for "none" are left out."""
    if isinstance(cell, str) and cell.strip().lower() not in _NO_GENRES:
        cell = _BRACKETS.sub(r"\1\2", cell)  # (Action,Drama)
    return [part for part in split_values(cell, separator) if part.lower() not in _NO_GENRES]


def split_words(lists: Sequence[list[str]]) -> list[list[str]]:
    """Split `Drama Comedy`, where both words are genres of other movies, in lists of genres."""
    known = {part for parts in lists for part in parts if " " not in part}

    def split(part: str) -> list[str]:
        words = part.split()
        return words if len(words) > 1 and known.issuperset(words) else [part]

    return [list(dict.fromkeys(w for part in parts for w in split(part))) for parts in lists]


def find_separator(cells: Iterable[Cell]) -> str | None:
    """Return the separator of lists, None if they have none.

    The first of `SEPARATORS` that at least one list in fifty has. A slash counts only if its parts
    occur in other lists too: `Action/Adventure` may be the name of one genre.
    """
    texts = Counter(c for c in cells if isinstance(c, str) and c and parse_list(c) is None)
    total = sum(texts.values())
    for separator in SEPARATORS:
        with_it = [text for text in texts if separator in text]
        if not with_it or sum(texts[text] for text in with_it) < _SHARE * total:
            continue
        if separator != "/" or _recur(list(texts), separator):
            return separator
    return None


def _recur(texts: Sequence[str], separator: str) -> bool:
    """Return True if most parts of lists occur in more than one of the distinct texts."""
    where = Counter(part for text in texts for part in set(split_values(text, separator)))
    parts = {p for text in texts if separator in text for p in split_values(text, separator)}
    return sum(where[part] > 1 for part in parts) > len(parts) / 2

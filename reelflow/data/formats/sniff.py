"""The form of a text file, found out from a bounded sample, whatever its columns mean."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reelflow.base.errors import BadInput
from reelflow.data import containers, files
from reelflow.data.parquet import MAGIC

SAMPLE_BYTES: Final = 64 * 2**10
"""Of the beginning of a file, and of its middle and end where these can be reached."""
_LONGEST_LINE: Final = 2**20
LINES: Final = 500
"""Lines of each part of the sample that are split into cells."""
_LINES: Final = 100
"""Lines of the beginning that are split to find the delimiter."""
DELIMITERS: Final = ("\t", ";", "|", "::", ",", "\x01", " ")
"""Those that are found out, the more telling first; blanks count together."""
_CONSISTENT: Final = 0.7
"""Share of the lines that have to have the same number of columns."""
_DATA: Final = re.compile(
    r"-?\d[\d.,]*([eE][+-]?\d+)?|\d{4}-\d\d-\d\d([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}( .*)?"
)
_LATIN_1: Final = frozenset(range(0xA0, 0xFE))  # without \xfe and \xff, which damage is made of
_WINDOWS: Final = frozenset(range(0x80, 0xA0)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Sample:
    """Parts of a file, each of whole lines as far as it has any."""

    path: str
    compression: str
    mark: int
    """Bytes of the byte order mark."""
    head: bytes
    """The beginning, behind the mark."""
    later: tuple[bytes, ...]
    """Pieces of the middle and the end of a longer file; none of a compressed one."""

    @property
    def line_end(self) -> bytes:
        """A carriage return if the file has no line feeds, else a line feed."""
        return b"\r" if b"\r" in self.head and b"\n" not in self.head else b"\n"

    @property
    def encoding(self) -> str:
        """`latin-1` or `cp1252` if nothing but ASCII in the sample is UTF-8, else `utf-8`.

        Bytes that are no letters or signs of these are damage, and no encoding.
        """
        content = b"\n".join((self.head, *self.later))
        if content.isascii() or not content.decode("utf-8", errors="ignore").isascii():
            return "utf-8"
        found = set(content) - set(range(0x80))
        if found <= _LATIN_1:
            return "latin-1"
        return "cp1252" if found <= _LATIN_1 | _WINDOWS else "utf-8"

    def lines(self, encoding: str) -> list[str]:
        """Return lines that are not blank, decoded, the first first; `LINES` of each part."""
        found = []
        for part in (self.head, *self.later):
            for line in part.split(self.line_end, LINES)[:LINES]:
                text = line.decode(encoding, errors="replace").rstrip("\r\n")
                if text.strip():
                    found.append(text)
        return found

    def first_line(self) -> bytes:
        """Return the first line with its line end."""
        end = self.head.find(self.line_end)
        return self.head if end < 0 else self.head[: end + 1]


def read_sample(path: str) -> Sample:
    """Read the sample of a file.

    Raises:
        BadInput: the file is empty, cannot be read, or is no text.
    """
    compression = containers.compression_of(path)
    with containers.open_content(path) as content:
        head = content.read(SAMPLE_BYTES)
        whole = len(head) < SAMPLE_BYTES
        if not whole and b"\n" not in head and b"\r" not in head:
            head += content.read(_LONGEST_LINE)
        later = []
        if not whole and not compression:
            size = files.size_of(path)
            for at in (size // 2, size - SAMPLE_BYTES):
                if at > len(head):
                    content.seek(at)
                    later.append(content.read(SAMPLE_BYTES))
    if not head:
        raise BadInput(f"{path} is empty.", "Restore the file, or take it out of the data folder.")
    if head.startswith(MAGIC):
        return Sample(path, compression, 0, head, ())
    if head.startswith(_UTF16) or head[:SAMPLE_BYTES].count(0) > len(head) // 8:
        kind = "UTF-16" if b"\0" in head[:64] else "no text"
        raise BadInput(f"{path} is {kind}.", "Save the file as UTF-8.")
    mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    sample = Sample(path, compression, mark, head[mark:], ())
    end = sample.line_end
    if not whole and end in head:
        head = head[: head.rfind(end) + 1]
    pieces = (piece[piece.find(end) + 1 : piece.rfind(end) + 1] for piece in later)
    return Sample(path, compression, mark, head[mark:], tuple(p for p in pieces if p))


def split_line(line: str, delimiter: str, quoted: bool = True) -> list[str]:
    """Split a line into its cells, without the blanks around them."""
    if delimiter == " ":
        return line.split()
    cells = None
    if quoted and len(delimiter) == 1 and '"' in line:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            cells = None
    return [cell.strip() for cell in (line.split(delimiter) if cells is None else cells)]


def find_delimiter(
    lines: Sequence[str], telling: Callable[[Sequence[str]], bool] = lambda _: False
) -> str:
    """Find the delimiter of text in columns.

    Args:
        lines: the first lines, not blank.
        telling: True for cells of a first line that name the columns wanted; such a delimiter is
            taken in any case.

    Returns:
        One of `DELIMITERS`; a comma if none divides the lines into as many columns each.
    """
    found: list[tuple[tuple[bool, int], str]] = []
    for delimiter in DELIMITERS:
        rows = [split_line(line, delimiter) for line in lines[:_LINES]]
        columns, times = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        named = bool(rows) and len(rows[0]) > 1 and telling(rows[0])
        needed = _CONSISTENT if delimiter != " " else 1.0
        if named or (columns > 1 and times >= needed * len(rows)):
            found.append(((named, columns), delimiter))
    if any(delimiter != " " for _, delimiter in found):
        found = [pair for pair in found if pair[1] != " " or pair[0][0]]
    # The first of those with most columns.
    return max(found, key=lambda pair: pair[0])[1] if found else ","


def looks_like_data(cells: Sequence[str]) -> bool:
    """Return True if a line holds a number or a date, as hardly any header does."""
    return any(_DATA.fullmatch(cell) for cell in cells)


def by_thousands(cells: Sequence[str]) -> str:
    """Return the first of numbers whose commas may all stand between thousands; empty if not so.

    `1,234` is more than a thousand in one country, and a little more than one in another.
    """
    commas = [cell for cell in cells if "," in cell]
    if any(re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+", cell) is None for cell in commas):
        return ""
    return next(iter(commas), "")


def find_decimal(cells: Sequence[str]) -> str:
    """Return the decimal mark of numbers: a comma if some have one and none has a point."""
    comma = sum(re.fullmatch(r"-?\d*,\d+", cell) is not None for cell in cells)
    point = sum(re.fullmatch(r"-?\d*\.\d+", cell) is not None for cell in cells)
    return "," if comma and not point else "."

"""Lines of a text to cells: by a delimiter, with quotes in every way in which people write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

DELIMITERS: Final = (",", "\t", ";", "|", "::")
"""Delimiters that are found out; of equal ones the first."""
CELL_BYTES: Final = 16 * 2**20
"""Bytes of a cell at most."""
_SPAN: Final = 1_000
"""Lines of a quoted value at most; beyond, its quote is taken for one that does not end."""
_TRIES: Final = 20
"""Further quotes at which such a value may end."""

csv.field_size_limit(CELL_BYTES)  # the lists of a cast are longer than csv's own limit


@dataclass(frozen=True)
class Splitter:
    """The way in which lines are cut into cells."""

    delimiter: str
    quoted: bool
    escaped: bool
    rest: int | None = None
    """Number of columns of which the last one takes the rest of a line."""

    def first(self, lines: Sequence[str]) -> list[str]:
        """Return the cells of the first of the lines."""
        return next((row for _, _, row in self.rows(enumerate(lines))), [])

    def rows(
        self, lines: Iterable[tuple[int, str]], width: int | None = None
    ) -> Iterator[tuple[int, list[str], list[str]]]:
        """Yield number, lines and cells of each record; a quoted value may have several lines.

        If a quote does not end, the one line is a record of its own, of the wrong `width`.
        """
        source, back = iter(lines), list[tuple[int, str]]()
        while True:
            number, raw = back.pop() if back else next(source, (-1, ""))
            if number < 0:
                return
            line = raw.removesuffix("\r")
            if not line.strip():
                continue
            cells = self.strict(line)
            if cells is not None:
                width = width or len(cells)
                yield number, [raw], cells
                continue
            taken = [raw]
            quotes = self._quotes(line)
            tries = _TRIES if quotes % 2 else 0
            while tries and len(taken) < _SPAN:
                following = back.pop() if back else next(source, None)
                if following is None:
                    break
                taken.append(following[1])
                quotes += self._quotes(following[1])
                if '"' in following[1] and quotes % 2 == 0:
                    tries -= 1
                    cells = self.strict("\n".join(taken).removesuffix("\r"))
                    if cells is not None and (width is None or len(cells) == width):
                        break
                    cells = None
            if cells is None:
                back += [(number + at, text) for at, text in enumerate(taken[1:], 1)][::-1]
                taken, cells = [raw], self.lenient(line)
            width = width or len(cells)
            yield number, taken, cells

    def _quotes(self, line: str) -> int:
        return line.count('"') - (line.count('\\"') if self.escaped else 0)

    def strict(self, line: str) -> list[str] | None:
        """Split a record; None if its quotes do not stand around whole values."""
        if not self.quoted or '"' not in line:
            return line.split(self.delimiter, -1 if self.rest is None else self.rest - 1)
        if self.escaped:
            line = line.replace('\\"', '""')
        try:
            # Two at most, since line breaks outside of quotes end a record.
            rows = list(islice(csv.reader([line], delimiter=self.delimiter, strict=True), 2))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    def lenient(self, line: str) -> list[str]:
        """Split a line with quotes that are not doubled, as `12,"He said "hi"",Drama`.

        A quote that does not end makes one cell of the line.
        """
        mark = re.escape(self.delimiter)
        pattern = rf'(?:^|{mark})(?:"(.*?)"(?={mark}|$)|([^{mark}]*))'
        found = [match.groups() for match in re.finditer(pattern, line)]
        if any(plain and plain.startswith('"') and plain.count('"') % 2 for _, plain in found):
            return [line]
        return [quoted if plain is None else plain for quoted, plain in found]


def find_delimiter(
    sample: Sequence[str], quoted: bool, understood: Callable[[Sequence[str]], bool]
) -> str:
    """Return the delimiter by which the header is understood, and by which most lines are alike.

    Args:
        sample: the first lines that are not blank, at least one.
        quoted: values may stand in double quotes.
        understood: tells if the cells of a header name what is needed.
    """

    def fitness(delimiter: str) -> tuple[bool, float, int]:
        splitter = Splitter(delimiter, quoted and len(delimiter) == 1, escaped=False)
        rows = [row for _, _, row in splitter.rows(enumerate(sample))]
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        return understood([cell.strip() for cell in rows[0]]), round(alike, 1), width

    return max(DELIMITERS, key=fitness)


def quotes_escaped(lines: Sequence[str], delimiter: str) -> bool:
    r"""Return True if quotes inside of values are written `\"`, and not doubled."""
    if len(delimiter) > 1:
        return False

    def readable(escaped: bool) -> int:
        splitter = Splitter(delimiter, quoted=True, escaped=escaped)
        return sum(splitter.strict(line) is not None for line in lines)

    return readable(True) > readable(False)

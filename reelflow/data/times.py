"""Times of ratings: their form found out from a sample, and texts or numbers to seconds.

Vectorised, but for formats with a zone, which are read once for each distinct text.
No row depends on those beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Seconds = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNITS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of whole numbers since 1970: how many make a second."""
ISO: Final = "iso"
LATEST: Final = 4_102_444_800
"""2100-01-01: a later time, or one before 1970, is no time of a rating."""

_WHOLE: Final = r"^-?(\d{1,18}(\.\d*)?|\.\d+)$"
_NANOSECONDS: Final = r"^-?((\d{1,18}|[1-8]\d{18})(\.\d*)?|\.\d+)$"
_UNIT_FROM: Final = (("ns", 1e17), ("us", 1e14), ("ms", 1e11))
"""Least number, of the middle one of a sample, of each unit: seconds reach 1e11 in the year 5138,
and 1973 was 1e11 milliseconds after 1970."""
_COMPACT: Final = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_FORMATS: Final = (
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m %d, %Y",  # Amazon's reviews
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %z %Y",  # Goodreads and Twitter
)
_EITHER: Final = tuple(
    (f"%m/%d/%Y{clock}", f"%d/%m/%Y{clock}") for clock in ("", " %H:%M", " %H:%M:%S")
)
"""Month first and day first: which one it is, is known where a day is above 12."""
_ISO_TEXT: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?", re.I
)
_LONGEST_ISO: Final = 40


def recognise(cells: Sequence[str]) -> str:
    """Find the form of times from a sample of a column.

    Args:
        cells: texts of the column; blank ones do not count.

    Returns:
        As `data.timestamp_format`: `s`, `ms`, `us`, `ns`, `iso` or a format of `strptime`; empty if
        fewer than half of the texts are of any form, or if day and month cannot be told apart.
    """
    texts = [cell.strip() for cell in cells if cell.strip()]
    needed = len(texts) / 2
    if not texts:
        return "s"
    numbers = [text for text in texts if re.fullmatch(r"-?\d{1,19}(\.\d*)?", text)]
    if len(numbers) >= needed:
        return _recognise_number(numbers)
    if sum(_ISO_TEXT.fullmatch(text) is not None for text in texts) >= needed:
        return ISO
    for name in _FORMATS:
        if sum(_parsed(text, name) is not None for text in texts) >= needed:
            return name
    for month_first, day_first in _EITHER:
        fits = [
            sum(_parsed(t, name) is not None for t in texts) for name in (month_first, day_first)
        ]
        if max(fits) >= needed and fits[0] != fits[1]:
            return month_first if fits[0] > fits[1] else day_first
    return ""


def _recognise_number(numbers: Sequence[str]) -> str:
    for length, name in _COMPACT.items():
        dates = [_parsed(text, name) for text in numbers if len(text) == length]
        if len(dates) == len(numbers) and all(d and 1950 <= d.year <= 2100 for d in dates):
            return name
    middle = float(np.median(np.abs(np.array(numbers, np.float64))))
    return next((unit for unit, least in _UNIT_FROM if middle >= least), "s")


def _parsed(text: str, name: str) -> datetime | None:
    try:
        return datetime.strptime(text, name)
    except ValueError:
        return None


def read_times(values: pa.Array, form: str) -> tuple[Seconds, Mask]:
    """Read times as seconds since 1970 in UTC, rounded down.

    Args:
        values: strings without blanks around them, or numbers, dates or times of Arrow [n].
        form: of the strings and the numbers, as of `recognise`.

    Returns:
        int64 [n], which means something where there is a time; bool [n], where there is none.
    """
    if pa.types.is_temporal(values.type):
        return _read_temporal(values)
    if pa.types.is_floating(values.type) and form in UNITS:
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        wrong = ~(np.abs(numbers) < 2.0**63)
        return np.floor_divide(np.where(wrong, 0, numbers), UNITS[form]).astype(np.int64), wrong
    if pa.types.is_integer(values.type) and form in UNITS:
        wrong = values.is_null().to_numpy(zero_copy_only=False)
        return _filled(values.cast(pa.int64(), safe=False)) // UNITS[form], wrong
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    if values.null_count:
        values = values.fill_null("")
    if form in UNITS:
        numbers, wrong = _whole_numbers(values, _NANOSECONDS if form == "ns" else _WHOLE)
        return numbers // UNITS[form], wrong
    return _read_iso(values) if form == ISO else _read_format(values, form)


def _filled(values: pa.Array) -> Seconds:
    return np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _read_temporal(values: pa.Array) -> tuple[Seconds, Mask]:
    wrong = values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
    if not pa.types.is_timestamp(values.type):  # a time of day, or a duration
        return np.zeros(len(values), np.int64), np.ones(len(values), np.bool_)
    return _filled(values.cast(pa.int64())) // UNITS[values.type.unit], wrong


def _whole_numbers(strings: pa.Array, pattern: str) -> tuple[Seconds, Mask]:
    """Numbers of at most 18 digits, or 19 by the pattern, rounded down.

    What the casts alone would take (hexadecimal, more digits) has to be refused in every block, or
    a row would depend on where the blocks are cut.
    """
    longest = pc.max(pc.binary_length(strings)).as_py() or 0
    data = strings.buffers()[2]
    content = np.frombuffer(b"" if data is None else data, np.uint8)
    if longest <= 18 and not (content > ord("9")).any():
        try:
            return _rounded(strings, point=bool((content == ord(".")).any())), _none(strings)
        except pa.ArrowInvalid:
            pass
    valid = pc.match_substring_regex(strings, pattern)
    pointed = pc.and_(valid, pc.match_substring(strings, "."))
    zero = pa.scalar("0")
    whole = _rounded(pc.if_else(pc.and_not(valid, pointed), strings, zero), point=False)
    numbers = whole + _rounded(pc.if_else(pointed, strings, zero), point=True)
    return numbers, ~valid.to_numpy(zero_copy_only=False)


def _rounded(strings: pa.Array, point: bool) -> Seconds:
    if not point:
        return _filled(strings.cast(pa.int64()))
    return np.floor(strings.cast(pa.float64()).to_numpy()).astype(np.int64)


def _none(values: pa.Array) -> Mask:
    return np.zeros(len(values), np.bool_)


def _read_format(strings: pa.Array, name: str) -> tuple[Seconds, Mask]:
    if re.search(r"%[zZfp]", name):  # which Arrow does not know
        return _read_distinct(strings, name)
    encoded = strings.dictionary_encode()
    distinct = encoded.dictionary
    times = pc.strptime(distinct, format=name, unit="s", error_is_null=True)
    # It takes a 30th of February for the 2nd of March: what is written otherwise is read again.
    written = pc.strftime(times, format=name)
    again = ~pc.fill_null(pc.equal(written, distinct), False).to_numpy(zero_copy_only=False)
    seconds, wrong = _filled(times.cast(pa.int64())).copy(), again.copy()
    if again.any():
        seconds[again], wrong[again] = _read_distinct(distinct.filter(pa.array(again)), name)
    codes = encoded.indices.to_numpy()
    return seconds[codes], wrong[codes]


def _read_distinct(strings: pa.Array, name: str) -> tuple[Seconds, Mask]:
    encoded = strings.dictionary_encode()
    seconds, wrong = [], []
    for text in encoded.dictionary.to_pylist():
        time = _parsed(text, name)
        if time is not None and time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        wrong.append(time is None)
        seconds.append(0 if time is None else int(time.timestamp() // 1))
    codes = encoded.indices.to_numpy()
    return np.array(seconds, np.int64)[codes], np.array(wrong, np.bool_)[codes]


def _read_iso(strings: pa.Array) -> tuple[Seconds, Mask]:
    """Read `2021-03-01`, with a time of day behind `T` or a blank, and with a zone behind that."""
    count = len(strings)
    lengths = np.asarray(pc.binary_length(strings).to_numpy(zero_copy_only=False), np.int64)
    if count and lengths.min() == lengths.max() and lengths[0] in (10, 19):
        try:
            return _filled(strings.cast(pa.timestamp("s")).cast(pa.int64())), _none(strings)
        except pa.ArrowInvalid:
            pass
    text = _Text(_matrix(strings, lengths), lengths)
    year, month, day = text.number(4), text.skip(b"-").number(2), text.skip(b"-").number(2)
    text.wrong |= (month < 1) | (month > 12)
    # Months since 1970 to days; a day that the month does not have is in the next one.
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    text.wrong |= (day < 1) | (day > after - first)
    seconds = (first + day - 1) * 86_400

    clock = text.has(b"Tt ") & (text.peek(1) >= ord("0")) & (text.peek(1) <= ord("9"))
    text.at += clock
    hour, minute = text.number(2, clock), text.skip(b":", clock).number(2, clock)
    precise = clock & text.has(b":")
    text.at += precise
    second = text.number(2, precise)
    text.wrong |= (hour > 23) | (minute > 59) | (second > 59)
    seconds += hour * 3600 + minute * 60 + second
    fraction = precise & text.has(b".,")
    text.at += fraction
    digits = np.zeros(count, np.int64)
    while True:
        more = fraction & (text.peek() >= ord("0")) & (text.peek() <= ord("9"))
        if not more.any():
            break
        text.at += more
        digits += more
    text.wrong |= fraction & (digits == 0)

    text.at += text.has(b" ")
    zulu = text.has(b"Zz")
    utc = text.has(b"Uu") & (text.peek(1) | 0x20 == ord("t")) & (text.peek(2) | 0x20 == ord("c"))
    text.at += zulu + 3 * utc
    sign = np.where(text.has(b"+"), 1, 0) - np.where(text.has(b"-"), 1, 0)
    zoned = sign != 0
    text.at += zoned
    hours = text.number(2, zoned)
    colon = zoned & text.has(b":")
    text.at += colon
    finer = zoned & (text.at < text.lengths)
    minutes = text.number(2, finer)
    text.wrong |= (hours > 23) | (minutes > 59) | (colon & ~finer)
    seconds -= sign * (hours * 3600 + minutes * 60)
    text.wrong |= text.at != text.lengths
    return np.where(text.wrong, 0, seconds), text.wrong


def _matrix(strings: pa.Array, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the bytes of strings, uint8 [n, width], cut or filled up with zeros."""
    width = min(int(lengths.max(initial=0)), _LONGEST_ISO) + 3
    _, offsets, data = strings.buffers()
    starts = np.zeros(len(strings), np.int64)
    if len(strings):
        starts = np.frombuffer(offsets, np.int32)[strings.offset :][: len(strings)].astype(np.int64)
    content = np.frombuffer(b"" if data is None else data, np.uint8)
    content = np.append(content, np.zeros(width + 1, np.uint8))
    matrix = content[starts[:, None] + np.arange(width)]
    matrix[np.arange(width) >= lengths[:, None]] = 0
    return matrix


class _Text:
    """Texts that are read from left to right, all at once.

    Attributes:
        lengths: int64 [n].
        at: int64 [n], the place in each text.
        wrong: bool [n], where something was not as it should be.
    """

    def __init__(self, matrix: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64]) -> None:
        self._matrix = matrix
        self._rows = np.arange(len(matrix))
        self.lengths = lengths
        self.at = np.zeros(len(matrix), np.int64)
        self.wrong: Mask = np.zeros(len(matrix), np.bool_)

    def peek(self, ahead: int = 0) -> npt.NDArray[np.uint8]:
        """Return the byte at the place, 0 behind the end."""
        place = np.minimum(self.at + ahead, self._matrix.shape[1] - 1)
        return np.asarray(self._matrix[self._rows, place])

    def has(self, any_of: bytes) -> Mask:
        """Return True where the byte at the place is one of these."""
        return np.asarray(np.isin(self.peek(), np.frombuffer(any_of, np.uint8)))

    def skip(self, byte: bytes, where: Mask | None = None) -> _Text:
        """Go past a byte that has to be there."""
        wanted = np.ones(len(self.at), np.bool_) if where is None else where
        self.wrong |= wanted & ~self.has(byte)
        self.at += wanted
        return self

    def number(self, digits: int, where: Mask | None = None) -> npt.NDArray[np.int64]:
        """Read a number of that many digits; 0 where none is read."""
        wanted = np.ones(len(self.at), np.bool_) if where is None else where
        value = np.zeros(len(self.at), np.int64)
        for _ in range(digits):
            digit = self.peek().astype(np.int64) - ord("0")
            self.wrong |= wanted & ((digit < 0) | (digit > 9))
            value = np.where(wanted, value * 10 + digit, value)
            self.at += wanted
        return value

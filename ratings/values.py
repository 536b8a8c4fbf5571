"""Which values are valid ratings, and their conversion from strings; all vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.trainer import features
from ratings.arrow import one_chunk
from ratings.reasons import CODES, EMPTY_ID, RATING, RATING_RANGE, TIMESTAMP, UNKNOWN_MOVIE

_NUMBER: Final = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
_WHOLE: Final = r"^-?\d{1,18}$"
_WHOLE_LENGTH: Final = 18

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """What a valid rating is."""

    rating_min: float
    rating_max: float
    movie_ids: pa.Array | None
    """String array of the films that there are, or None if every film is accepted."""


def validate(table: pa.Table, rules: Rules) -> tuple[pa.Table, Codes]:
    """Check and convert the columns of ratings.

    Args:
        table: the canonical columns as strings, without nulls [rows]; `timestamp` may be missing.
        rules: what a valid rating is.

    Returns:
        Table with user_id and movie_id dictionary<int32, string>, rating float32, timestamp int64
        [rows], whose values mean something in the valid rows only; and the reason of each row as an
        index into `ratings.reasons.REASONS`, 0 for a valid one [rows].
    """
    columns = {name: _trimmed(one_chunk(table.column(name))) for name in table.column_names}
    reasons = np.zeros(table.num_rows, np.uint8)
    users, user_empty = _ids(columns[features.USER_ID])
    movies, movie_empty = _ids(columns[features.MOVIE_ID])
    _blame(reasons, user_empty | movie_empty, EMPTY_ID)

    rating = _numbers(columns[features.RATING])
    _blame(reasons, ~np.isfinite(rating), RATING)
    _blame(reasons, ~((rating >= rules.rating_min) & (rating <= rules.rating_max)), RATING_RANGE)

    if features.TIMESTAMP in columns:
        timestamp, wrong = _whole_numbers(columns[features.TIMESTAMP])
        _blame(reasons, wrong, TIMESTAMP)
    else:
        timestamp = pa.nulls(table.num_rows, pa.int64())

    if rules.movie_ids is not None:
        known = pc.is_in(movies.dictionary, value_set=rules.movie_ids)
        _blame(reasons, ~_per_row(known, movies), UNKNOWN_MOVIE)
    arrays = [users, movies, pa.array(rating.astype(np.float32)), timestamp]
    return pa.table(arrays, names=list(features.RATINGS_COLUMNS)), reasons


def _blame(reasons: Codes, wrong: Mask, reason: str) -> None:
    reasons[wrong & (reasons == 0)] = CODES[reason]


def _trimmed(strings: pa.Array) -> pa.Array:
    """Without the ASCII blanks around the values."""
    return pc.ascii_trim_whitespace(strings) if _holds(strings, b" \t") else strings


def _holds(strings: pa.Array, wanted: bytes) -> bool:
    """Whether any of the wanted bytes is anywhere in the strings."""
    buffer = strings.buffers()[2]
    content = np.frombuffer(b"" if buffer is None else buffer, np.uint8)
    return any(bool((content == byte).any()) for byte in wanted)


def _ids(strings: pa.Array) -> tuple[pa.DictionaryArray, Mask]:
    encoded = strings.dictionary_encode()
    return encoded, _per_row(pc.equal(encoded.dictionary, ""), encoded)


def _per_row(per_value: pa.Array, encoded: pa.DictionaryArray) -> npt.NDArray[np.bool_]:
    """Spread a property of the distinct values to the rows."""
    of_value = per_value.to_numpy(zero_copy_only=False).astype(np.bool_)
    return np.asarray(of_value[encoded.indices.to_numpy()], np.bool_)


def _numbers(strings: pa.Array) -> npt.NDArray[np.float64]:
    """Decimal numbers, NaN where there is none; few values are distinct, so each is read once."""
    encoded = strings.dictionary_encode()
    distinct = encoded.dictionary
    valid = pc.match_substring_regex(distinct, _NUMBER)
    parsed = pc.if_else(valid, distinct, pa.scalar(None, pa.string())).cast(pa.float64())
    of_value = parsed.to_numpy(zero_copy_only=False)
    return np.asarray(of_value[encoded.indices.to_numpy()], np.float64)


def _whole_numbers(strings: pa.Array) -> tuple[pa.Array, Mask]:
    """Whole numbers of at most 18 digits, and where there is none.

    What the cast alone would take (hexadecimal, more digits) has to be refused in every block, or
    a row would depend on where the blocks are cut.
    """
    longest = pc.max(pc.binary_length(strings)).as_py() or 0
    if longest <= _WHOLE_LENGTH and not _holds(strings, b"xX"):
        try:
            return strings.cast(pa.int64()), np.zeros(len(strings), np.bool_)
        except pa.ArrowInvalid:
            pass
    valid = pc.match_substring_regex(strings, _WHOLE)
    numbers = pc.if_else(valid, strings, pa.scalar("0")).cast(pa.int64())
    return numbers, ~valid.to_numpy(zero_copy_only=False)

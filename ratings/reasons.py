"""Why a row is refused. Where several apply, the first in this order is given."""

from __future__ import annotations

from typing import Final

ENCODING: Final = "encoding"  # bytes that are not UTF-8
COLUMNS: Final = "columns"  # wrong number of columns, or a quote that does not end
EMPTY_ID: Final = "empty_id"  # user or film missing
RATING: Final = "rating"  # not a finite number
RATING_RANGE: Final = "rating_range"  # outside of what the source allows
TIMESTAMP: Final = "timestamp"  # not a whole number of at most 18 digits
UNKNOWN_MOVIE: Final = "unknown_movie"  # not in the films' file
DUPLICATE: Final = "duplicate"  # user, film, rating and timestamp were seen before

REASONS: Final = (
    "",  # code 0: the row is good
    ENCODING,
    COLUMNS,
    EMPTY_ID,
    RATING,
    RATING_RANGE,
    TIMESTAMP,
    UNKNOWN_MOVIE,
    DUPLICATE,
)
CODES: Final = {reason: code for code, reason in enumerate(REASONS)}

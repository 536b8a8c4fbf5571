"""Arrow schemas of the canonical tables between the steps of ratings."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from components.trainer import features

FILE: Final = "file"  # int32, index of the ratings file in the source
OFFSET: Final = "offset"  # int64, position of the row's first byte in the file's content
REASON: Final = "reason"  # uint8, index into ratings.reasons.REASONS

ID_TYPE: Final = pa.dictionary(pa.int32(), pa.string())

PARSED: Final = pa.schema(
    [
        (features.USER_ID, ID_TYPE),
        (features.MOVIE_ID, ID_TYPE),
        (features.RATING, pa.float32()),
        (features.TIMESTAMP, pa.int64()),
        (FILE, pa.int32()),
        (OFFSET, pa.int64()),
    ]
)
"""Valid ratings with the place that each came from; `timestamp` is null if the source has none."""

REJECTED: Final = pa.schema([(FILE, pa.int32()), (OFFSET, pa.int64()), (REASON, pa.uint8())])
"""Places of the rows that were refused, and why."""

MOVIES: Final = pa.schema(
    [
        (features.MOVIE_ID, pa.string()),
        (features.TITLE, pa.string()),
        (features.GENRES, pa.list_(pa.string())),
        (features.YEAR, pa.int64()),
    ]
)
"""The catalogue: every film once."""

FEATURES: Final = pa.field(features.FEATURES, pa.list_(pa.string()))
"""One column more of the catalogue, if the configuration declares columns as features."""

GENDER: Final = "gender"
AGE: Final = "age"
OCCUPATION: Final = "occupation"
ZIP_CODE: Final = "zip_code"

USERS: Final = pa.schema(
    [
        (features.USER_ID, pa.string()),
        (GENDER, pa.string()),
        (AGE, pa.int64()),
        (OCCUPATION, pa.string()),
        (ZIP_CODE, pa.string()),
    ]
)
"""User attributes, null where they are not known; read only if the configuration opts in."""

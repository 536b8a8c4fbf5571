"""Arrow schemas of the canonical tables between the steps of ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from reelflow.base import columns

FILE: Final = "file"  # int32, index of the ratings file in the source
OFFSET: Final = "offset"  # int64, position of the row's first byte in the file's content
REASON: Final = "reason"  # uint8, index into reelflow.data.quarantine.REASONS

ID_TYPE: Final = pa.dictionary(pa.int32(), pa.string())

PARSED: Final = pa.schema(
    [
        (columns.USER_ID, ID_TYPE),
        (columns.MOVIE_ID, ID_TYPE),
        (columns.RATING, pa.float32()),
        (columns.TIMESTAMP, pa.int64()),
        (FILE, pa.int32()),
        (OFFSET, pa.int64()),
    ]
)
"""Valid ratings with the place that each came from; `timestamp` is null if the source has none."""

REJECTED: Final = pa.schema([(FILE, pa.int32()), (OFFSET, pa.int64()), (REASON, pa.uint8())])
"""Places of the rows that were refused, and why."""

MOVIES: Final = pa.schema(
    [
        (columns.MOVIE_ID, pa.string()),
        (columns.TITLE, pa.string()),
        (columns.GENRES, pa.list_(pa.string())),
        (columns.YEAR, pa.int64()),
    ]
)
"""The catalogue: every movie once."""

FEATURES: Final = pa.field(columns.FEATURES, pa.list_(pa.string()))
"""One column more of the catalogue, if the configuration declares columns as features."""

GENDER: Final = "gender"
AGE: Final = "age"
OCCUPATION: Final = "occupation"
ZIP_CODE: Final = "zip_code"

USERS: Final = pa.schema(
    [
        (columns.USER_ID, pa.string()),
        (GENDER, pa.string()),
        (AGE, pa.int64()),
        (OCCUPATION, pa.string()),
        (ZIP_CODE, pa.string()),
    ]
)
"""User attributes, null where they are not known; read only if the configuration opts in."""


_CURATED = Path(__file__).parents[2] / "schemas"


def path(name: str) -> Path:
    """Return the file of a curated TFDV schema, a text proto for ImportSchemaGen.

    Args:
        name: `ratings` (of the artifact `examples`) or `movies` (of `catalogue`).

    Raises:
        FileNotFoundError: there is no such schema.
    """
    file = _CURATED / f"{name}.pbtxt"
    if not file.is_file():
        raise FileNotFoundError(f"no schema named {name!r} in {_CURATED}")
    return file

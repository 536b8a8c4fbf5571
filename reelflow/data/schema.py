"""Arrow schemas of the canonical tables, and the TFDV schemas of the artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from reelflow.base import columns

ID_TYPE: Final = pa.dictionary(pa.int32(), pa.string())

PARSED: Final = pa.schema(
    [
        (columns.USER_ID, ID_TYPE),
        (columns.MOVIE_ID, ID_TYPE),
        (columns.RATING, pa.float32()),
        (columns.TIMESTAMP, pa.int64()),
        (columns.FILE, pa.int32()),
        (columns.OFFSET, pa.int64()),
    ]
)
"""Valid ratings with the place that each came from; `timestamp` is null if the source has none."""

REJECTED: Final = pa.schema(
    [(columns.FILE, pa.int32()), (columns.OFFSET, pa.int64()), (columns.REASON, pa.uint8())]
)
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
"""A further column of the catalogue, if the configuration declares columns as features."""

USERS: Final = pa.schema(
    [
        (columns.USER_ID, pa.string()),
        (columns.GENDER, pa.string()),
        (columns.AGE, pa.int64()),
        (columns.OCCUPATION, pa.string()),
        (columns.ZIP_CODE, pa.string()),
    ]
)
"""User attributes, null where they are not known; read only if the configuration opts in."""

_CURATED: Final = Path(__file__).parents[2] / "schemas"


def curated_schema(name: str) -> Path:
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

"""Features that the configuration asks for and the data do not have."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from components.trainer import features
from pipeline.config import DataConfig
from ratings import schema


def absent_features(data: DataConfig, movies: pa.Table, users: pa.Table | None) -> list[str]:
    """Words for each of them, in the order of the configuration; none is refused for it.

    Args:
        data: which film columns are declared, and whether users' attributes are wanted.
        movies: the films, with the column of declared features if their file has been read.
        users: table of `ratings.schema.USERS`, with no rows if there is no users' file.
    """
    absent = []
    if users is not None and not users.num_rows:
        absent.append("users' attributes")
    elif users is not None:
        names = schema.USERS.names[1:]
        absent += [f"users' {n}" for n in names if users.column(n).null_count == users.num_rows]
    found: set[str] = set()
    if features.FEATURES in movies.column_names:
        words = pc.unique(pc.list_flatten(movies.column(features.FEATURES))).to_pylist()
        found = {word.partition("=")[0] for word in words}
    return absent + [f"films' {name}" for name in data.movie_features if name not in found]

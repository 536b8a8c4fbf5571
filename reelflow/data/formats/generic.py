"""A user's own CSV files: globs, delimiter and column names come from the configuration."""

from __future__ import annotations

import difflib

from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Format
from reelflow.data.formats import tables
from reelflow.data.formats.adapter import Adapter
from reelflow.data.formats.headers import ALIASES

RATINGS_GLOB = "ratings*.csv*"
MOVIES_GLOB = "movies*.csv*"
USERS_GLOB = "users*.csv*"


def adapter(config: DataConfig) -> Adapter:
    """Return the adapter that the configuration describes.

    Raises:
        BadInput: `data.columns` names a column that Reelflow does not know.
    """
    for column in config.columns:
        if column not in ALIASES:
            near = difflib.get_close_matches(column, ALIASES, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(ALIASES)}."
            raise BadInput(f"data.columns: there is no column {column!r}.", remedy)
    return Adapter(
        format=Format.CSV,
        ratings=config.ratings or RATINGS_GLOB,
        movies=config.movies or MOVIES_GLOB,
        users=config.users or USERS_GLOB,
        delimiter=config.delimiter,
        mapping=config.columns,
        quoted=True,
        read_movies=tables.read_movies,
        read_users=tables.read_users,
        movies_required=config.movies is not None,
    )

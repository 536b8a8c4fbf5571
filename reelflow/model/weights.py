"""Trained weights by name, with the meaning of their rows, for a later model to start with.

Apart from the warm start, so that the towers and the rating models need not import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import tensorflow as tf

USERS: Final = "users"
MOVIES: Final = "movies"
GENRES: Final = "genres"
WORDS: Final = "words"
"""Words of the movies' declared features."""
YEARS: Final = "years"
USER_DAYS: Final = "user_days"
MOVIE_BINS: Final = "movie_bins"
UNNAMED: Final = "unnamed"
"""Rows of a vocabulary that is not kept, so that another model cannot match them."""


@dataclass(frozen=True)
class Weight:
    """One variable of a model."""

    variable: tf.Variable
    rows: str | None = None
    """Vocabulary of the rows, one of the names above; None if the variable is copied whole."""
    columns: str | None = None
    """Vocabulary of the columns, if they have one."""
    has_unknown_row: bool = False
    """True if the last row is trained for unknown words; new words begin with it."""


Weights = Mapping[str, Weight]


def numbered(name: str, variables: Iterable[tf.Variable]) -> dict[str, Weight]:
    """Name the weights of layers without vocabularies: `name/0`, `name/1` and so on."""
    return {f"{name}/{at}": Weight(variable) for at, variable in enumerate(variables)}


def prefixed(name: str, weights: Weights) -> dict[str, Weight]:
    """Put `name/` before the names of weights."""
    return {f"{name}/{key}": weight for key, weight in weights.items()}

"""Trained weights by name, with what their rows are of: what a later model can begin with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import tensorflow as tf

USERS: Final = "users"
MOVIES: Final = "movies"
GENRES: Final = "genres"
WORDS: Final = "words"
"""Of the movies' declared features."""
YEARS: Final = "years"
USER_DAYS: Final = "user_days"
MOVIE_BINS: Final = "movie_bins"


@dataclass(frozen=True)
class Weight:
    """One variable of a model."""

    variable: tf.Variable
    rows: str | None = None
    """What each row is of, one of the names above; None: it is no table and is taken as a whole."""
    columns: str | None = None
    """The same of the columns, where they follow a vocabulary."""
    stranger: bool = False
    """Whether the last row is learned for those whom the model does not know: newcomers begin with
    it."""


Weights = Mapping[str, Weight]


def whole(name: str, variables: Iterable[tf.Variable]) -> dict[str, Weight]:
    """Weights without rows of anything, as those of dense layers, numbered in their order."""
    return {f"{name}/{at}": Weight(variable) for at, variable in enumerate(variables)}


def below(name: str, weights: Weights) -> dict[str, Weight]:
    """The same weights with a name before theirs."""
    return {f"{name}/{key}": weight for key, weight in weights.items()}

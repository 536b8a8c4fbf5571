"""Small made-up runs, one for each kind of split: the rows, and the model that Trainer exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reelflow.base.columns import RATING_SPLITS, TEST, TRAIN, VALIDATION
from reelflow.config import ModelConfig, SplitConfig, SplitKind, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.training import train_and_export
from tests.encoded_data import Movie, Row, encoded, user_vocabulary
from tests.reelflow.data.ingest.test_split import split

MODEL = ModelConfig(embedding_size=8, rating_embedding_size=4, candidates=30)
TRAIN_BRIEFLY = TrainConfig(
    seeds=1, epochs=2, learning_rate=0.02, rating_learning_rate=0.02, batch_size=256, patience=2
)
SPLITS: Mapping[str, Mapping[str, Any]] = {
    "random": {"validation": 0.15, "test": 0.15},
    "temporal": {"validation": 0.15, "test": 0.15},
    "last": {"validation": 0.15, "test": 0.15},
    "leave_last": {"validation": 1, "test": 2},
    "predefined": {},
}
"""Kind of split to its further settings."""

USERS, MOVIES, LATE = 40, 120, 8
GENRES = ("Comedy", "Drama", "Noir", "War")


@dataclass(frozen=True)
class SmallRun:
    """The rows of one run by split, encoded, and the model that it would push."""

    rows: Mapping[str, Sequence[Row]]
    data: EncodedData
    saved_model: Path

    @property
    def users(self) -> list[str]:
        """Users of all splits."""
        return sorted({row[0] for rows in self.rows.values() for row in rows})

    @property
    def new_users(self) -> set[str]:
        """Users that train does not have."""
        return {*self.users} - {row[0] for row in self.rows[TRAIN]}

    def rated(self, user: str, splits: Sequence[str] = RATING_SPLITS) -> set[str]:
        """The movies that a user has rated."""
        return {row[1] for split in splits for row in self.rows[split] if row[0] == user}


def catalogue() -> list[Movie]:
    """Movies with one or two genres and a year; two of them have no ratings."""
    return [
        Movie(f"m{m:03d}", tuple({GENRES[m % 4], GENRES[m % 3]}), 1960 + m % 40)
        for m in range(MOVIES)
    ]


def rows() -> list[Row]:
    """Ratings of 0 to 10; the last users begin when most of the others have ended.

    Users turn to movies of their own taste, popular ones first; movies with an even number get
    higher ratings, whoever rates.
    """
    random = np.random.default_rng(5)
    made: list[Row] = []
    for user in range(USERS):
        odds = (
            1.0
            / (5 + np.arange(MOVIES - 2))
            * np.where(np.arange(MOVIES - 2) % 3 == user % 3, 4, 1)
        )
        late = user >= USERS - LATE
        movies = random.choice(MOVIES - 2, 8 if late else 25, replace=False, p=odds / odds.sum())
        start = 900_000 if late else int(random.integers(700_000))
        for place, movie in enumerate(movies.tolist()):
            stars = float(np.clip(random.normal(4 + 3 * (movie % 2 == 0), 2), 0, 10).round())
            made.append((f"u{user:02d}", f"m{movie:03d}", stars, start + 10_000 * place))
    return made


def _split(kind: str) -> dict[str, list[Row]]:
    if kind != SplitKind.PREDEFINED:
        return split(rows(), SplitConfig(kind=SplitKind(kind), **SPLITS[kind]))
    # As of files that were made by someone else: whole users, and rows of any time.
    parts: dict[str, list[Row]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for number, row in enumerate(rows()):
        late = int(row[0][1:]) >= USERS - 4
        parts[TEST if late or number % 7 == 0 else VALIDATION if number % 7 == 1 else TRAIN].append(
            row
        )
    return parts


def make(kind: str, folder: Path) -> SmallRun:
    """Train and export; tests take the runs of the fixture `small_run`, made once a session.

    Args:
        kind: of split, one of `SPLITS`.
        folder: an empty one, or none yet.
    """
    parts = _split(kind)
    train, validation, test = (parts[name] for name in RATING_SPLITS)
    data = encoded(train, validation, test, catalogue())
    train_and_export(
        data,
        user_vocabulary(train),
        MODEL,
        TRAIN_BRIEFLY,
        None,
        folder / "model",
        log_dir=folder / "logs",
    )
    return SmallRun(parts, data, folder / "model")

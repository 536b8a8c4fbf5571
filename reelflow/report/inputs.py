"""The data of a report: the contents of a run's artifacts, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from reelflow.base import columns as f
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.evaluation.results import Results
from reelflow.evaluation.trials import Trials
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EXPLAIN, RATE, RECOMMEND
from reelflow.saved_model.files import ModelInfo

Json = Mapping[str, Any]

REASONS = 2
"""Movies of the history that an explanation names."""


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie."""

    movie_id: str
    reasons: tuple[str, ...]
    """Titles of the movies in the user's history that add most to its score."""
    stars: float
    """The predicted rating."""


class Recommender(Protocol):
    """The part of a model that the report shows."""

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all movies, float32 [movies, size]; None if the model has none."""

    def recommend(self, user: str, k: int) -> list[Recommendation]:
        """Return the k best movies for a user, with reasons and predicted ratings."""


@dataclass(frozen=True)
class Outcome:
    """The decisions of the gate and of the Pusher."""

    blessed: bool
    """True if the gate accepted the model."""
    pushed: bool
    version: str | None = None
    """Number of the pushed version."""

    def passed(self, serving_check: Json) -> bool:
        """Return True if the gate and ServingCheck accepted the model."""
        return self.pushed or (self.blessed and bool(serving_check.get("blessed")))


@dataclass(frozen=True)
class Inputs:
    """The artifacts' contents, as docs/architecture.md describes them."""

    quarantine: IngestSummary
    sample_rates: Mapping[str, float]
    """Share of each split's rows that the descriptive statistics read, 0 to 1."""
    anomalies: Sequence[str]
    """Anomalies of ExampleValidator in words."""
    data: EncodedData
    users: Sequence[str]
    """The user vocabulary, in order."""
    model: Recommender
    info: ModelInfo
    """`model.json`."""
    results: Results
    """`metrics.json`."""
    serving_check: Json
    """`reasons.json` of ServingCheck."""
    outcome: Outcome
    trials: Trials | None = None
    """Of the Tuner, if it ran."""
    drift: DriftReport | None = None
    """Of SpanDrift, if the data have spans."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """URI of each artifact by its name."""


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; an empty one if there is no such file."""
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


class SavedModel:
    """An exported model as a `Recommender`."""

    def __init__(self, folder: Path) -> None:
        """Load the model from its folder."""
        self._signatures = Signatures.load(folder)

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all movies, float32 [movies, size]; None if the model has none."""
        return self._signatures.movie_directions

    def recommend(self, user: str, k: int) -> list[Recommendation]:
        """Return the k best movies for a user, with reasons and predicted ratings."""
        found = self._signatures.call(RECOMMEND, {f.USER_ID: [user], f.K: k})
        movies = [movie for movie in found[f.MOVIE_ID][0] if movie]
        if not movies:
            return []
        pairs = {f.USER_ID: [user] * len(movies), f.MOVIE_ID: movies}
        stars = self._signatures.call(RATE, pairs)[f.RATING]
        reasons = self._reasons(pairs, len(movies))
        return [
            Recommendation(movie.decode(), titles, float(rating))
            for movie, titles, rating in zip(movies, reasons, stars, strict=True)
        ]

    def _reasons(self, pairs: dict[str, Any], movies: int) -> Sequence[tuple[str, ...]]:
        if EXPLAIN not in self._signatures:
            return [()] * movies
        answer = self._signatures.call(EXPLAIN, pairs)
        titles, weights = answer[f.TITLE], answer[f.WEIGHT]
        return [
            tuple(
                title.decode()
                for title, weight in zip(row[:REASONS], shares[:REASONS], strict=True)
                if weight > 0
            )
            for row, shares in zip(titles, weights, strict=True)
        ]

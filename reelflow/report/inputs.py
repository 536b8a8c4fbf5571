"""The data of a report: the contents of a run's artifacts, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reelflow.base.columns import MOVIE_ID, RATING, TITLE, USER_ID, WEIGHT, K
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.evaluation.results import Results
from reelflow.evaluation.trials import Trials
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EXPLAIN, RATE, RECOMMEND
from reelflow.saved_model.files import ModelInfo, ServingResult

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


Recommend = Callable[[str, int], list[Recommendation]]
"""From a user's id and k to the k best movies."""


@dataclass(frozen=True)
class Outcome:
    """The decisions of the gate and of the Pusher."""

    blessed: bool
    """True if the gate accepted the model."""
    pushed: bool
    version: str | None = None
    """Number of the pushed version."""

    def passed(self, serving_check: ServingResult) -> bool:
        """Return True if the gate and ServingCheck accepted the model."""
        return self.pushed or (self.blessed and serving_check.blessed)


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
    directions: Float32 | None
    """Unit vectors of all movies, float32 [movies, size]; None if the model has none."""
    recommend: Recommend
    info: ModelInfo
    """`model.json`."""
    results: Results
    """`metrics.json`."""
    serving_check: ServingResult
    outcome: Outcome
    trials: Trials | None = None
    """Of the Tuner, if it ran."""
    drift: DriftReport | None = None
    """Of SpanDrift, if the data have spans."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """URI of each artifact by its name."""


def recommend(model: Signatures, user: str, k: int) -> list[Recommendation]:
    """Return a model's k best movies for a user, with reasons and predicted ratings."""
    movies = [id_ for id_ in model.ask(RECOMMEND, {USER_ID: [user], K: k})[MOVIE_ID][0] if id_]
    if not movies:
        return []
    pairs = {USER_ID: [user] * len(movies), MOVIE_ID: movies}
    ratings = model.ask(RATE, pairs)[RATING]
    reasons: list[tuple[str, ...]] = [()] * len(movies)
    if EXPLAIN in model:
        answer = model.ask(EXPLAIN, pairs)
        rows = zip(answer[TITLE], answer[WEIGHT], strict=True)
        reasons = [_first_titles(titles, weights) for titles, weights in rows]
    return [Recommendation(*row) for row in zip(movies, reasons, ratings, strict=True)]


def _first_titles(titles: Sequence[str], weights: Sequence[float]) -> tuple[str, ...]:
    """Return the titles that explain most; weights are in descending order, padding has none."""
    pairs = zip(titles[:REASONS], weights[:REASONS], strict=True)
    return tuple(title for title, weight in pairs if weight > 0)

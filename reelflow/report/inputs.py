"""The data of a report: the contents of a run's artifacts, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reelflow.base.columns import AS_JUDGED, MOVIE_ID, RATING, RATING_TASK, USER_ID, WEIGHT, K
from reelflow.base.metrics import Scope
from reelflow.base.nouns import Noun
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.evaluation.results import Results
from reelflow.evaluation.trials import Trials
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EXPLAIN, RECOMMEND
from reelflow.saved_model.files import ModelInfo, ServingResult


@dataclass(frozen=True)
class Reason:
    """A rated movie that adds to a recommendation."""

    movie_id: str
    rating: float
    """The user's stars; not a number if they are not known."""


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie."""

    movie_id: str
    reasons: tuple[Reason, ...]
    """Movies of the user's that add to its score, most first."""
    stars: float
    """The predicted rating."""


Recommend = Callable[[str, int], list[Recommendation]]
"""From a user's id and k to the k best movies, with the test ratings hidden."""


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

    @property
    def scope(self) -> Scope:
        """The metrics that mean something for these data and this model."""
        likes = self.quarantine.ratings.says_likes
        return Scope(likes, likes and RATING_TASK in self.info.trained_tasks)

    @property
    def noun(self) -> Noun:
        """The word for an item."""
        return self.info.noun

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest rating of the data."""
        return self.quarantine.ratings.lowest, self.quarantine.ratings.highest


def recommend(model: Signatures, user: str, k: int) -> list[Recommendation]:
    """Return a model's k best movies for a user, as judged, with reasons and predicted ratings."""
    answer = model.ask(RECOMMEND, {USER_ID: [user], K: k, AS_JUDGED: True})
    found = [
        (movie, rating)
        for movie, rating in zip(answer[MOVIE_ID][0], answer[RATING][0], strict=True)
        if movie
    ]
    reasons: list[tuple[Reason, ...]] = [()] * len(found)
    if found and EXPLAIN in model:
        pairs = {USER_ID: [user] * len(found), MOVIE_ID: [movie for movie, _ in found]}
        why = model.ask(EXPLAIN, pairs)
        rows = zip(why[MOVIE_ID], why[WEIGHT], why[RATING], strict=True)
        reasons = [_reasons(*row) for row in rows]
    return [
        Recommendation(movie, of_movie, rating)
        for (movie, rating), of_movie in zip(found, reasons, strict=True)
    ]


def _reasons(
    movies: Sequence[str], weights: Sequence[float], ratings: Sequence[float]
) -> tuple[Reason, ...]:
    """Return the movies that add to a score; weights are in descending order, padding has none."""
    rows = zip(movies, weights, ratings, strict=True)
    return tuple(Reason(movie, rating) for movie, weight, rating in rows if movie and weight > 0)

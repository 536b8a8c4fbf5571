"""What a report is made from: the artifacts of a run, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from reelflow.base import columns as f
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.saved_model.files import ModelInfo

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """The artifacts' contents, as docs/architecture.md describes them."""

    quarantine: IngestSummary
    sample_rates: Mapping[str, float]
    """Split to the share of its rows that the statistics looked at, 0 to 1."""
    anomalies: Sequence[str]
    """What ExampleValidator found, in words."""
    data: EncodedData
    users: Sequence[str]
    """The user vocabulary, in order."""
    model: Path
    """Folder of the SavedModel."""
    info: ModelInfo
    """`model.json`."""
    evaluation: Json
    """`metrics.json`."""
    serving_check: Json
    """`reasons.json` of ServingCheck."""
    blessed: bool
    """Whether the gate let the model pass."""
    pushed: bool
    version: str
    """The pushed version's number, or nothing."""
    trials: Json | None = None
    """`trials.json` of the Tuner, if it ran."""
    drift: DriftReport | None = None
    """SpanDrift's; None without spans."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Name to URI of what the report was made from."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty if there is no such file."""
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


# What the report asks a model; `ask.Model` answers from a SavedModel.


@dataclass(frozen=True)
class Answer:
    """A recommended movie."""

    movie_id: str
    reasons: tuple[str, ...]
    """Titles of the movies of the user's history that add most to its score."""
    stars: float
    """What the model predicts the user to give."""


class Answers(Protocol):
    """A model that can be asked."""

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all movies, float32 [movies, size]; none if the model has none."""

    def recommend(self, user: str, k: int) -> list[Answer]:
        """The k best movies for a user, with reasons and stars."""


# Asks the exported model for what the report shows: recommendations, reasons, embeddings.


REASONS = 2
"""Movies of the history that an explanation names."""


class Model:
    """One loaded SavedModel."""

    def __init__(self, folder: Path) -> None:
        """Load it; its variables live as long as this object."""
        self._loaded: Any = tf.saved_model.load(str(folder))

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all movies, float32 [movies, size]; none if the model has none."""
        variable = getattr(self._loaded, "directions", None)
        return None if variable is None else variable.numpy()

    def recommend(self, user: str, k: int) -> list[Answer]:
        """The k best movies for a user, with reasons and stars."""
        call = self._loaded.signatures
        found = call["serving_default"](
            user_id=tf.constant([user]),
            history=tf.constant([[""]]),
            exclusions=tf.constant([[""]]),
            k=tf.constant(k),
        )
        movies = [movie for movie in found[f.MOVIE_ID].numpy()[0] if movie]
        if not movies:
            return []
        asked = {f.USER_ID: tf.constant([user] * len(movies)), f.MOVIE_ID: tf.constant(movies)}
        stars = call["rate"](**asked)[f.RATING].numpy()
        reasons = self._reasons(asked, len(movies))
        return [
            Answer(movie.decode(), why, float(rating))
            for movie, why, rating in zip(movies, reasons, stars, strict=True)
        ]

    def _reasons(self, asked: dict[str, tf.Tensor], movies: int) -> Sequence[tuple[str, ...]]:
        if "explain" not in self._loaded.signatures:
            return [()] * movies
        explain = self._loaded.signatures["explain"]
        told = explain(**asked, **{f.HISTORY: tf.constant([[""]])})
        titles, weights = told[f.TITLE].numpy(), told[f.WEIGHT].numpy()
        return [
            tuple(
                title.decode()
                for title, weight in zip(row[:REASONS], shares[:REASONS], strict=True)
                if weight > 0
            )
            for row, shares in zip(titles, weights, strict=True)
        ]

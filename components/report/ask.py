"""Asks the exported model for what the report shows: recommendations, reasons, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.report.answers import Answer
from components.trainer import features as f
from components.transform.encoded import Float32

REASONS = 2
"""Films of the history that an explanation names."""


class Model:
    """One loaded SavedModel."""

    def __init__(self, folder: Path) -> None:
        """Loads it; its variables live as long as this object."""
        self._loaded: Any = tf.saved_model.load(str(folder))

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all films, float32 [movies, size]; none if the model has none."""
        variable = getattr(self._loaded, "directions", None)
        return None if variable is None else variable.numpy()

    def recommend(self, user: str, k: int) -> list[Answer]:
        """The k best films for a user, with reasons and stars."""
        call = self._loaded.signatures
        found = call["serving_default"](
            user_id=tf.constant([user]),
            history=tf.constant([[""]]),
            exclusions=tf.constant([[""]]),
            k=tf.constant(k),
        )
        films = [film for film in found[f.MOVIE_ID].numpy()[0] if film]
        if not films:
            return []
        asked = {f.USER_ID: tf.constant([user] * len(films)), f.MOVIE_ID: tf.constant(films)}
        stars = call["rate"](**asked)[f.RATING].numpy()
        reasons = self._reasons(asked, len(films))
        return [
            Answer(film.decode(), why, float(rating))
            for film, why, rating in zip(films, reasons, stars, strict=True)
        ]

    def _reasons(self, asked: dict[str, tf.Tensor], films: int) -> Sequence[tuple[str, ...]]:
        if "explain" not in self._loaded.signatures:
            return [()] * films
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

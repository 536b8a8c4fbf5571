"""What the report asks a model; `ask.Model` answers from a SavedModel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from components.transform.encoded import Float32


@dataclass(frozen=True)
class Answer:
    """A recommended film."""

    movie_id: str
    reasons: tuple[str, ...]
    """Titles of the films of the user's history that add most to its score."""
    stars: float
    """What the model predicts the user to give."""


class Answers(Protocol):
    """A model that can be asked."""

    @property
    def directions(self) -> Float32 | None:
        """Unit vectors of all films, float32 [movies, size]; none if the model has none."""

    def recommend(self, user: str, k: int) -> list[Answer]:
        """The k best films for a user, with reasons and stars."""

"""What every baseline can do; `tests/components/trainer/baselines` holds each one to it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from components.transform.encoded import EncodedData, Float32, Int32


class Baseline(ABC):
    """A recommender without gradients, trained on the same encoded train split as the model."""

    @abstractmethod
    def fit(self, data: EncodedData) -> None:
        """Learns from `data.train`."""

    @abstractmethod
    def scores(self, users: Int32) -> Float32:
        """Scores of every film for users, float32 [batch, movies]; higher is better."""

    @abstractmethod
    def stars(self, users: Int32, movies: Int32) -> Float32:
        """Predicted stars of pairs, float32 [batch]; either side may be the unknown one."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """How many numbers `fit` learned, those that predict stars left out."""

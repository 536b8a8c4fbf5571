"""Answers to `:predict`: small requests that are alike by one call, others each by their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from components.trainer.features import K
from serving.engine import Engine
from serving.limits import Limits
from serving.problems import Problem

SMALL: Final = 4
"""Rows of a request that may be joined with others."""

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Predict:
    """Answers requests; the batcher joins those for which two of these are equal."""

    engine: Engine
    name: str
    """Of the signature."""
    limits: Limits
    alike: tuple[object, ...]
    """What requests must have in common to be joined."""

    @classmethod
    def of(cls, engine: Engine, name: str, limits: Limits, inputs: Arrays) -> Predict:
        """For a request that has passed `tensors.parse`."""
        arrays = [array for key, array in inputs.items() if key != K]
        rows = {len(array) for array in arrays}
        k = inputs.get(K)
        if len(rows) != 1 or max(rows) > SMALL or (k is not None and k.ndim):
            return cls(engine, name, limits, (object(),))  # equal to nothing else
        shapes = tuple((key, inputs[key].shape[1:]) for key in sorted(inputs) if key != K)
        return cls(engine, name, limits, (*rows, None if k is None else int(k), shapes))

    def __call__(self, questions: Sequence[Arrays]) -> list[Arrays]:
        """Answers in order.

        Raises:
            Problem: 400, the model refuses the inputs, or the answer is too large.
        """
        joined = questions[0]
        if len(questions) > 1:
            joined = {
                key: first if key == K else np.concatenate([q[key] for q in questions])
                for key, first in joined.items()
            }
        outputs = self._ask(joined)
        if sum(array.size for array in outputs.values()) > self.limits.cells * len(questions):
            raise Problem(400, f"An answer may have {self.limits.cells:,} cells: ask for less.")
        parts = {key: np.array_split(array, len(questions)) for key, array in outputs.items()}
        return [{key: part[at] for key, part in parts.items()} for at in range(len(questions))]

    def _ask(self, inputs: Arrays) -> Arrays:
        import tensorflow as tf

        try:
            return self.engine.model.call(self.name, inputs)
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise Problem(400, f"The model refuses these inputs: {first}") from error

"""The champion on the candidate's test rows, as far as it can be asked at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from components.evaluator.metrics import Predictions
from components.evaluator.predict import TestRows, ask
from components.serving_check.contract import EVALUATE, SIGNATURES


class NotComparable(Exception):
    """The champion does not understand these test rows; says why in words."""


def ask_champion(saved_model: Path, rows: TestRows, movies: int) -> Predictions:
    """Sends all rows through the champion's own `evaluate` signature.

    A registry keeps models for years: this one may come from another version of Reelflow or of
    TensorFlow. It answers from its own vocabulary, catalogue and histories.

    Args:
        saved_model: folder of the SavedModel.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.

    Raises:
        NotComparable: it does not load, or has another `evaluate` than models have today.
    """
    try:
        loaded = tf.saved_model.load(str(saved_model))  # its signatures do not keep its variables
        if EVALUATE not in loaded.signatures:
            raise NotComparable("it has no signature `evaluate`")
        evaluate = loaded.signatures[EVALUATE]
        wanted, promised = SIGNATURES[EVALUATE]
        inputs, outputs = evaluate.structured_input_signature[1], evaluate.structured_outputs
        if set(inputs) != wanted:
            raise NotComparable(f"its `evaluate` wants {_listed(inputs)}, not {_listed(wanted)}")
        if not promised <= set(outputs):
            raise NotComparable(
                f"its `evaluate` answers with {_listed(outputs)}, not with {_listed(promised)}"
            )
        return ask(evaluate, rows, movies)
    except (OSError, TypeError, ValueError, tf.errors.OpError) as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotComparable(f"it cannot be asked: {words}") from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

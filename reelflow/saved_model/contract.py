"""The contract of the exported model: its signatures with their inputs, defaults and outputs.

docs/architecture.md describes them. `SIGNATURES` is the table; `Definitions` reads what a
SavedModel has in fact.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from reelflow.base.columns import (
    ALLOWED,
    AS_JUDGED,
    COUNT,
    EXCLUSIONS,
    HISTORY,
    INCLUDE_SEEN,
    LIKE,
    MIN_RATING,
    MOVIE_ID,
    ORDER,
    RANK_RAW,
    RANK_UNSEEN,
    RATING,
    REST,
    SCORE,
    SEEN,
    SOURCE,
    STARS,
    TITLE,
    USER_ID,
    WEIGHT,
    K,
)
from reelflow.saved_model.files import SAVED_MODEL

RECOMMEND: Final = "serving_default"
RATE: Final = "rate"
SIMILAR: Final = "similar"
EVALUATE: Final = "evaluate"
SCORE_ALL: Final = "score"
EXPLAIN: Final = "explain"
TIMELINE: Final = "timeline"

KNOWN_USER: Final = "known_user"
KNOWN_MOVIE: Final = "known_movie"

Source = Literal["user", "history", "popularity"]
"""Origin of an answer: the user's known tastes, the request's history, or popular movies."""
FROM_USER: Final = "user"
FROM_HISTORY: Final = "history"
FROM_POPULARITY: Final = "popularity"

Order = Literal["blend", "retrieval", "stars"]
"""Final order of a list."""
BLEND: Final = "blend"
RETRIEVAL: Final = "retrieval"
BY_STARS: Final = "stars"
ORDERS: Final = (BLEND, RETRIEVAL, BY_STARS)
"""Final orders of the movies that retrieval finds: retrieval blended with the predicted like, by
the weight that the Trainer chose; retrieval alone; predicted stars alone. Any other text means the
first."""

LOWEST: Final = float(np.finfo(np.float32).min)
"""Score of padding, whose movie id is empty."""


@dataclass(frozen=True)
class Input:
    """One input of a signature."""

    dtype: Any
    """Numpy's; `object` for strings."""
    rank: int | None
    """Number of axes; None if it may be any."""
    default: Any | None = None
    """Value of an input that is left out; None if it must be given."""


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of one signature, by name."""

    inputs: Mapping[str, Input]
    outputs: frozenset[str]
    optional_outputs: frozenset[str] = frozenset()
    """Further outputs, of models whose rating task gives a probability."""


# Every first axis is the batch. One row of `history`, `stars`, `exclusions` or `allowed` holds for
# all users; ids that the model does not know, such as the empty one, count for nothing. `stars` has
# the shape of `history`, or is a single number for all of it. Scalars may have any shape, since
# clients of the row format send one a row: of `k` the largest counts, of the others each row's own.
_IDS = Input(object, 1)
_LISTS = Input(object, 2, [[""]])
_STARS = Input(np.float32, 2, [[np.nan]])
_NUMBER = Input(np.int32, None, 10)
_ORDER = Input(object, None, BLEND)
_NO = Input(np.bool_, None, False)

SIGNATURES: Final[Mapping[str, Signature]] = {
    RECOMMEND: Signature(
        {
            USER_ID: _IDS,
            HISTORY: _LISTS,
            STARS: _STARS,
            EXCLUSIONS: _LISTS,
            K: _NUMBER,
            ORDER: _ORDER,
            MIN_RATING: Input(np.float32, None, -np.inf),
            INCLUDE_SEEN: _NO,
            ALLOWED: Input(np.bool_, 2, [[True]]),
            AS_JUDGED: _NO,
        },
        frozenset({MOVIE_ID, TITLE, SCORE, RATING, SEEN, SOURCE}),
    ),
    RATE: Signature(
        {USER_ID: _IDS, MOVIE_ID: _IDS},
        frozenset({RATING, KNOWN_USER, KNOWN_MOVIE}),
        frozenset({LIKE}),
    ),
    SIMILAR: Signature({MOVIE_ID: _IDS, K: _NUMBER}, frozenset({MOVIE_ID, TITLE, SCORE})),
    # With the test ratings hidden, always.
    EVALUATE: Signature(
        {USER_ID: _IDS, MOVIE_ID: _IDS, HISTORY: _LISTS, STARS: _STARS, ORDER: _ORDER},
        frozenset({RATING, RANK_RAW, RANK_UNSEEN}),
        frozenset({LIKE}),
    ),
    SCORE_ALL: Signature(
        {USER_ID: _IDS, HISTORY: _LISTS, STARS: _STARS, AS_JUDGED: _NO},
        frozenset({SCORE, SEEN, SOURCE}),
    ),
    EXPLAIN: Signature(
        {USER_ID: _IDS, MOVIE_ID: _IDS, HISTORY: _LISTS, STARS: _STARS},
        frozenset({MOVIE_ID, TITLE, WEIGHT, RATING, REST}),
    ),
    TIMELINE: Signature({USER_ID: _IDS, K: _NUMBER}, frozenset({MOVIE_ID, TITLE, RATING, COUNT})),
}

REQUIRED: Final = (RECOMMEND, RATE, SIMILAR, EVALUATE)
"""Signatures without which a model is not pushed."""
OF_SERVER: Final = (SCORE_ALL, EXPLAIN, TIMELINE)
"""Signatures that Reelflow's own server needs as well; all of them tell what users have rated."""


def missing_parts(present: Mapping[str, Signature]) -> list[str]:
    """Return sentences on what required signatures of a model lack; empty if they are complete."""
    reasons = []
    for name in REQUIRED:
        if name not in present:
            reasons.append(f"signature {name} is missing")
            continue
        expected, actual = SIGNATURES[name], present[name]
        for kind, promised, names in (
            ("inputs", set(expected.inputs), set(actual.inputs)),
            ("outputs", expected.outputs, actual.outputs - expected.optional_outputs),
        ):
            if promised != names:
                reasons.append(f"{name}: {kind} are {sorted(names)} instead of {sorted(promised)}")
    return reasons


@dataclass(frozen=True)
class Definitions:
    """The signatures of one SavedModel, as its file defines them."""

    signatures: Mapping[str, Signature]
    metadata: Mapping[str, Any]
    """As TensorFlow Serving's `/metadata` shows them."""

    @classmethod
    def read(cls, saved_model: Path) -> Definitions:
        """Read a SavedModel's folder; TensorFlow must be set up before.

        Raises:
            OSError: there is no `saved_model.pb`.
        """
        import tensorflow as tf
        from google.protobuf import json_format
        from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

        content = saved_model_pb2.SavedModel.FromString((saved_model / SAVED_MODEL).read_bytes())
        shown = meta_graph_pb2.MetaGraphDef()
        signatures = {}
        for name, definition in sorted(content.meta_graphs[0].signature_def.items()):
            if name == "__saved_model_init_op":  # TensorFlow's own
                continue
            shown.signature_def[name].CopyFrom(definition)
            inputs = {}
            for key, tensor in sorted(definition.inputs.items()):
                shape, default = tensor.tensor_shape, definition.defaults.get(key)
                inputs[key] = Input(
                    dtype=tf.as_dtype(tensor.dtype).as_numpy_dtype,
                    rank=None if shape.unknown_rank else len(shape.dim),
                    default=None if default is None else tf.make_ndarray(default),
                )
            signatures[name] = Signature(inputs, frozenset(definition.outputs))
        options = inspect.signature(json_format.MessageToDict).parameters
        # protobuf renamed it; each of the two stacks has its own name.
        show_zeros = next(
            name
            for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
            if name in options
        )
        metadata = json_format.MessageToDict(
            shown, preserving_proto_field_name=True, **{show_zeros: True}
        )
        return cls(signatures, metadata["signature_def"])

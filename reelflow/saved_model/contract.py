"""What the signatures promise (docs/architecture.md), asked from outside."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from reelflow.base.columns import (
    EXCLUSIONS,
    HISTORY,
    LIKE,
    MOVIE_ID,
    RANK_RAW,
    RANK_UNSEEN,
    RATING,
    SCORE,
    SOURCE,
    TIMESTAMP,
    TITLE,
    USER_ID,
    K,
)
from reelflow.saved_model.golden import Golden, Values

RECOMMEND: Final = "serving_default"
RATE: Final = "rate"
SIMILAR: Final = "similar"
EVALUATE: Final = "evaluate"

FROM_USER: Final = "user"
FROM_HISTORY: Final = "history"
FROM_POPULARITY: Final = "popularity"

SIGNATURES: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    RECOMMEND: (
        frozenset({USER_ID, HISTORY, EXCLUSIONS, K}),
        frozenset({MOVIE_ID, TITLE, SCORE, SOURCE}),
    ),
    RATE: (
        frozenset({USER_ID, MOVIE_ID}),
        frozenset({RATING, "known_user", "known_movie"}),
    ),
    SIMILAR: (frozenset({MOVIE_ID, K}), frozenset({MOVIE_ID, TITLE, SCORE})),
    EVALUATE: (
        frozenset({USER_ID, MOVIE_ID, TIMESTAMP}),
        frozenset({RATING, RANK_RAW, RANK_UNSEEN}),
    ),
}

MAY_HAVE: Final[Mapping[str, frozenset[str]]] = {
    RATE: frozenset({LIKE}),
    EVALUATE: frozenset({LIKE}),
}
"""Outputs of models whose rating task gives a probability."""

# No source can hold this id: control characters do not survive any of the readers.
NOBODY: Final = "\x01nobody"
LOWEST: Final = float(np.finfo(np.float32).min)

Ask = Callable[[str, Values], dict[str, Any]]
"""Sends inputs (nested lists) to a signature by name and gives its outputs (nested lists)."""


@dataclass(frozen=True)
class Subjects:
    """Whom and what to ask about."""

    user: str
    """A user whom the model knows."""
    titles: Mapping[str, str]
    """Title by id of every movie, in vocabulary order."""
    history: bool = True
    """Whether the model can answer from a request's history; a tower of user ids cannot."""

    @property
    def movies(self) -> list[str]:
        """Ids of every movie, in vocabulary order."""
        return list(self.titles)


def uses_history(golden: Sequence[Golden]) -> bool:
    """Whether the model answered any golden request from the history in it."""
    return any(FROM_HISTORY in one.outputs.get(SOURCE, ()) for one in golden)


def known_users(golden: Sequence[Golden]) -> list[str]:
    """The users in golden requests whom the model answered from its own knowledge of them."""
    users: dict[str, None] = {}
    for one in golden:
        if one.signature == RECOMMEND:
            pairs = zip(one.inputs[USER_ID], one.outputs[SOURCE], strict=True)
            users |= {user: None for user, source in pairs if source == FROM_USER}
    return list(users)


def missing_parts(present: Mapping[str, tuple[frozenset[str], frozenset[str]]]) -> list[str]:
    """What a model's signatures (inputs, outputs by name) lack; empty if they are complete."""
    reasons = []
    for name, promised in SIGNATURES.items():
        if name not in present:
            reasons.append(f"signature {name} is missing")
            continue
        for kind, wanted, given in zip(("inputs", "outputs"), promised, present[name], strict=True):
            if wanted != given - MAY_HAVE.get(name, frozenset()):
                reasons.append(f"{name}: {kind} are {sorted(given)} instead of {sorted(wanted)}")
    return reasons


def broken_promises(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Ask a few dozen questions and tell which answers break the contract."""
    yield from _sources(ask, subjects)
    yield from _lists(ask, subjects)
    yield from _exclusions(ask, subjects)
    yield from _seen(ask, subjects)
    yield from _ratings(ask, subjects)
    yield from _similar(ask, subjects)
    yield from _ranks(ask, subjects)


def _sources(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Each row is answered for itself, and says from what."""
    movie = subjects.movies[0]
    users = [subjects.user, NOBODY, NOBODY]
    history = [[""], [movie], [""]]
    answer = ask(RECOMMEND, {USER_ID: users, HISTORY: history, K: 3})
    stranger = FROM_HISTORY if subjects.history else FROM_POPULARITY
    wanted = [FROM_USER, stranger, FROM_POPULARITY]
    if answer[SOURCE] != wanted:
        yield (
            "serving_default: a known user, an unknown one with a history and an unknown one "
            f"without are answered from {answer[SOURCE]} instead of {wanted}"
        )


def _lists(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """K movies, best first, none twice, under the catalogue's titles, padded when none are left."""
    for user in (subjects.user, NOBODY):
        for k in (1, 7, len(subjects.movies) + 2):
            answer = ask(RECOMMEND, {USER_ID: [user], K: k})
            who = "an unknown user" if user == NOBODY else f"user {user}"
            for fault in _list_faults(answer, k, subjects):
                yield f"serving_default: k = {k} for {who} gives {fault}"


def _list_faults(answer: Values, k: int, subjects: Subjects) -> Iterator[str]:
    ids, titles, scores = (answer[name][0] for name in (MOVIE_ID, TITLE, SCORE))
    # A k beyond the catalogue may be cut to its size: no request should get endless padding.
    allowed = {k, min(k, len(subjects.titles))}
    if not len(ids) == len(titles) == len(scores) or len(ids) not in allowed:
        yield f"{len(ids)} ids, {len(titles)} titles and {len(scores)} scores"
        return
    movies = [movie for movie in ids if movie]
    if ids != movies + [""] * (len(ids) - len(movies)):
        yield "gaps between the movies"
    if len(set(movies)) != len(movies):
        yield "a movie twice"
    if any(movie not in subjects.titles for movie in movies):
        yield "movies that are not in the catalogue"
    elif any(subjects.titles[movie] != title for movie, title in zip(movies, titles, strict=False)):
        yield "titles that are not the catalogue's"
    if not all(np.isfinite(scores)) or any(a < b for a, b in pairwise(scores)):
        yield "scores that are not in descending order"
    if any(score != LOWEST for score in scores[len(movies) :]):
        yield "padding without the lowest score"


def _exclusions(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Movies that the request excludes, or names as its history, are not recommended."""
    for user in (subjects.user, NOBODY):
        first = ask(RECOMMEND, {USER_ID: [user], K: 3})[MOVIE_ID][0]
        if set(first) & set(_movies(ask, user, {EXCLUSIONS: [first]})):
            yield "serving_default: excluded movies are recommended"
        if user == NOBODY and set(first) & set(_movies(ask, user, {HISTORY: [first]})):
            yield "serving_default: movies of the request's own history are recommended"


def _movies(ask: Ask, user: str, inputs: Values) -> list[str]:
    ids = ask(RECOMMEND, {USER_ID: [user], K: 10, **inputs})[MOVIE_ID][0]
    return [movie for movie in ids if movie]


def _seen(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Every known user has rated a movie, so not all can be left over to recommend."""
    everything = len(subjects.movies)
    if len([f for f in _movies(ask, subjects.user, {K: everything}) if f]) >= everything:
        yield f"serving_default: movies that user {subjects.user} has rated are recommended"


def _ratings(ask: Ask, subjects: Subjects) -> Iterator[str]:
    movie = subjects.movies[0]
    answer = ask(RATE, {USER_ID: [subjects.user, NOBODY, NOBODY], MOVIE_ID: [movie, movie, NOBODY]})
    if not all(np.isfinite(answer[RATING])):
        yield f"rate: ratings are {answer[RATING]}"
    if not all(0.0 <= like <= 1.0 for like in answer.get(LIKE, ())):
        yield f"rate: probabilities of a like are {answer[LIKE]}"
    known = (answer["known_user"], answer["known_movie"])
    if known != ([True, False, False], [True, True, False]):
        yield f"rate: known_user and known_movie are {known[0]} and {known[1]}"


def _similar(ask: Ask, subjects: Subjects) -> Iterator[str]:
    movies = subjects.movies[:2]
    answer = ask(SIMILAR, {MOVIE_ID: movies, K: 5})
    sizes = {len(row) for name in (MOVIE_ID, TITLE, SCORE) for row in answer[name]}
    if len(answer[MOVIE_ID]) != len(movies) or sizes != {5}:
        yield f"similar: k = 5 for {len(movies)} movies gives lists of {sorted(sizes)}"
    cosines = [score for row in answer[SCORE] for score in row if score != LOWEST]
    if not all(-1.001 <= score <= 1.001 for score in cosines):
        yield "similar: scores are no cosines"


def _ranks(ask: Ask, subjects: Subjects) -> Iterator[str]:
    """Ranks run from 1; a movie that the model does not know comes after all others."""
    movies = [subjects.movies[0], NOBODY]
    answer = ask(EVALUATE, {USER_ID: [subjects.user] * 2, MOVIE_ID: movies, TIMESTAMP: [2**31] * 2})
    last = len(subjects.movies) + 1
    for name in (RANK_RAW, RANK_UNSEEN):
        known, unknown = answer[name]
        if not 1 <= known < last or unknown != last:
            yield f"evaluate: {name} of a known and an unknown movie are {known} and {unknown}"


# What a SavedModel says of its signatures: names, dtypes, shapes and defaults.


# TensorFlow's own initialiser, which is none of ours.
_HIDDEN = "__saved_model_init_op"


@dataclass(frozen=True)
class Input:
    """One input of a signature."""

    dtype: Any
    """Numpy's; `object` for strings."""
    rank: int | None
    """None if it may be any."""
    default: Any | None
    """A numpy array, or none if the input must be given."""


@dataclass(frozen=True)
class SignatureDefs:
    """All signatures of one model."""

    inputs: Mapping[str, Mapping[str, Input]]
    """By signature and input name."""
    metadata: Mapping[str, Any]
    """As TensorFlow Serving's `/metadata` shows them."""

    @classmethod
    def read(cls, saved_model: Path) -> SignatureDefs:
        """Read `saved_model.pb`; TensorFlow must be set up before."""
        from google.protobuf import json_format
        from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

        content = saved_model_pb2.SavedModel.FromString(saved_model.read_bytes())
        shown = meta_graph_pb2.MetaGraphDef()
        inputs = {}
        for name, definition in sorted(content.meta_graphs[0].signature_def.items()):
            if name == _HIDDEN:
                continue
            shown.signature_def[name].CopyFrom(definition)
            inputs[name] = {
                key: _input(tensor, definition.defaults.get(key))
                for key, tensor in sorted(definition.inputs.items())
            }
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
        return cls(inputs, metadata["signature_def"])


def _input(tensor: Any, default: Any) -> Input:
    import tensorflow as tf

    return Input(
        dtype=tf.as_dtype(tensor.dtype).as_numpy_dtype,
        rank=None if tensor.tensor_shape.unknown_rank else len(tensor.tensor_shape.dim),
        default=None if default is None else tf.make_ndarray(default),
    )

"""Golden requests: what the training process itself answered, to hold a reloaded model against.

Free of TensorFlow: signatures are called with numpy arrays, whose dtypes they state themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from reelflow.base.columns import (
    EXCLUSIONS,
    HISTORY,
    MOVIE_ID,
    RANK_RAW,
    RANK_UNSEEN,
    SCORE,
    TITLE,
    K,
)

# TensorFlow Serving applies the defaults of a signature's inputs; in Python each must be given.
DEFAULTS: Final[Mapping[str, Any]] = {HISTORY: [[""]], EXCLUSIONS: [[""]], K: 10}

Values = Mapping[str, Any]
"""Tensors by name as nested lists; strings are text, whose bytes in the tensor are UTF-8."""


@dataclass(frozen=True)
class Request:
    """A call of one signature; inputs with a default may be left out."""

    signature: str
    inputs: Values


@dataclass(frozen=True)
class Golden:
    """A request with its known answer."""

    signature: str
    inputs: Values
    outputs: Values


def record(
    signatures: Mapping[str, Callable[..., Any]], requests: Iterable[Request]
) -> list[Golden]:
    """Answer the requests in this process.

    Args:
        signatures: by name, functions with an input signature or concrete functions.
        requests: what to ask; a signature that is not in `signatures` is a KeyError.
    """
    return [
        Golden(
            signature=request.signature,
            inputs=dict(request.inputs),
            outputs=call(signatures[request.signature], request.inputs),
        )
        for request in requests
    ]


def call(signature: Callable[..., Any], inputs: Values) -> dict[str, Any]:
    """Call a signature with nested lists and get nested lists back.

    Raises:
        KeyError: an input without a default is missing.
    """
    arrays = {
        name: _to_array(inputs[name] if name in inputs else DEFAULTS[name], dtype)
        for name, dtype in input_dtypes(signature).items()
    }
    return {name: _to_lists(tensor) for name, tensor in signature(**arrays).items()}


def input_dtypes(signature: Callable[..., Any]) -> dict[str, Any]:
    """Numpy dtypes by input name; strings are `object`."""
    concrete: Any = signature
    if hasattr(signature, "get_concrete_function"):
        concrete = signature.get_concrete_function()
    positional, named = concrete.structured_input_signature
    specs = {spec.name: spec for spec in positional} | named
    return {name: spec.dtype.as_numpy_dtype for name, spec in specs.items()}


def write(path: Path, golden: Iterable[Golden]) -> None:
    """Write golden requests as JSON; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps([asdict(one) for one in golden], ensure_ascii=False)
    path.write_text(content, encoding="utf-8")


def read(path: Path) -> list[Golden]:
    """Read golden requests.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError, TypeError: the file is not what `write` writes.
    """
    return [Golden(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _to_array(values: Any, dtype: Any) -> Any:
    array = np.asarray(values, dtype=dtype)
    if dtype is object:
        flat = [str(text).encode() for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array


def _to_lists(tensor: Any) -> Any:
    array = np.asarray(tensor)
    if array.dtype == object:
        flat = [text.decode() for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array.tolist()


# Whether two answers to the same request are the same, but for rounding.


@dataclass(frozen=True)
class Tolerance:
    """How far two floats may be apart: `absolute + relative * |value|`, as numpy has it."""

    relative: float = 1e-4
    absolute: float = 1e-5

    def close(self, one: Any, other: Any) -> Any:
        """Element-wise, as a bool array of the broadcast shape. NaN is close to nothing."""
        return np.isclose(one, other, rtol=self.relative, atol=self.absolute)


def compare(golden: Golden, answer: Values, tolerance: Tolerance | None = None) -> list[str]:
    """What differs between the known answer and another one.

    - Floats may differ by the tolerance.
    - Movies may change places among movies whose scores tie within the tolerance; at the end of a
      list a tied movie from beyond it may come in.
    - A rank may move by one in a thousand: that many near-ties can turn over by rounding.
    - All else must be equal.

    Returns:
        Sentences; empty if there is nothing to report.
    """
    tolerance = tolerance or Tolerance()
    return [
        f"{golden.signature}: {difference}"
        for difference in _differences(golden.outputs, answer, tolerance)
    ]


def _differences(known: Values, answer: Values, tolerance: Tolerance) -> Iterator[str]:
    if known.keys() != answer.keys():
        yield f"outputs are {sorted(answer)} instead of {sorted(known)}"
        return
    ranked = MOVIE_ID in known and SCORE in known
    for name in known:
        expected, given = np.asarray(known[name]), np.asarray(answer[name])
        if expected.shape != given.shape:
            yield f"{name} has shape {list(given.shape)} instead of {list(expected.shape)}"
        elif ranked and name == MOVIE_ID:
            yield from _moved_movies(known, answer, tolerance)
        elif ranked and name == TITLE:
            same_movie = np.asarray(known[MOVIE_ID]) == np.asarray(answer[MOVIE_ID])
            yield from _first(name, expected, given, (expected != given) & same_movie)
        elif expected.dtype.kind == "f":
            yield from _first(name, expected, given, ~tolerance.close(given, expected))
        elif name in (RANK_RAW, RANK_UNSEEN):
            allowed = 1 + expected // 1000
            yield from _first(name, expected, given, abs(given - expected) > allowed)
        else:
            yield from _first(name, expected, given, expected != given)


def _first(name: str, expected: Any, given: Any, wrong: Any) -> Iterator[str]:
    """The first wrong element, and how many more there are."""
    places = np.argwhere(wrong)
    if len(places):
        place = tuple(int(axis) for axis in places[0])
        more = f" ({len(places) - 1} more differ)" if len(places) > 1 else ""
        was, now = (array[place].item() for array in (expected, given))
        yield f"{name}{list(place)} is {now!r} instead of {was!r}{more}"


def _moved_movies(known: Values, answer: Values, tolerance: Tolerance) -> Iterator[str]:
    """Row by row: movies out of place that no tie excuses."""
    rows = zip(known[MOVIE_ID], answer[MOVIE_ID], known[SCORE], strict=True)
    for row, (expected, given, scores) in enumerate(rows):
        for start, end in _ties(scores, tolerance):
            if sorted(expected[start:end]) == sorted(given[start:end]):
                continue
            open_end = end == len(expected) and end - start > 1
            others = set(expected[:start])
            if open_end and not others & set(given[start:]) and len(set(given)) == len(given):
                continue
            yield (
                f"row {row}, places {start + 1} to {end}: "
                f"movies {given[start:end]} instead of {expected[start:end]}"
            )
            return


def _ties(scores: list[float], tolerance: Tolerance) -> Iterator[tuple[int, int]]:
    """Run [start, end) of a descending list in which each score is close to the one before."""
    start = 0
    for place in range(1, len(scores) + 1):
        if place == len(scores) or not tolerance.close(scores[place], scores[place - 1]):
            yield start, place
            start = place

"""Golden requests: answers of the training process, to compare those of a reloaded model with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from reelflow.base.columns import (
    MOVIE_ID,
    RANK_RAW,
    RANK_UNSEEN,
    SCORE,
    SEEN,
    SOURCE,
    TITLE,
    USER_ID,
)
from reelflow.saved_model.client import Signatures, Values
from reelflow.saved_model.contract import FROM_HISTORY, FROM_USER, RECOMMEND

RELATIVE: Final = 1e-4
ABSOLUTE: Final = 1e-5


@dataclass(frozen=True)
class Golden:
    """A request with its known answer."""

    signature: str
    inputs: Values
    outputs: Values


def record(signatures: Signatures, requests: Iterable[tuple[str, Values]]) -> list[Golden]:
    """Answer requests, each a signature with its inputs, in this process.

    Raises:
        KeyError: there is no such signature, or an input without a default is missing.
    """
    return [Golden(name, dict(inputs), signatures.ask(name, inputs)) for name, inputs in requests]


def uses_history(golden: Iterable[Golden]) -> bool:
    """Return True if the model answered any request from the history in it."""
    return any(FROM_HISTORY in one.outputs.get(SOURCE, ()) for one in golden)


def known_users(golden: Iterable[Golden]) -> list[str]:
    """The users in the requests that the model answered from its own knowledge of them."""
    users: dict[str, None] = {}
    for one in golden:
        if one.signature == RECOMMEND:
            pairs = zip(one.inputs[USER_ID], one.outputs[SOURCE], strict=True)
            users |= {user: None for user, source in pairs if source == FROM_USER}
    return list(users)


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


def compare(golden: Golden, answer: Values) -> list[str]:
    """Return the differences between the known answer and another one, as sentences.

    - Floats may differ by `ABSOLUTE + RELATIVE * |value|`; NaN differs from everything.
    - Movies may change places among movies whose scores are as near as that; at the end of a
      list a tied movie from beyond it may come in.
    - A rank may move by one in a thousand: that many near-ties can turn over by rounding.
    - All else must be equal.
    """
    differences = _differences(golden.outputs, answer)
    return [f"{golden.signature}: {difference}" for difference in differences]


def _differences(known: Values, answer: Values) -> Iterator[str]:
    if known.keys() != answer.keys():
        yield f"outputs are {sorted(answer)} instead of {sorted(known)}"
        return
    ranked = MOVIE_ID in known and SCORE in known
    for name in known:
        expected, actual = np.asarray(known[name]), np.asarray(answer[name])
        if expected.shape != actual.shape:
            yield f"{name} has shape {list(actual.shape)} instead of {list(expected.shape)}"
        elif ranked and name == MOVIE_ID:
            yield from _moved_movies(known, answer)
        elif ranked and name in (TITLE, SEEN):
            same_movie = np.asarray(known[MOVIE_ID]) == np.asarray(answer[MOVIE_ID])
            yield from _first(name, expected, actual, (expected != actual) & same_movie)
        elif expected.dtype.kind == "f":
            wrong = ~_close(actual, expected)
            if ranked and name != SCORE:
                wrong &= np.asarray(known[MOVIE_ID]) == np.asarray(answer[MOVIE_ID])
            yield from _first(name, expected, actual, wrong)
        elif name in (RANK_RAW, RANK_UNSEEN):
            allowed = 1 + expected // 1000
            yield from _first(name, expected, actual, abs(actual - expected) > allowed)
        else:
            yield from _first(name, expected, actual, expected != actual)


def _first(name: str, expected: Any, actual: Any, wrong: Any) -> Iterator[str]:
    """Name the first wrong element and the number of further ones."""
    places = np.argwhere(wrong)
    if len(places):
        place = tuple(int(axis) for axis in places[0])
        more = f" ({len(places) - 1} more differ)" if len(places) > 1 else ""
        was, now = (array[place].item() for array in (expected, actual))
        yield f"{name}{list(place)} is {now!r} instead of {was!r}{more}"


def _moved_movies(known: Values, answer: Values) -> Iterator[str]:
    """Name the first place of each row with a movie that no tie explains."""
    rows = zip(known[MOVIE_ID], answer[MOVIE_ID], known[SCORE], strict=True)
    for row, (expected, actual, scores) in enumerate(rows):
        for start, end in _ties(scores):
            if sorted(expected[start:end]) == sorted(actual[start:end]):
                continue
            open_end = end == len(expected) and end - start > 1
            others = set(expected[:start])
            if open_end and not others & set(actual[start:]) and len(set(actual)) == len(actual):
                continue
            yield (
                f"row {row}, places {start + 1} to {end}: "
                f"movies {actual[start:end]} instead of {expected[start:end]}"
            )
            return


def _ties(scores: list[float]) -> Iterator[tuple[int, int]]:
    """Runs [start, end) of a descending list in which each score is close to the one before."""
    start = 0
    for place in range(1, len(scores) + 1):
        if place == len(scores) or not _close(scores[place], scores[place - 1]):
            yield start, place
            start = place


def _close(one: Any, other: Any) -> Any:
    return np.isclose(one, other, rtol=RELATIVE, atol=ABSOLUTE)

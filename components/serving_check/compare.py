"""Whether two answers to the same request are the same, but for rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.serving_check.golden import Golden, Values
from components.trainer.features import MOVIE_ID, RANK_RAW, RANK_UNSEEN, SCORE, TITLE


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
    - Films may change places among films whose scores tie within the tolerance; at the end of a
      list a tied film from beyond it may come in.
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
            yield from _moved_films(known, answer, tolerance)
        elif ranked and name == TITLE:
            same_film = np.asarray(known[MOVIE_ID]) == np.asarray(answer[MOVIE_ID])
            yield from _first(name, expected, given, (expected != given) & same_film)
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


def _moved_films(known: Values, answer: Values, tolerance: Tolerance) -> Iterator[str]:
    """Row by row: films out of place that no tie excuses."""
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
                f"films {given[start:end]} instead of {expected[start:end]}"
            )
            return


def _ties(scores: list[float], tolerance: Tolerance) -> Iterator[tuple[int, int]]:
    """Runs [start, end) of a descending list in which each score is close to the one before."""
    start = 0
    for place in range(1, len(scores) + 1):
        if place == len(scores) or not tolerance.close(scores[place], scores[place - 1]):
            yield start, place
            start = place

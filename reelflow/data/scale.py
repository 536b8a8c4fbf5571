"""The values of ratings: how often each occurs, and the scale and the feedback that follow.

No scale is assumed. What decides are counts that add up, whatever the order of files and workers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.config import DataConfig, Feedback
from reelflow.data.ingest.results import RatingScale, RefusedRatings

if TYPE_CHECKING:
    from reelflow.data.formats.source import Source  # which needs `Bounds`

LIMIT: Final = 256
"""Distinct values that are counted one by one; more than any scale has."""
FOREIGN: Final = 0.1
"""Share of the rows outside a format's documented scale above which the data have another one; as
many damaged rows stop a run by default."""
FOREIGN_VALUES: Final = 3
"""Different values that have to lie outside for that: one, as 99, is a mistake and no scale."""
STRAY: Final = 0.001
"""Share of the rows that may be strays at either end of a scale that is not documented."""
SUSPECT: Final = 1 / 3
"""Share of the rows from which a most frequent 0 may mean "not rated"."""


class Bounds(NamedTuple):
    """The lowest and the highest value that is accepted."""

    lowest: float = -np.inf
    highest: float = np.inf

    def hold(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return True where a value is accepted, bool [n]."""
        return (values >= self.lowest) & (values <= self.highest)


ANY: Final = Bounds()


@dataclass(frozen=True)
class Refused:
    """Ratings out of range at one end.

    Attributes:
        rows: their number; the values mean nothing without any.
        lowest: the lowest of them.
        highest: the highest of them.
    """

    rows: int = 0
    lowest: float = 0.0
    highest: float = 0.0


def refused_ends(
    ratings: npt.NDArray[np.floating[Any]], accepted: Bounds
) -> tuple[Refused, Refused]:
    """Describe ratings out of range, [n]: those below the lowest accepted, and the others."""
    below = ratings < accepted.lowest
    return _refused(ratings[below]), _refused(ratings[~below])


def _refused(ratings: npt.NDArray[np.floating[Any]]) -> Refused:
    return Refused(len(ratings), *extremes(ratings))


def merge_refused(ends: Iterable[Refused]) -> Refused:
    """Add up what was refused at the same end."""
    some = [end for end in ends if end.rows]
    if not some:
        return Refused()
    return Refused(
        sum(end.rows for end in some),
        min(end.lowest for end in some),
        max(end.highest for end in some),
    )


@dataclass(frozen=True)
class ValueCounts:
    """Ratings by value.

    Attributes:
        rows: ratings counted.
        outside: those outside the format's documented scale; 0 if it has none.
        values: value to its ratings; None if more than `LIMIT` values are distinct.
    """

    rows: int = 0
    outside: int = 0
    values: Mapping[float, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads; the keys of JSON are texts only."""
        return {**vars(self), "values": self.values and list(self.values.items())}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ValueCounts:
        """Read what `to_json` made."""
        values = content["values"]
        return cls(content["rows"], content["outside"], values and dict(map(tuple, values)))


NO_VALUES: Final = ValueCounts()


def count_values(ratings: pa.ChunkedArray, documented: Bounds | None) -> ValueCounts:
    """Count ratings, float32 [rows], by value."""
    counted = pc.value_counts(ratings)
    values, rows = (counted.field(at).to_numpy(zero_copy_only=False) for at in (0, 1))
    outside = 0 if documented is None else int(rows[~documented.hold(values)].sum())
    by_value = dict(zip(map(as_written, values), rows.tolist(), strict=True))
    return ValueCounts(len(ratings), outside, by_value if len(by_value) <= LIMIT else None)


def as_written(value: np.floating[Any]) -> float:
    """Return the float64 that is written like a float32: 0.1 and not 0.10000000149."""
    return float(str(value))


def extremes(ratings: npt.NDArray[np.floating[Any]]) -> tuple[float, ...]:
    """Return the lowest and the highest of ratings, as they are written; empty without any."""
    return tuple(as_written(at(ratings)) for at in (np.min, np.max)) if len(ratings) else ()


def merge_values(counts: Iterable[ValueCounts]) -> ValueCounts:
    """Add counts up; the result is empty if there are none."""
    rows = outside = 0
    values: dict[float, int] | None = {}
    for part in counts:
        rows, outside = rows + part.rows, outside + part.outside
        if part.values is None and part.rows:
            values = None
        elif values is not None:
            for value, n in (part.values or {}).items():
                values[value] = values.get(value, 0) + n
            values = values if len(values) <= LIMIT else None
    return ValueCounts(rows, outside, values)


@dataclass(frozen=True)
class Scale:
    """The meaning of the ratings, decided from all of them.

    Attributes:
        feedback: never `AUTO`.
        accepted: bounds outside which rows are refused, beside those of the configuration.
        foreign: True if the format documents a scale that the data do not keep to.
        suspect: value that may stand for "not rated".
        refused: True if there is a row to refuse, or may be.
    """

    feedback: Feedback
    accepted: Bounds = ANY
    foreign: bool = False
    suspect: float | None = None
    refused: bool = False


def decide_scale(counts: ValueCounts, source: Source, data: DataConfig) -> Scale:
    """Decide what the ratings say, and which of them no scale can hold.

    A format's documented scale holds, and ratings outside are damaged, unless these are more than
    `FOREIGN` of the rows and have `FOREIGN_VALUES` different values. Of other data, values that are
    farther from the rest than the rest is wide are damaged as long as they are at most `STRAY` of
    the rows. `data.rating_min` and `data.rating_max` end both rules on their side.

    Args:
        counts: of all rows that the configuration accepts.
        source: says whether there are ratings, and which scale its format documents.
        data: the section `data`.
    """
    documented = source.documented
    if not source.has_ratings or data.feedback is Feedback.EVENTS:
        return Scale(Feedback.EVENTS)
    values = counts.values or {}
    numbers = np.array(sorted(values))
    if data.feedback is Feedback.COUNTS:
        # Nothing happened in a row of 0 or less.
        above_none = Bounds(float(np.nextafter(np.float32(0), np.float32(1))))
        refused = counts.values is None or not above_none.hold(numbers).all()
        return Scale(Feedback.COUNTS, above_none, refused=refused)
    foreign = documented is not None and _foreign(counts, documented)
    own = documented is None or foreign
    accepted = documented
    if accepted is None or own:
        accepted = _without_strays(values, counts.rows)
    accepted = Bounds(
        accepted.lowest if data.rating_min is None else -np.inf,
        accepted.highest if data.rating_max is None else np.inf,
    )
    unlisted = counts.values is None and not own and counts.outside > 0
    refused = unlisted or not accepted.hold(numbers).all()
    kept = {value: values[value] for value in numbers[accepted.hold(numbers)].tolist()}
    varies = counts.values is None or len(kept) > 1
    stars = varies or data.feedback is Feedback.STARS
    feedback = Feedback.STARS if stars else Feedback.EVENTS
    return Scale(feedback, accepted, foreign, _suspect(kept), bool(refused))


def _foreign(counts: ValueCounts, documented: Bounds) -> bool:
    """Return True if the data are plainly on another scale than the format's."""
    if counts.outside <= FOREIGN * counts.rows:
        return False
    outside = ~documented.hold(np.array(list(counts.values or ())))
    return counts.values is None or int(outside.sum()) >= FOREIGN_VALUES


def describe_scale(
    scale: Scale,
    source: Source,
    data: DataConfig,
    kept: Sequence[float],
    ends: Sequence[Refused] = (Refused(), Refused()),
) -> RatingScale:
    """Return a decision as `report.json` has it.

    Args:
        scale: the decision.
        source: as for `decide_scale`, like `data`.
        data: likewise; what it refuses is refused before the scale is looked at.
        kept: lowest and highest rating of the rows kept; empty without any.
        ends: ratings refused at the lower and at the upper end.
    """
    of_data = data.rating_min, data.rating_max
    found: list[float | None] = [None, None]
    if scale.feedback is Feedback.STARS:
        found = [bound if math.isfinite(bound) else None for bound in scale.accepted]
    low, high = (own if at is None else at for at, own in zip(of_data, found, strict=True))
    lowest, highest = kept or (0.0, 0.0)
    return RatingScale(
        feedback=scale.feedback,
        asked=data.feedback,
        absent=not source.has_ratings,
        lowest=lowest,
        highest=highest,
        accepted_min=low,
        accepted_max=high,
        documented=source.documented,
        foreign=scale.foreign,
        suspect=scale.suspect,
        below=_ended(ends[0]),
        above=_ended(ends[1]),
    )


def _ended(end: Refused) -> RefusedRatings | None:
    return RefusedRatings(**vars(end)) if end.rows else None


def _without_strays(values: Mapping[float, int], rows: int) -> Bounds:
    """Return bounds that leave out few values far away from all others; open without any."""
    ordered = np.array(sorted(values))
    if len(ordered) < 3:
        return ANY
    counts = np.array([values[value] for value in ordered.tolist()])
    up_to, few = np.cumsum(counts), STRAY * rows
    core = ordered[(up_to > few) & (rows - up_to + counts > few)]
    if len(core) < 2:
        return ANY
    width = core[-1] - core[0]
    near = Bounds(float(core[0] - width), float(core[-1] + width))
    held = ordered[near.hold(ordered)]
    lowest = -np.inf if held[0] == ordered[0] else float(held[0])
    highest = np.inf if held[-1] == ordered[-1] else float(held[-1])
    return Bounds(lowest, highest)


def _suspect(kept: Mapping[float, int]) -> float | None:
    """Return the lowest value if it may stand for "not rated".

    That is a -1 below a scale that begins at 0 or above, or a 0 that is more frequent than any
    other value. Of a scale of three values or fewer, such as thumbs, nothing can be said.
    """
    if len(kept) <= 3:
        return None
    first, second = sorted(kept)[:2]
    frequent = kept[first] == max(kept.values()) and kept[first] >= SUSPECT * sum(kept.values())
    return first if (first < 0 <= second) or (first == 0 and frequent) else None

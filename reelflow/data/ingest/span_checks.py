"""Each new span by itself, held against the spans before it: the bounds of `[data_gate]`.

A day of nonsense is a small share of all days. What is usual is the median over the spans before,
so that an odd one among them moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from reelflow.base import columns
from reelflow.config import DataGateConfig
from reelflow.data.ingest.checks import Finding
from reelflow.data.ingest.results import DriftReport, SpanCounts
from reelflow.data.spans import Window

BEFORE: Final = 30
"""Spans before that say what is usual, at most."""
FEWEST_BEFORE: Final = 3
FEWEST_ROWS: Final = 100
"""Rows from which on a share of them says something."""
DRIFTING: Final = (columns.RATING, columns.GENRES, columns.YEAR)
"""Columns whose drift is bounded: single users and movies have bounds of their own."""

Bound = Literal[
    "rows_min",
    "known_users",
    "known_movies",
    "quarantined_max",
    "off_scale_max",
    "user_max",
    "movie_max",
    "newcomers_movie",
    "missing",
]

_KEYS: Final = {
    "known_users": "known_min",
    "known_movies": "known_min",
    "newcomers_movie": "movie_max",
}
"""Keys of `[data_gate]` that are not the bound's own name."""


@dataclass(frozen=True)
class Breach:
    """A bound that a span does not keep."""

    span: str
    bound: Bound
    value: float
    """Share of the span's rows, 0 to 1; of `rows_min` rows; of `missing` the gap, in spans."""
    limit: float
    """The least or the greatest that passes, in the same unit."""
    of: str = ""
    """The movie; of `missing` the span before the gap."""

    @property
    def key(self) -> str:
        """The bound in `[data_gate]`."""
        return _KEYS.get(self.bound, self.bound)


def breaches(
    counts: Sequence[SpanCounts], window: Window, bounds: DataGateConfig
) -> Iterator[Breach]:
    """Yield what is out of bounds in the newest spans.

    Args:
        counts: of the newest spans, the oldest first.
        window: all spans.
        bounds: the section `data_gate`.
    """
    for at in range(max(0, len(counts) - bounds.spans), len(counts)):
        if counts[at].span not in bounds.accepted:
            yield from _of_span(counts[at], counts[max(0, at - BEFORE) : at], bounds)
    yield from _gaps(window, bounds)


def _of_span(
    span: SpanCounts, before: Sequence[SpanCounts], bounds: DataGateConfig
) -> Iterator[Breach]:
    name = span.span
    if not span.read:
        yield Breach(name, "rows_min", 0, 1)
        return
    if span.damaged > bounds.quarantined_max * span.read:
        yield Breach(name, "quarantined_max", span.damaged / span.read, bounds.quarantined_max)
    before = [other for other in before if other.kept]
    if len(before) < FEWEST_BEFORE:
        return
    fewest = bounds.rows_min * median(other.read for other in before)
    if span.read < fewest:
        yield Breach(name, "rows_min", span.read, fewest)
    if span.kept < FEWEST_ROWS:
        return
    off = _off_scale(span, before)
    if off > bounds.off_scale_max:
        yield Breach(name, "off_scale_max", off, bounds.off_scale_max)

    def usual(share: Callable[[SpanCounts], float]) -> float:
        return median(share(other) for other in before)

    def of_user(other: SpanCounts) -> float:
        return other.largest_user / other.kept

    def of_movie(other: SpanCounts) -> float:
        return (other.largest_movie or ("", 0))[1] / other.kept

    most = max(bounds.user_max, bounds.times * usual(of_user))
    if of_user(span) > most:
        yield Breach(name, "user_max", of_user(span), most)
    most = max(bounds.movie_max, bounds.times * usual(of_movie))
    for bound, movie, rows in (
        ("movie_max", span.largest_movie, span.kept),
        ("newcomers_movie", span.newcomers_movie, span.new_users),
    ):
        if movie is not None and rows >= FEWEST_ROWS and movie[1] / rows > most:
            yield Breach(name, bound, movie[1] / rows, most, movie[0])  # type: ignore[arg-type]
            break
    for bound, known in (
        ("known_users", lambda other: other.known_users / other.kept),
        ("known_movies", lambda other: other.known_movies / other.kept),
    ):
        least = bounds.known_min * usual(known)
        if known(span) < least:
            yield Breach(name, bound, known(span), least)  # type: ignore[arg-type]


def _off_scale(span: SpanCounts, before: Sequence[SpanCounts]) -> float:
    """Return the share of a span's ratings outside of the range of those before."""
    known = [value for other in before for value in other.values]
    if not known or not span.values:
        return 0.0
    lowest, highest = min(known), max(known)
    outside = (rows for at, rows in span.values.items() if not lowest <= at <= highest)
    return sum(outside) / span.kept


def _gaps(window: Window, bounds: DataGateConfig) -> Iterator[Breach]:
    """Yield gaps before the newest spans that are wider than all before them."""
    spans = (*window.earlier, *window.spans)
    steps = [after.number - span.number for span, after in pairwise(spans)]
    for at in range(max(FEWEST_BEFORE, len(steps) - bounds.spans), len(steps)):
        widest = max(steps[max(0, at - BEFORE) : at])
        span, after = spans[at : at + 2]
        # Months and quarters are not of equal length.
        if steps[at] > 1.5 * widest and after.name not in bounds.accepted:
            yield Breach(after.name, "missing", steps[at], widest, span.name)


def span_findings(
    counts: Sequence[SpanCounts],
    window: Window | None,
    bounds: DataGateConfig,
    drift: DriftReport | None = None,
) -> list[Finding]:
    """Return what the data gate has to say of the newest spans; nothing without spans."""
    if window is None:
        return []
    found = []
    for breach in breaches(counts, window, bounds):
        decides = bounds.missing if breach.bound == "missing" else bounds.bounds
        text = f"{_sentence(breach)} {_REMEDY.format(key=breach.key, span=breach.span)}"
        found.append(Finding("span", f"span {breach.span}", text, decides == "warn"))
    if len(counts) > FEWEST_BEFORE and window.newest.name not in bounds.accepted:
        found += _drift(drift, bounds)
    return found


def _drift(drift: DriftReport | None, bounds: DataGateConfig) -> Iterator[Finding]:
    if drift is None or min(drift.rows.values(), default=0) < FEWEST_ROWS:
        return
    for change in drift.changes:
        if change.kind == "drift" and change.column in DRIFTING and change.value > bounds.drift_max:
            where = f"span {drift.newest}, column {change.column}"
            text = (
                f"{change.measure} {change.value:.3f} against span {drift.previous}, and "
                f"data_gate.drift_max allows {bounds.drift_max:g}. "
                f"{_REMEDY.format(key='drift_max', span=drift.newest)}"
            )
            yield Finding("drift", where, text, bounds.bounds == "warn")


_REMEDY: Final = (
    "Deliver the span again or take it away; if it is as it should be, name it in "
    'data_gate.accepted = ["{span}"], or change data_gate.{key}.'
)


def _sentence(breach: Breach) -> str:
    value, limit, of = breach.value, breach.limit, breach.of
    if breach.bound == "rows_min" and not value:
        return "there is not one row in it."
    share = f"{value:.1%}"
    return {
        "rows_min": f"{value:,.0f} rows, and at least {limit:,.0f} would be usual.",
        "quarantined_max": f"{share} of its rows are damaged, and {limit:.1%} may be.",
        "off_scale_max": (
            f"{share} of its ratings are off the scale of the spans before, and {limit:.1%} may be."
        ),
        "user_max": f"one user has {share} of the rows, and {limit:.1%} would be the most.",
        "movie_max": f"{of} has {share} of the rows, and {limit:.1%} would be the most.",
        "newcomers_movie": (
            f"{of} has {share} of the rows of new users, and {limit:.1%} would be the most."
        ),
        "known_users": (
            f"{share} of the rows are of known users, and {limit:.1%} would be the least."
        ),
        "known_movies": (
            f"{share} of the rows are of known ids of movies, and {limit:.1%} would be the least."
        ),
        "missing": f"it follows {of}: what lies between is missing.",
    }[breach.bound]

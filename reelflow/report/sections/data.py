"""What the model learned from: rows, what was refused, and how ratings are spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.data.ingest.results import DriftReport
from reelflow.encoding.encoded import EncodedData
from reelflow.report.blocks import Block, Bullets, Fact, Facts, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.inputs import Inputs
from reelflow.report.words import count, counted, percent

MOST_GENRES = 20
MOST_STARS = 24
"""Bars of a histogram of ratings."""
TAIL_POINTS = 80
REASONS = {
    "columns": "wrong number of columns",
    "rating": "rating is no number",
    "rating_range": "rating out of range",
    "timestamp": "timestamp is no number",
    "empty_id": "empty user or movie id",
    "unknown_movie": "movie not in the catalogue",
    "duplicate": "the same user and movie again",
    "encoding": "broken text encoding",
}

Counts = npt.NDArray[np.int64]


def data_section(inputs: Inputs) -> Section:
    """Facts, refused rows, distributions, and what the validator said."""
    data, ingested = inputs.data, inputs.quarantine
    rows, refused = ingested.rows, ingested.refused
    users, movies = _counts(data)
    cells = ingested.users * ingested.movies
    blocks: list[Block] = [
        Facts(
            [
                *_spans(ingested.spans),
                Fact("Ratings", count(rows.kept), f"{count(rows.read)} rows read"),
                Fact("Users", count(ingested.users)),
                Fact("Movies", count(ingested.movies), _rated(movies)),
                Fact("Density", percent(rows.kept / cells if cells else 0.0, 2), "of all pairs"),
                Fact(
                    "In quarantine",
                    counted(refused, "row"),
                    percent(refused / rows.read if rows.read else 0.0, 2) + " of those read",
                ),
            ]
        )
    ]
    if ingested.synthetic:
        says = "These ratings are synthetic. The figures say nothing about real movies."
        blocks.append(Text(says, "bad"))
    blocks += [
        Table(
            "Ratings by split",
            ("Split", "Ratings", "Share"),
            [(s, n, percent(n / max(rows.kept, 1))) for s, n in rows.splits.items()],
        ),
        _quarantine(ingested.quarantined),
        _ratings(data),
        _genres(data),
        _years(data),
        _tail("user", "users", users),
        _tail("movie", "movies", movies),
        _validator(inputs.anomalies),
        _sampled(inputs),
    ]
    lead = (
        "What the model learned from. Counts are exact; distributions of users and movies are of "
        "the train split."
    )
    return Section("data", "Data", lead, blocks)


def _spans(names: Sequence[str]) -> list[Fact]:
    if not names:
        return []
    since = "alone" if len(names) == 1 else f"with those since {names[0]}, {count(len(names))}"
    return [Fact("Newest span", names[-1], since)]


def _counts(data: EncodedData) -> tuple[Counts, Counts]:
    """Train ratings of every user and of every movie."""
    users = data.sizes.users
    return np.bincount(data.train.user_index, minlength=users)[:users], data.rating_counts


def _rated(movies: Counts) -> str:
    return f"{count(int((movies > 0).sum()))} with a rating in training"


def _quarantine(reasons: dict[str, int]) -> Block:
    if not reasons:
        return Text("No row had to be put in quarantine.", "good")
    rows = [(REASONS.get(reason, reason), n) for reason, n in sorted(reasons.items())]
    return Table("Rows in quarantine, by reason", ("Reason", "Rows"), rows)


def _ratings(data: EncodedData) -> Figure:
    given = np.concatenate([getattr(data, split).rating for split in f.RATING_SPLITS])
    values, counts = np.unique(given, return_counts=True)
    if len(values) > MOST_STARS:
        counts, edges = np.histogram(given, MOST_STARS)
        values = (edges[:-1] + edges[1:]) / 2
    chart = Bars([f"{v:g}" for v in values], counts.tolist(), "ratings", True, "stars")
    mean = float(given.mean()) if len(given) else 0.0
    return Figure(
        f"Ratings given, {mean:.2f} stars on average",
        chart,
        f"Histogram of ratings, most often {chart.labels[int(np.argmax(counts))]} stars.",
    )


def _genres(data: EncodedData) -> Block:
    catalogue = data.catalogue
    _, movies = _counts(data)
    totals: dict[str, int] = {}
    for genres, ratings in zip(catalogue.genres, movies.tolist(), strict=True):
        for genre in genres:
            totals[genre] = totals.get(genre, 0) + ratings
    if not totals:
        return Text("The catalogue has no genres.")
    top = sorted(totals.items(), key=lambda item: -item[1])[:MOST_GENRES]
    return Figure(
        "Train ratings by genre",
        Bars([name for name, _ in top], [n for _, n in top]),
        f"Bars of the ratings of {len(top)} genres, most of {top[0][0]}. "
        "A movie counts in each of its genres.",
        tall=True,
    )


def _years(data: EncodedData) -> Block:
    known = np.array([year for year in data.catalogue.year if year is not None], np.int64)
    if len(known) == 0:
        return Text("The catalogue has no release years.")
    decades, counts = np.unique(known // 10 * 10, return_counts=True)
    everything = np.arange(decades[0], decades[-1] + 10, 10)
    found = dict(zip(decades.tolist(), counts.tolist(), strict=True))
    missing = len(data.catalogue) - len(known)
    return Figure(
        "Movies by decade of release"
        + (f", {counted(missing, 'movie')} without a year" if missing else ""),
        Bars(
            [f"{d}s" for d in everything],
            [found.get(d, 0) for d in everything.tolist()],
            "movies",
            True,
        ),
        f"Movies from {known.min()} to {known.max()}, half of them since {int(np.median(known))}.",
    )


def _tail(one: str, many: str, counts: Counts) -> Figure:
    """Ratings by rank on logarithmic axes: long tails are straight lines."""
    found = np.sort(counts[counts > 0])[::-1]
    ranks = _log_spaced(len(found))
    values = found[ranks - 1].tolist() if len(found) else []
    half = int(np.searchsorted(np.cumsum(found), found.sum() / 2)) + 1 if len(found) else 0
    share = half / len(found) if len(found) else 0.0
    return Figure(
        f"Ratings of each {one}: half of all from {percent(share)} of the {many}",
        Lines([Line(many, ranks.tolist(), values)], f"{many} by rank", "ratings", log=True),
        f"The most active has {count(values[0]) if values else 0} ratings, the median "
        f"{count(float(np.median(found))) if values else 0}."
        if one == "user"
        else f"The most rated has {count(values[0]) if values else 0} ratings, the median "
        f"{count(float(np.median(found))) if values else 0}.",
    )


def _log_spaced(size: int) -> Counts:
    """At most `TAIL_POINTS` ranks from 1 to size."""
    if size == 0:
        return np.zeros(0, np.int64)
    return np.unique(np.geomspace(1, size, TAIL_POINTS).round().astype(np.int64))


def _validator(anomalies: Sequence[str]) -> Block:
    if not anomalies:
        return Text("The validator found no anomaly against the schemas.", "good")
    return Bullets(anomalies, "bad")


def _sampled(inputs: Inputs) -> Text:
    rates = [f"{split} {percent(rate)}" for split, rate in inputs.sample_rates.items()]
    if not rates:
        return Text("Descriptive statistics were made of all rows.")
    return Text(f"Share of the rows that the descriptive statistics looked at: {', '.join(rates)}.")


# Whether the newest span is like the one before it, and like what the model learned from.


_KINDS = {"drift": "the span before", "skew": "the train split"}


def drift_section(drift: DriftReport) -> Section:
    """Every comparison, and in words those that are above their threshold.

    Args:
        drift: of the newest span.
    """
    blocks: list[Block] = []
    if drift.previous is None:
        blocks.append(Text(f"Span {drift.newest} is the first one: there is none to compare."))
    elif drift.warnings:
        blocks.append(Bullets([str(change) for change in drift.warnings], "bad"))
    else:
        blocks.append(Text("No column has changed by more than its threshold.", "good"))
    rows = [
        (
            change.column,
            _KINDS[change.kind],
            change.measure,
            f"{change.value:.3f}",
            f"{change.threshold:g}",
            "above" if change.exceeded else "below",
        )
        for change in drift.changes
    ]
    if rows:
        header = ("Column", "Against", "Measure", "Change", "Threshold", "Verdict")
        counts = ", ".join(f"{name}: {count:,}" for name, count in drift.rows.items())
        blocks.append(Table(f"Comparisons; rows looked at: {counts}", header, rows))
    newest, previous = drift.newest, drift.previous or "–"
    lead = (
        f"Span {newest} against span {previous}, and against what the model learned from. 0 is no "
        "change, 1 the largest there can be. L-infinity is the largest change of one value's "
        "share, Jensen-Shannon that of the whole distribution."
    )
    return Section("drift", "Drift", lead, blocks)

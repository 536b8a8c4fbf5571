"""The training data: rows, quarantine, distributions, and drift between spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.base.nouns import MOVIE, Noun
from reelflow.config import Feedback
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.data.quarantine import WORDS
from reelflow.data.words import data_sentences
from reelflow.encoding.encoded import EncodedData
from reelflow.report.blocks import Block, Bullets, Fact, Facts, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.charts.svg import label
from reelflow.report.words import count, counted, percent

MOST_GENRES = 20
MOST_BARS = 24
"""Bars of the histogram of ratings."""
TAIL_POINTS = 80
_COMPARED_WITH = {"drift": "the span before", "skew": "the train split"}

Counts = npt.NDArray[np.int64]


def data_section(
    data: EncodedData,
    ingested: IngestSummary,
    anomalies: Sequence[str],
    sample_rates: Mapping[str, float],
    noun: Noun = MOVIE,
) -> Section:
    """Show row counts, rows in quarantine, distributions, and the validator's anomalies.

    Args:
        data: the encoded ratings and movies.
        ingested: counts of what was read, kept and refused.
        anomalies: in words.
        sample_rates: share of each split's rows that the statistics read, 0 to 1.
        noun: the word for an item.
    """
    rows = ingested.rows
    users, movies = _users(data), data.rating_counts
    blocks: list[Block] = [_facts(ingested, movies, noun), Bullets(data_sentences(ingested, noun))]
    if ingested.synthetic:
        warning = f"These ratings are synthetic. The figures say nothing about real {noun.many}."
        blocks.append(Text(warning, "bad"))
    blocks += [
        Table(
            "Ratings by split",
            ("Split", "Ratings", "Share"),
            [(s, n, percent(n / max(rows.kept, 1))) for s, n in rows.splits.items()],
        ),
        *_accounts(ingested),
        _quarantine(ingested.quarantined),
        *_ratings(data, ingested.ratings.feedback),
        _genres(data, movies, noun),
        _years(data, noun),
        _tail("user", "users", "most active", users),
        _tail(noun.one, noun.many, "most rated", movies),
        Bullets(anomalies, "bad")
        if anomalies
        else Text("The validator found no anomaly against the schemas.", "good"),
        _sampled(sample_rates),
    ]
    lead = (
        "What the model learned from. Counts are exact; distributions of users and "
        f"{noun.many} are of the train split."
    )
    return Section("data", "Data", lead, blocks)


def _users(data: EncodedData) -> Counts:
    """Train ratings of every user, int64 [users]."""
    users = data.sizes.users
    return np.bincount(data.train.user_index, minlength=users)[:users]


def _facts(ingested: IngestSummary, movies: Counts, noun: Noun) -> Facts:
    rows, pairs = ingested.rows, ingested.users * ingested.movies
    rated = f"{count(int((movies > 0).sum()))} with a rating in training"
    share = percent(ingested.refused / rows.read if rows.read else 0.0, 2)
    return Facts(
        [
            *_spans(ingested.spans),
            Fact("Ratings", count(rows.kept), f"{count(rows.read)} rows read"),
            Fact("Users", count(ingested.users)),
            Fact(noun.labels, count(ingested.movies), rated),
            Fact("Density", percent(rows.kept / pairs if pairs else 0.0, 2), "of all pairs"),
            Fact("In quarantine", counted(ingested.refused, "row"), f"{share} of those read"),
        ]
    )


def _spans(names: Sequence[str]) -> list[Fact]:
    if not names:
        return []
    since = "alone" if len(names) == 1 else f"with those since {names[0]}, {count(len(names))}"
    return [Fact("Newest span", names[-1], since)]


def _accounts(ingested: IngestSummary) -> list[Block]:
    """Show what became of every row that was read, if some were left out."""
    rows = ingested.rows
    parts = {
        "kept": rows.kept,
        "in quarantine": ingested.refused,
        "without a rating (data.unrated)": ingested.unrated,
        "given way to another of their pair (data.repeated)": ingested.repeated,
        **{f"filtered by data.{name}": n for name, n in ingested.filtered.items()},
    }
    if rows.kept == rows.read:
        return []
    table = [(name, n, percent(n / max(rows.read, 1))) for name, n in parts.items() if n]
    return [Table("Rows of the files", ("Rows", "Number", "Share"), table)]


def _quarantine(reasons: Mapping[str, int]) -> Block:
    if not reasons:
        return Text("No row had to be put in quarantine.", "good")
    rows = [(WORDS.get(reason, reason), n) for reason, n in sorted(reasons.items())]
    return Table("Rows in quarantine, by reason", ("Reason", "Rows"), rows)


def _ratings(data: EncodedData, feedback: Feedback) -> list[Block]:
    """Draw the values of the ratings; events all have the same."""
    if feedback is Feedback.EVENTS:
        return []
    unit = "stars" if feedback is Feedback.STARS else "times"
    ratings = np.concatenate([getattr(data, split).rating for split in f.RATING_SPLITS])
    values, counts = np.unique(ratings, return_counts=True)
    if len(values) > MOST_BARS:
        counts, edges = np.histogram(ratings, MOST_BARS)
        values = (edges[:-1] + edges[1:]) / 2
    labels = [label(float(value)) for value in values]
    mean = float(ratings.mean()) if len(ratings) else 0.0
    most = labels[int(np.argmax(counts))] if labels else "–"
    name = "Ratings given" if feedback is Feedback.STARS else "Counts"
    return [
        Figure(
            f"{name}, {mean:.3g} {unit} on average",
            Bars(labels, counts.tolist(), "ratings", True, unit),
            f"Histogram of the values, most often {most} {unit}.",
        )
    ]


def _genres(data: EncodedData, movies: Counts, noun: Noun) -> Block:
    totals: dict[str, int] = {}
    for genres, ratings in zip(data.catalogue.genres, movies.tolist(), strict=True):
        for genre in genres:
            totals[genre] = totals.get(genre, 0) + ratings
    if not totals:
        return Text("The catalogue has no genres.")
    top = sorted(totals.items(), key=lambda item: -item[1])[:MOST_GENRES]
    return Figure(
        "Train ratings by genre",
        Bars([name for name, _ in top], [n for _, n in top]),
        f"Bars of the ratings of {len(top)} genres, most of {top[0][0]}. "
        f"{noun.a_label} counts in each of its genres.",
        tall=True,
    )


def _years(data: EncodedData, noun: Noun) -> Block:
    years = np.array([year for year in data.catalogue.year if year is not None], np.int64)
    if len(years) == 0:
        return Text("The catalogue has no release years.")
    first = int(years.min()) // 10
    movies = np.bincount(years // 10 - first)
    labels = [f"{10 * (first + i)}s" for i in range(len(movies))]
    missing = len(data.catalogue) - len(years)
    return Figure(
        f"{noun.labels} by decade of release"
        + (f", {noun.counted(missing)} without a year" if missing else ""),
        Bars(labels, movies.tolist(), noun.many, True),
        f"{noun.labels} from {years.min()} to {years.max()}, "
        f"half of them since {int(np.median(years))}.",
    )


def _tail(name: str, names: str, top: str, counts: Counts) -> Figure:
    """Draw ratings by rank on logarithmic axes, where long tails are straight lines.

    Args:
        name: `user` or the word for an item.
        names: its plural.
        top: attribute of the first in rank.
        counts: ratings of each, int64 [users] or [movies].
    """
    ordered = np.sort(counts[counts > 0])[::-1]
    ranks: Counts = np.zeros(0, np.int64)
    share = median = 0.0
    if len(ordered):
        ranks = np.unique(np.geomspace(1, len(ordered), TAIL_POINTS).round().astype(np.int64))
        half = int(np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)) + 1
        share, median = half / len(ordered), float(np.median(ordered))
    values = ordered[ranks - 1].tolist()
    line = Line(names, ranks.tolist(), values)
    return Figure(
        f"Ratings of each {name}: half of all from {percent(share)} of the {names}",
        Lines([line], f"{names} by rank", "ratings", log=True),
        f"The {top} has {count(values[0] if values else 0)} ratings, the median {count(median)}.",
    )


def _sampled(sample_rates: Mapping[str, float]) -> Text:
    rates = [f"{split} {percent(rate)}" for split, rate in sample_rates.items()]
    if not rates:
        return Text("Descriptive statistics were made of all rows.")
    return Text(f"Share of the rows that the descriptive statistics looked at: {', '.join(rates)}.")


def drift_section(drift: DriftReport) -> Section:
    """Compare the newest span with the one before it and with the train split."""
    newest, previous = drift.newest, drift.previous
    blocks: list[Block] = []
    if previous is None:
        blocks.append(Text(f"Span {newest} is the first one: there is none to compare."))
    elif drift.warnings:
        blocks.append(Bullets([str(change) for change in drift.warnings], "bad"))
    else:
        blocks.append(Text("No column has changed by more than its threshold.", "good"))
    rows = [
        (
            change.column,
            _COMPARED_WITH[change.kind],
            change.measure,
            f"{change.value:.3f}",
            f"{change.threshold:g}",
            "above" if change.exceeded else "below",
        )
        for change in drift.changes
    ]
    if rows:
        header = ("Column", "Against", "Measure", "Change", "Threshold", "Verdict")
        counts = ", ".join(f"{name}: {number:,}" for name, number in drift.rows.items())
        blocks.append(Table(f"Comparisons; rows looked at: {counts}", header, rows))
    lead = (
        f"Span {newest} against span {previous or '–'}, and against what the model learned from. "
        "0 is no change, 1 the largest there can be. L-infinity is the largest change of one "
        "value's share, Jensen-Shannon that of the whole distribution."
    )
    return Section("drift", "Drift", lead, blocks)

"""Metrics by slice: activity, popularity, genre and, where a run opted in, gender and age."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reelflow.base.metrics import Scope, label_at, metric_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import Results, Slice
from reelflow.evaluation.slices import (
    AGE,
    GENDER,
    GENRE,
    KNOWLEDGE,
    KNOWN_USERS,
    MOVIE_POPULARITY,
    NEW_MOVIES,
    NEW_USERS,
    USER_ACTIVITY,
    bucket_labels,
)
from reelflow.report.blocks import Block, Cell, Figure, Section, Table
from reelflow.report.charts.bars import Ranges
from reelflow.report.sections.accuracy import metric_range
from reelflow.report.words import (
    ALL,
    count,
    format_metric,
    headline_paths,
    listed_paths,
    percent,
    unit_of,
)

_OVERLAP: Final = frozenset({KNOWLEDGE, GENRE})
"""Slice keys under which a rating may count twice, so that shares add up to more than all."""
FEW: Final = 30
"""Ratings below which a slice is drawn faintly, with their number, and is not called best."""
_ORDER: Final = (KNOWN_USERS, NEW_USERS, NEW_MOVIES)


def slice_labels(noun: Noun = MOVIE) -> dict[str, str]:
    """Return the label of each slice key."""
    return {
        KNOWLEDGE: "What training knows",
        USER_ACTIVITY: "Ratings of the user in training",
        MOVIE_POPULARITY: f"Ratings of the {noun.one} in training",
        GENRE: "Genre",
        GENDER: "Gender",
        AGE: "Age in years",
    }


def slices_section(results: Results, scope: Scope = ALL, noun: Noun = MOVIE) -> Section:
    """Show figures and a table for each slice key, but for what training knows."""
    lead = (
        "The same metrics for parts of the test ratings. The upright line is the value over all of "
        "them, whiskers hold 95 % of a bootstrap over users. Differences between groups of users "
        f"are what to look at for fairness; {noun.many} with few ratings are always harder to "
        f"find. Groups of fewer than {FEW} ratings are drawn faintly, with their number, and are "
        "called neither best nor worst."
    )
    blocks: list[Block] = []
    for key, parts in by_key(results).items():
        if key != KNOWLEDGE:  # has a section of its own
            blocks += [
                slice_figure(results, key, parts, path, noun) for path in headline_paths(scope)
            ]
            blocks.append(slice_table(key, parts, scope, noun))
    return Section("slices", "For whom it works", lead, blocks)


def by_key(results: Results) -> dict[str, list[Slice]]:
    """Return the slices of each slice key: buckets in their order, others by the alphabet."""
    keys: dict[str, list[Slice]] = {}
    for part in results.slices:
        keys.setdefault(part.key, []).append(part)
    for key, parts in keys.items():
        rank = {label: i for i, label in enumerate((*bucket_labels(key), *_ORDER))}
        parts.sort(key=lambda part: (rank.get(part.label, len(rank)), part.label))
    return keys


def slice_label(key: str, noun: Noun = MOVIE) -> str:
    """Return a slice key's label within a sentence."""
    return slice_labels(noun).get(key, key.replace("_", " ")).lower()


def part_label(part: Slice, noun: Noun = MOVIE) -> str:
    """Return a slice's label; in `metrics.json` it is the same whatever the items are."""
    return f"new {noun.many}" if part.label == NEW_MOVIES else part.label


def slice_figure(
    results: Results, key: str, parts: list[Slice], path: str, noun: Noun = MOVIE
) -> Figure:
    """Draw one metric of the slices of one key."""
    metric, unit = metric_at(path), unit_of(path)
    rows = [
        replace(
            metric_range(path, _numbered(part, noun), value, part.intervals),
            note=f"{count(part.rows)} ratings",
            faint=part.rows < FEW,
        )
        for part in parts
        if (value := part.value(path)) is not None
    ]
    sign = 1 if metric.higher_is_better else -1
    telling = [row for row in rows if not row.faint]
    words = f"No group has {FEW} ratings."
    if telling:
        best = max(telling, key=lambda row: sign * row.value)
        worst = min(telling, key=lambda row: sign * row.value)
        words = (
            f"Best for {best.label} with {best.value:.3g} {unit.symbol}, "
            f"worst for {worst.label} with {worst.value:.3g} {unit.symbol}."
        )
    overall = results.metrics.value(path)
    reference = None if overall is None else unit.scale * overall
    return Figure(
        f"{label_at(path)}, by {slice_label(key, noun)}",
        Ranges(rows, unit.symbol, reference),
        words,
    )


def _numbered(part: Slice, noun: Noun) -> str:
    """Return a slice's label, with its number of ratings where these are few."""
    label = part_label(part, noun)
    return f"{label} (n = {part.rows})" if part.rows < FEW else label


def slice_table(
    key: str,
    parts: list[Slice],
    scope: Scope = ALL,
    noun: Noun = MOVIE,
    *,
    folded: bool = True,
) -> Table:
    """List the metrics of the slices of one key, with the means over users."""
    total, listed = sum(part.rows for part in parts), listed_paths(scope)
    paths = [path for path in listed if any(part.value(path) is not None for part in parts)]
    rows: list[list[Cell]] = [
        [
            part_label(part, noun),
            part.rows,
            *([] if key in _OVERLAP else [percent(part.rows / total)]),
            *(_both(part, path) for path in paths),
        ]
        for part in parts
    ]
    header = [
        slice_labels(noun).get(key, key),
        "Ratings",
        *([] if key in _OVERLAP else ["Share"]),
        *(label_at(path, short=True) for path in paths),
    ]
    caption = f"By {slice_label(key, noun)}: means over ratings, in brackets over users"
    return Table(caption, header, rows, folded=folded)


def _both(part: Slice, path: str) -> str:
    """Return a metric's mean over ratings, and that over users in brackets."""
    over_users = part.over_users.get(path)
    if over_users is None:
        return format_metric(path, part.value(path))
    symbol = unit_of(path).symbol
    first = format_metric(path, part.value(path)).removesuffix(symbol).rstrip()
    return f"{first} ({format_metric(path, over_users).removesuffix(symbol).rstrip()}) {symbol}"

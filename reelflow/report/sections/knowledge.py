"""Accuracy by knowledge: known and new users and movies, nightly and live histories."""

from __future__ import annotations

from reelflow.base.metrics import METRICS, UNSEEN, Scope, label_at, metric_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import Live, Results
from reelflow.evaluation.slices import KNOWLEDGE
from reelflow.report.blocks import Block, Section, Table, Text
from reelflow.report.sections.slices import by_key, slice_figure, slice_table
from reelflow.report.words import (
    ALL,
    count,
    format_interval,
    format_metric,
    headline_paths,
    listed_paths,
)


def knowledge_section(results: Results, scope: Scope = ALL, noun: Noun = MOVIE) -> Section:
    """Show known users, new users and new movies apart, and live beside nightly histories."""
    blocks: list[Block] = []
    if parts := by_key(results).get(KNOWLEDGE):
        paths = [METRICS["top_10"].path(UNSEEN), *headline_paths(scope)]
        blocks += [slice_figure(results, KNOWLEDGE, parts, path, noun) for path in paths]
        blocks.append(slice_table(KNOWLEDGE, parts, scope, noun, folded=False))
    if results.live is not None:
        blocks += _live(results.live, scope)
    else:
        blocks.append(
            Text(
                "Live histories are not measured: they need a split by time, and users with test "
                "ratings of more than one moment."
            )
        )
    lead = (
        f"Known users and {noun.many} have ratings in training. A new user has none there and is "
        f"answered from ratings that validation has of the user, or else with popular {noun.many}. "
        f"A rating by a new user of a new {noun.one} counts in both groups."
    )
    return Section("knowledge", "Known and new", lead, blocks)


def _live(live: Live, scope: Scope) -> list[Block]:
    rows = []
    for path in listed_paths(scope):
        nightly, value = live.nightly.value(path), live.metrics.value(path)
        if nightly is None or value is None or not metric_at(path).ranked:
            continue  # stars are those of `rate`, which knows no live history
        ends = live.intervals.get(path)
        rows.append(
            [
                label_at(path),
                format_metric(path, nightly),
                format_metric(path, value),
                format_interval(path, ends) if ends else "–",
                format_metric(path, live.nightly.over_users.get(path)),
                format_metric(path, live.metrics.over_users.get(path)),
            ]
        )
    words = (
        "Nightly: the model knows each user as of the cut; all other figures of this page and the "
        "gate are these. Live: each test rating is asked with what its user has rated in the test "
        "split strictly before, as a server does that is told at once what users do."
    )
    header = ("Metric", "Nightly", "Live", "Live, 95 %", "Nightly, over users", "Live, over users")
    caption = f"Nightly and live histories, on the same {count(live.rows)} test ratings"
    return [Text(words), Table(caption, header, rows)]
